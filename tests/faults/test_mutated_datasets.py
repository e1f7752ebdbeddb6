"""Datasets with one damaged file: whatever became of it, each reader gives sound samples or an InputError."""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from histoloom import plugins
from tests.prepare import test_brecahad as brecahad
from tests.prepare import test_cryonuseg as cryonuseg
from tests.prepare import test_folder as folder
from tests.prepare import test_hou2020 as hou2020
from tests.prepare import test_monuseg as monuseg
from tests.prepare import test_pannuke as pannuke
from tests.prepare import test_qupath as qupath
from tests.prepare import test_qupath_tiles as qupath_tiles

MUTATIONS = 60
SLIDE = qupath.SAMPLES / "CMU-1-Small-Region.svs"
RNG = np.random.default_rng(0)
TISSUE = RNG.integers(0, 256, (2, 32, 40, 3)).astype(np.float64)


def write_pannuke(root: Path) -> dict:
    channels = np.zeros((2, 32, 40, 6))
    channels[:, 4:12, 4:12, 0], channels[:, 8:20, 8:20, 3] = 7, 9
    for name in ("Fold 1", "Fold 2"):
        pannuke.write_fold(root / name, images=TISSUE, masks=channels)
        np.save(root / name / "images" / "groups.npy", np.array(["patient a", "patient b"]))
    return {}


def write_brecahad(root: Path) -> dict:
    for name, suffix in (("Case_1-01", ".tif"), ("Case_2-01", ".png")):
        brecahad.write_case(root, name, suffix, size=(32, 48), tumor=[(0.25, 0.5), (0.75, 0.5)], mitosis=[(0.5, 1)])
    return {"radius_px": 6}


def write_cryonuseg(root: Path) -> dict:
    rows = ""
    for name in ("Human_Larynx_01", "Human_Larynx_02"):
        cryonuseg.write_tile(root, name)
        for annotator in ("biologist", "bioinformatician"):
            cryonuseg.write_labels(root, annotator, name=name)
        rows += f"TCGA-F7-A622,0.2468,{name},222\n"
    (root / "selected_wsis.csv").write_text(cryonuseg.HEADER + rows)
    return {}


def write_hou2020(root: Path) -> dict:
    for number in (1, 2):
        path = hou2020.write_patch(root, number)
        iio.imwrite(path.with_name(f"{number}_labeled_mask_common0.png"), np.roll(hou2020.patch_ids(), 5, axis=1))
    hou2020.write_table(root, "1,TCGA-21-5784-01Z-00-DX1,lusc\n2,TCGA-A7-A13E-01Z-00-DX1,brca\n")
    return {}


def write_folder(root: Path) -> dict:
    mask = np.repeat([[0, 0, 100, 255]], 32, 0).repeat(10, 1).astype(np.uint8)
    for name, suffix in (("a", ".png"), ("b", ".tif"), ("c", ".jpg")):
        folder.save_pair(root, name, mask, suffix=suffix)
        folder.save(root / "nuclei" / f"{name}.tif", mask.astype(np.uint16))
    (root / "images.csv").write_text("name,group,stratum,mpp,fold\na,p1,lung,0.25,1\nb,p1,lung,0.5,2\nc,p2,skin,,3\n")
    classes = ["background=0", "stroma=100", "necrosis=255"]
    return {"classes": classes, "nuclei": "nuclei", "index": "images.csv", "unlisted": "ignore"}


def write_monuseg(root: Path) -> dict:
    text = monuseg.xml(monuseg.square(3, 2, 12), monuseg.square(10, 10, 9), [(20.5, 3), (40, 3.25), (30, 28)])
    monuseg.write_tile(root, text, size=(32, 48))
    monuseg.write_tile(root, gzip.compress(text.encode()), "TCGA-B0-5710-01Z-00-DX1", (32, 48), ".xml.gz")
    (root / "organs.csv").write_text(f"name,organ\n{monuseg.NAME},breast\nTCGA-B0-5710,kidney\n")
    return {"organs_csv": "organs.csv"}


def shapes() -> list[dict]:
    star = {"type": "Polygon", "coordinates": [[[0, 0], [20, 20], [20, 0], [0, 20], [0, 0]]]}
    line = {"type": "LineString", "coordinates": [[1, 1], [30.5, 20]]}
    return [
        qupath.box(2, 2, 40, 30, "Tumor"),
        qupath.box(10, 10, 20.25, 20, "Stroma"),
        qupath.drawn(star, "Stroma"),
        qupath.drawn(line, "Tumor: Positive"),
        qupath.box(5, 5, 9, 9, kind="cell"),
        qupath.drawn({"type": "Point", "coordinates": [3, 4]}, "Tumor"),
    ]


def write_drawn_images(root: Path) -> dict:
    qupath.write(root, *shapes(), stem="a", size=(48, 64))
    qupath.write(root, *shapes(), stem="b", size=(64, 64), suffix=".geojson.gz", image=".tif")
    return {"nuclei": "detections", "region_px": 40, "margin_px": 4, "line_px": 3}


def write_exported_tiles(root: Path) -> dict:
    qupath_tiles.write_tile(root)
    qupath_tiles.write_tile(root, "d=2,x=64,y=0,w=64,h=32", palette=True)
    labels = [{"classification": "Tumor", "label": 1}, {"classification": "Stroma", "label": 2}]
    (root / "S 1-tiles.json").write_text(json.dumps({"labels": labels}))
    return {"mpp": 0.25}


def write_slide(root: Path) -> dict:
    shutil.copyfile(SLIDE, root / "a.svs")
    content = {"type": "FeatureCollection", "features": [qupath.box(300, 300, 420, 500, "Tumor")]}
    (root / "a.geojson").write_text(json.dumps(content))
    return {"region_px": 256}


CASES = {
    "pannuke": write_pannuke,
    "brecahad": write_brecahad,
    "cryonuseg": write_cryonuseg,
    "hou2020": write_hou2020,
    "folder": write_folder,
    "monuseg": write_monuseg,
    "qupath": write_drawn_images,
    "qupath_tiles": write_exported_tiles,
    "qupath with a slide": pytest.param(write_slide, marks=qupath.needs_samples),
}


def test_no_reader_is_left_out():
    assert {case.split()[0] for case in CASES} == set(plugins.names("datasets"))


@pytest.mark.parametrize("write", CASES.values(), ids=CASES.keys())
def test_one_mutated_file_gives_sound_samples_or_an_input_error(write, tmp_path, request):
    reader = request.node.callspec.id.split()[0]
    done = read_mutated(reader, tmp_path, write, MUTATIONS)
    assert done.returncode == 0, f"{done.returncode} after\n{done.stdout[-300:]}\n{done.stderr[-3000:]}"
    read, refused, failed = map(int, done.stdout.splitlines()[-1].split())
    assert not failed, done.stderr[-6000:]
    assert read + refused == MUTATIONS
    assert min(read, refused) >= 5  # else the mutations are too wild or too tame


def read_mutated(reader: str, root: Path, write: Callable[[Path], dict], count: int) -> subprocess.CompletedProcess:
    options = json.dumps(write(root))
    project = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.faults.mutated_datasets", reader, str(root), str(count), options]
    # As in the other tests, a warning is an error: one of an overflow tells of values that are not the file's.
    warnings = "error,ignore::DeprecationWarning,ignore::FutureWarning"
    environment = {"PYTHONPATH": f"{project / 'scripts'}", "PYTHONWARNINGS": warnings}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)
