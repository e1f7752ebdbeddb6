"""An export of a stranger's names no file, sets no flag, and is no larger than it may be."""

import json
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from histoloom.arguments import pair
from histoloom.errors import InputError
from histoloom.export.settings import GROUPS, read_settings, thresholds_of, write_settings
from histoloom.export.slide_commands import slide_commands
from histoloom.files import write_json
from histoloom.limits import VARIABLE
from histoloom.predict.engine.ensemble import load_ensemble
from histoloom.split.normalisation import read_reference, write_reference
from histoloom.study.merging import read_config
from histoloom.study.study import Study
from tests.export.export_case import write_model

ROOT = Path(__file__).parents[2]
WILD = type("Wildcards", (), {"dataset": "demo_breast", "architecture": "unet_small"})
THRESHOLDS = {"method": "hover", "options": {}, "min_area_px": 5, "tuned": False, "metric": "pq", "score": None}
THRESHOLDS |= {"images": 0, "reason": ""}
AWAY = "/home/u/.bashrc"
MIB = 2**20


def groups():
    """What the workflow's own flags say, read as export_weights.py reads them."""
    words, found = Study(read_config([ROOT / "config" / "config.yaml"], {})).export.weights_flags(WILD), {}
    for word in words:
        if word.startswith("--"):
            found[word[2:].replace("-", "_")] = group = []
        else:
            group.append(word)
    return {name: dict(map(pair, found[name])) for name in GROUPS}


@pytest.fixture
def export(tmp_path):
    write_settings(tmp_path, "demo_breast/unet_small", groups())
    write_json(tmp_path / "postprocess.json", THRESHOLDS)
    return tmp_path


def refusal(read, place):
    with pytest.raises(InputError) as refused:
        read(place)
    assert str(place) in str(refused.value) and len(str(refused.value).splitlines()) <= 4
    return str(refused.value)


def commands(export):
    settings = read_settings(export)
    return dict(slide_commands(export, settings, "hover", Path("s.svs"), Path("out"), None, "code"))


def test_what_the_study_wrote_is_read_and_becomes_flags(export):
    found = commands(export)
    words = found["find_tissue"]
    assert words[words.index("--tissue-mpp") + 1] == "8.0"
    assert [word for word in words if AWAY in word] == []
    assert found["predict_slide"].count("--state") == found["postprocess_slide"].count("--classes") == 1


INJECTIONS = [
    ("tissue", {"tissue_mpp": ["8.0", "--slide-json", AWAY]}, "tissue.tissue_mpp is ['8.0', '--slide-json'"),
    ("tissue", {"tissue_mpp": f"8.0 --slide-json {AWAY}"}, "tissue.tissue_mpp is '8.0 --slide"),
    ("tissue", {"own_mask": AWAY}, "tissue.own_mask is '/home/u/.bashrc'; expected one of tissue_mpp"),
    ("tissue", {"margin_um": {"a": AWAY}}, "tissue.margin_um is {"),
    ("slide_engine", {"overlap": ["4", "--state", AWAY]}, "slide_engine.overlap is ['4'"),
    ("slide_engine", {"window": f"--probabilities={AWAY}"}, "slide_engine.window is '--prob"),
    ("slide_engine", {"state": AWAY}, "slide_engine.state is '/home"),
    ("slide_engine", {"batch_size": [8, "--maps", AWAY]}, "slide_engine.batch_size is [8"),
    ("slide_regions", {"kernel": ["none", "--classes", AWAY]}, "slide_regions.kernel is ['none'"),
    ("slide_regions", {"nuclei": AWAY}, "slide_regions.nuclei is '/home"),
    ("slide", {"margin_px": [8, "--seams", AWAY]}, "slide.margin_px is [8"),
    ("slide", {"simplify_um": float("nan")}, "slide.simplify_um is nan; expected a number"),
    ("slide", {"model_mpp": 10**400}, "slide.model_mpp is 1000"),
    ("slide", {"outside": True}, "slide.outside is True; expected one of 0, 255"),
    ("tissue", {"tissue_mpp": 0}, "tissue_mpp: 0.0; expected more than 0"),
]


@pytest.mark.parametrize(("group", "change", "message"), INJECTIONS)
def test_no_value_of_predict_json_sets_another_flag_or_names_a_file(export, group, change, message):
    values = json.loads((export / "predict.json").read_text())
    write_json(export / "predict.json", values | {group: values[group] | change})
    assert message in refusal(read_settings, export)


@pytest.mark.parametrize("name", [None, ["a", "--class-map", AWAY], f"--areas={AWAY}", AWAY, "a/b/../c", "a/b\n"])
def test_the_name_of_a_model_is_a_dataset_and_an_architecture(export, name):
    write_json(export / "predict.json", json.loads((export / "predict.json").read_text()) | {"name": name})
    assert "expected dataset/architecture" in refusal(read_settings, export)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": ["hover", "--seams", AWAY]}, "method is ['hover'"),
        ({"method": f"../..{AWAY}"}, "method is '../.."),
        ({"options": [AWAY]}, "options is ["),
        ({"options": {"path": AWAY}}, "unknown option 'path'"),
        ({"options": {"foreground": AWAY}}, "foreground is '/home"),
        ({"min_area_px": "5"}, "min_area_px is '5'; expected int"),
    ],
)
def test_options_of_post_processing_are_those_of_its_method(export, change, message):
    thresholds_of(export)
    write_json(export / "postprocess.json", THRESHOLDS | change)
    assert message in refusal(thresholds_of, export)


@pytest.mark.parametrize(("name", "read"), [("predict.json", read_settings), ("postprocess.json", thresholds_of)])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" " * (MIB + 1), "more than 1 MiB"),
        ("[" * 200_000, "nests too deep"),
        ("[]", "holds a list"),
        ("{}", "is None; expected"),
    ],
)
def test_a_file_of_an_export_that_is_too_large_or_of_another_kind_is_refused(
    export, monkeypatch, name, read, text, message
):
    monkeypatch.setenv(VARIABLE, "text_mib=1")
    (export / name).write_text(text)
    assert message in refusal(read, export)


def reference(path, **arrays):
    sound = {"method": np.array("macenko"), "pixels": np.zeros((5, 3), np.uint8), "counts": np.array([2, 3])}
    np.savez_compressed(path, **(sound | arrays))
    return path


def test_a_reference_of_stain_is_read_as_it_was_written(tmp_path):
    images = [np.arange(6, dtype=np.uint8).reshape(2, 3), np.full((4, 3), 7, np.uint8)]
    write_reference(tmp_path / "reference.npz", "macenko", images)
    method, found = read_reference(tmp_path / "reference.npz")
    assert method == "macenko" and [each.tolist() for each in found] == [each.tolist() for each in images]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": np.zeros((5, 3), float)}, "holds no reference of stain"),
        ({"pixels": np.zeros((5, 4), np.uint8)}, "holds no reference of stain"),
        ({"counts": np.array([2, 4])}, "holds no reference of stain"),
        ({"counts": np.array([], int)}, "holds no reference of stain"),
        ({"method": np.array(["macenko", AWAY])}, "holds no reference of stain"),
        ({"method": np.array(open, object)}, "cannot be read as a .npz file"),
    ],
)
def test_a_reference_of_stain_that_is_none_is_refused(tmp_path, arrays, message):
    assert message in refusal(read_reference, reference(tmp_path / "a.npz", **arrays))


def lying_size(path):
    """A member of 40 MiB that says it has 1,000 bytes."""
    data = bytearray(path.read_bytes())
    for start, place in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        at = data.index(start) + place
        assert data[at : at + 4] == (40 * MIB).to_bytes(4, "little")
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)


def zeros(path, method):
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("method.npy", "w") as file:
        for _ in range(40):
            file.write(bytes(MIB))
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("pixels.npy", "counts.npy"):
            archive.writestr(name, b"")
    return path


def claiming(path):
    """Arrays whose header claims 10 TB."""
    np.lib.format.write_array_header_1_0(
        header := path.with_suffix(".header").open("wb+"),
        {"descr": "|u1", "fortran_order": False, "shape": (10**13,)},
    )
    header.seek(0)
    with header, zipfile.ZipFile(path, "w") as archive:
        archive.writestr("method.npy", header.read())
        for name in ("pixels.npy", "counts.npy"):
            archive.writestr(name, b"")
    return path


def test_a_reference_of_stain_that_unpacks_to_many_times_its_size_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "text_mib=16")
    plain = zeros(tmp_path / "plain.npz", zipfile.ZIP_DEFLATED)
    lying = zeros(tmp_path / "lying.npz", zipfile.ZIP_DEFLATED)
    lying_size(lying)
    other = zeros(tmp_path / "other.npz", zipfile.ZIP_BZIP2)
    lying_size(other)
    large_header = claiming(tmp_path / "header.npz")
    tracemalloc.start()
    assert "raise limits.text_mib" in refusal(read_reference, plain)
    for path in (lying, other, large_header):
        assert "cannot be read as a .npz file" in refusal(read_reference, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"downsample": None}, "its card has downsample None; expected one from 1 to 16384"),
        ({"downsample": 0}, "downsample 0"),
        ({"downsample": 2**40}, "downsample 1099511627776"),
        ({"tile_px": -64}, "tile_px -64"),
        ({"tile_px": True}, "tile_px True"),
        ({"tile_px": 10**6}, "tile_px 1000000"),
        ({"mpp": 0}, "mpp 0; expected more than 0"),
        ({"mpp": float("nan")}, "mpp nan"),
    ],
)
def test_a_card_by_which_nothing_can_be_predicted_is_refused(tmp_path, change, message):
    torch.set_num_threads(1)
    path = write_model(tmp_path / "model.safetensors", **change)
    assert message in refusal(lambda place: load_ensemble([place]), path)
