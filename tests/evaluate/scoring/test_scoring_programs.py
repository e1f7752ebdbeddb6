"""Files as MONAI, StarDist, Cellpose and QuPath themselves write or name them are scored, as the documentation says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from histoloom.evaluate.scoring.outlines import read_nuclei, read_regions
from histoloom.evaluate.scoring.reading import Reading
from histoloom.formats.geojson import (
    Coordinates,
    Polygons,
    class_member,
    feature,
    json_bytes,
    object_ids,
    write_features,
)
from histoloom.formats.polygons import label_polygons
from histoloom.formats.shapes import read_shapes
from tests.evaluate.scoring import scoring_case as case
from tests.evaluate.scoring.scoring_case import CLASSES, FOUND, TRUTH, means, score

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_what_monai_saves_is_scored_as_the_same_masks(tmp_path):
    """MONAI keeps (channel, width, height), and SaveImage makes a folder for each image and adds an ending."""
    from monai.data import MetaTensor
    from monai.transforms import SaveImage

    truth = case.masks_png(tmp_path / "truth", TRUTH, "truth")
    kind = {"output_postfix": "seg", "output_ext": ".png", "output_dtype": np.uint8}
    save = SaveImage(tmp_path / "monai", **kind, resample=False, print_log=False)
    for name, mask, _ in case.each(tmp_path / "found", FOUND):
        save(MetaTensor(np.ascontiguousarray(mask.T[None]), meta={"filename_or_obj": f"{name}.png"}))
    assert (tmp_path / "monai" / "0" / "0_seg.png").is_file()
    flags = ["--classes", *CLASSES]
    ending = [*flags, "--prediction-ending", "_seg"]
    assert score(tmp_path / "a", truth, ("model", tmp_path / "monai"), flags=ending) == "done"
    plain, _ = case.masks_png(tmp_path / "plain", FOUND, "prediction")
    assert score(tmp_path / "b", truth, ("model", plain), flags=flags) == "done"
    assert (tmp_path / "a" / "scores.csv").read_text() == (tmp_path / "b" / "scores.csv").read_text()


def test_label_images_as_stardist_and_cellpose_write_them_give_the_same_tables(tmp_path):
    truth = case.pannuke(tmp_path / "truth", TRUTH, "truth")
    stardist, cellpose = tmp_path / "stardist", tmp_path / "cellpose"
    for name, _, ids in case.each(stardist, FOUND):
        tifffile.imwrite(stardist / f"{name}.tif", ids, compression="zlib")
        tifffile.imwrite(tmp_path / "unused.tif", ids)
        cellpose.mkdir(exist_ok=True)
        Image.fromarray(ids.astype(np.uint16)).save(cellpose / f"{name}_cp_masks.png")
        Image.new("RGB", (32, 24)).save(cellpose / f"{name}.png")  # the image itself lies beside
    flags = ["--classes", "background", "nucleus", "--prediction-format", "labels"]
    assert score(tmp_path / "a", truth, ("model", stardist), flags=flags) == "done"
    ending = [*flags, "--prediction-ending", "_cp_masks"]
    assert score(tmp_path / "b", truth, ("model", cellpose), flags=ending) == "done"
    assert (tmp_path / "a" / "summary.csv").read_text() == (tmp_path / "b" / "summary.csv").read_text()
    assert float(means(tmp_path / "a")["pq", "nucleus"]) == pytest.approx(np.mean([0.5, 1.8 / 3.5]), abs=1e-6)


def test_outlines_along_pixel_edges_come_back_as_the_same_pixels(tmp_path):
    """GeoJSON written by our own export of slides, of touching shapes with holes, is read as what it was made of."""
    labels = np.random.default_rng(0).integers(0, 4, (40, 50)).astype(np.int32)
    labels[5:15, 5:15], labels[8:11, 8:11] = 9, 0
    rings = label_polygons(labels)
    starts = np.append(np.flatnonzero(~rings.is_hole), len(rings.label))
    shapes = Polygons(starts, rings.start, rings.vertices)
    texts = Coordinates(40, 50, 1.0).of(shapes)
    ids = object_ids("slide", "model", "nuclei", 0, len(shapes))
    properties = json_bytes({"objectType": "detection", "classification": class_member("nucleus", (1, 2, 3))})
    path = tmp_path / "a.geojson.gz"
    write_features(path, {}, (feature(number, text, properties) for number, text in zip(ids, texts, strict=True)))
    reading = Reading(("background", "nucleus"), is_truth=False)
    assert np.array_equal(read_regions(path, reading, (40, 50)).mask, labels > 0)
    found = read_nuclei(path, reading, (40, 50)).instances
    assert np.array_equal(np.unique(found), np.arange(len(shapes) + 1))
    shapes_read = read_shapes(path).shapes
    assert [int((found == number).sum()) for number in range(1, len(shapes) + 1)] == [
        s.geometry.area for s in shapes_read
    ]


def test_the_notes_that_nnunet_writes_beside_its_masks_are_no_predictions(tmp_path):
    truth = case.masks_png(tmp_path / "truth", TRUTH, "truth")
    path, _ = case.masks_png(tmp_path / "nnunet", FOUND, "prediction")
    for name in ("dataset", "plans", "predict_from_raw_data_args"):
        (path / f"{name}.json").write_text("{}")
    assert score(tmp_path / "out", truth, ("model", path), flags=["--classes", *CLASSES]) == "done"


def test_annotations_are_regions_where_there_are_detections_and_nuclei_where_there_are_none(tmp_path):
    nucleus, tumour = (1, 1, 1, 6, 6), (2, 0, 0, 24, 16)
    for folder, kind in (("cells", "cell"), ("drawn", "annotation")):
        (tmp_path / folder).mkdir()
        features = [case.feature(nucleus, kind), case.feature(tumour, "annotation")]
        (tmp_path / folder / "a.geojson").write_text(json.dumps(features))
    truth = case.labels_masks(tmp_path / "truth", {"a": [nucleus]}, "truth")
    counts = {}
    for folder in ("cells", "drawn"):
        flags = ["--classes", *CLASSES, "--metric", "pq"]
        assert score(tmp_path / "out", truth, ("model", tmp_path / folder), flags=flags) == "done"
        counts[folder] = means(tmp_path / "out")["pq", "foreground"]
    # Drawn: the annotation, painted over the nucleus, is the one nucleus that is there: IoU 36 / 384, no pair.
    assert counts == {"cells": "1.0", "drawn": "0.0"}


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*(?![\w-])", PAGE))))
def test_every_flag_on_the_page_is_one_of_the_script(flag):
    text = (REPOSITORY / "scripts" / "score.py").read_text(encoding="utf-8")
    others = (REPOSITORY / "scripts" / "make_demo_data.py").read_text(encoding="utf-8")
    assert f'"{flag}"' in text + others
