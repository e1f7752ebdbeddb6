import gzip
import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import openslide
import pytest
import shapely

from histoloom.datasets.qupath import qupath
from histoloom.errors import InputError
from histoloom.prepare.reading.class_map import class_map
from histoloom.sample import IGNORE, Dataset, Sample

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "slides"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")


def box(left: int, top: int, right: int, bottom: int, name: str = "", **more) -> dict:
    """A rectangle as QuPath exports it; without `name` it is unclassified."""
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return drawn({"type": "Polygon", "coordinates": [ring]}, name, **more)


def drawn(geometry: dict, name: str = "", kind: str = "annotation") -> dict:
    classification = {"classification": {"name": name, "color": [1, 2, 3]}} if name else {}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": kind} | classification}


def write(root: Path, *features: dict, stem: str = "a", size=(60, 100), suffix: str = ".geojson", image: str = ".png"):
    """An image (height, width) of noise and its annotation; gives the pixels."""
    root.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    iio.imwrite(root / f"{stem}{image}", pixels)
    content = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    (root / f"{stem}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    return pixels


def only(dataset: Dataset) -> Sample:
    assert dataset.problems == ()
    (sample,) = dataset
    return sample


def pixels_of(sample: Sample) -> dict[int, int]:
    values, counts = np.unique(sample.mask, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_classes_are_painted_in_file_order_and_the_rest_is_unknown(tmp_path):
    pixels = write(tmp_path, box(10, 10, 50, 30, "Tumor"), box(40, 10, 60, 30, "Stroma"))
    dataset = qupath(tmp_path)
    sample = only(dataset)
    assert dataset.classes == ("background", "Stroma", "Tumor")
    assert pixels_of(sample) == {1: 20 * 20, 2: 30 * 20, IGNORE: 6000 - 1000}
    assert (sample.mask[10:30, 40:60] == 1).all()
    assert (sample.image == pixels).all()
    assert (sample.name, sample.group, sample.source, sample.mpp) == ("a", "a", "a.png", None)
    assert sample.instances is None


def test_an_absent_background_is_said(tmp_path):
    write(tmp_path, box(10, 10, 50, 30, "Tumor"), stem="a")
    assert any("class 0 has no pixels" in warning for warning in qupath(tmp_path).warnings)
    write(tmp_path, box(0, 0, 5, 5, "Background"), stem="b")
    dataset = qupath(tmp_path)
    assert dataset.classes == ("background", "Tumor")
    assert dataset.warnings == ()
    assert pixels_of(list(dataset)[1]) == {0: 25, IGNORE: 5975}


def test_the_map_merges_renames_and_drops(tmp_path):
    write(
        tmp_path,
        box(0, 0, 10, 10, "Tumor"),
        box(10, 0, 20, 10, "In situ"),
        box(20, 0, 30, 10, "Stroma"),
        box(30, 0, 40, 10, "Other"),
        box(5, 0, 10, 10, "Other"),
    )
    dataset = qupath(tmp_path, classes=["Tumor=cancer", "In situ=cancer", "Stroma=background", "Other=ignore"])
    assert dataset.classes == ("background", "cancer")
    assert pixels_of(only(dataset)) == {1: 150, 0: 100, IGNORE: 6000 - 250}
    assert dataset.facts["class_map"] == "Tumor: cancer, In situ: cancer, Stroma: background, Other: left out"


def test_classes_with_a_star_are_not_learnt(tmp_path):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), box(0, 0, 100, 60, "Region*"), box(0, 0, 10, 20, "Ignore*"))
    dataset = qupath(tmp_path)
    assert dataset.classes == ("background", "Tumor")
    assert pixels_of(only(dataset)) == {1: 200, IGNORE: 5800}


def test_a_class_that_the_map_lacks_is_a_problem_of_its_file(tmp_path):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), stem="good")
    write(tmp_path, box(0, 0, 20, 20, "Tumour"), box(30, 0, 40, 20, "Tumour"), stem="typing_error")
    dataset = qupath(tmp_path, classes=["Tumor=tumour"])
    assert [sample.name for sample in dataset] == ["good"]
    (problem,) = dataset.problems
    assert "typing_error.geojson" in problem
    assert "'Tumour' (2 objects)" in problem
    assert "add 'Tumour=<class of the study>'" in problem


@pytest.mark.parametrize("suffix", [".geojson", ".json", ".geojson.gz", ".json.gz"])
def test_annotations_lie_in_their_folder_under_any_suffix(tmp_path, suffix):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), suffix=suffix)
    (tmp_path / "drawn").mkdir()
    (tmp_path / f"a{suffix}").rename(tmp_path / "drawn" / f"a{suffix}")
    assert pixels_of(only(qupath(tmp_path, annotations="drawn"))) == {1: 400, IGNORE: 5600}


def test_odd_names_pair(tmp_path):
    for stem in ("a [d=1] (2)", "*", "Größe 1 ü"):
        write(tmp_path, box(0, 0, 20, 20, "Tumor"), stem=stem)
    assert len(list(qupath(tmp_path))) == 3


def test_files_without_partner_and_bad_files_are_problems(tmp_path):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), stem="good")
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), stem="bare")
    (tmp_path / "bare.geojson").rename(tmp_path / "extra.geojson")
    for stem, content in {"empty": b"", "nested": b"[" * 5000, "cut": b'{"features": ['}.items():
        write(tmp_path, stem=stem)
        (tmp_path / f"{stem}.geojson").write_bytes(content)
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), stem="broken")
    (tmp_path / "broken.png").write_bytes(b"<html>")
    dataset = qupath(tmp_path)
    assert [sample.name for sample in dataset] == ["good"]
    found = {Path(problem.split(": ")[0]).name for problem in dataset.problems}
    assert found == {"bare.png", "extra.geojson", "empty.geojson", "nested.geojson", "cut.geojson", "broken.png"}
    assert all(len(problem.splitlines()) <= 4 for problem in dataset.problems)


def test_unclassified_points_and_detections_are_counted(tmp_path):
    write(
        tmp_path,
        box(0, 0, 20, 20, "Tumor"),
        box(30, 0, 40, 20),
        drawn({"type": "MultiPoint", "coordinates": [[1, 1], [2, 2], [3, 3]]}, "Immune cells"),
        box(50, 0, 60, 20, "Tumor", kind="detection"),
        box(50, 0, 60, 20, kind="tile"),
    )
    dataset = qupath(tmp_path)
    assert pixels_of(only(dataset)) == {1: 400, IGNORE: 5600}
    expected = {"annotations": 1, "unclassified": 1, "points": 3, "detections_left_out": 1, "other_objects": 1}
    assert {key: dataset.facts.get(key) for key in expected} == expected
    assert dataset.classes == ("background", "Tumor")


def test_lines_are_drawn_as_wide_as_told(tmp_path):
    line = drawn({"type": "LineString", "coordinates": [[20, 30], [80, 30]]}, "Tumor")
    write(tmp_path, line)
    area = pixels_of(only(qupath(tmp_path, line_px=10)))[1]
    assert area == pytest.approx(60 * 10 + np.pi * 5**2, rel=0.02)
    with pytest.raises(InputError, match=r"nothing in it is painted .*lines_left_out 1"):
        qupath(tmp_path, line_px=0)


def test_downsample_reads_image_and_shapes_on_one_grid(tmp_path):
    pixels = write(tmp_path, box(20, 20, 60, 40, "Tumor"))
    sample = only(qupath(tmp_path, downsample=2, mpp=0.25))
    assert sample.image.shape == (30, 50, 3)
    assert (sample.mask[10:20, 10:30] == 1).all()
    assert pixels_of(sample)[1] == 200
    assert np.abs(sample.image - pixels.reshape(30, 2, 50, 2, 3).mean((1, 3))).max() <= 0.5
    assert sample.mpp == 0.5


def test_windows_hold_every_annotated_pixel_once(tmp_path):
    features = [box(10, 10, 90, 50, "Tumor"), box(100, 80, 199, 119, "Stroma"), box(64, 64, 65, 65, "Stroma")]
    pixels = write(tmp_path, *features, size=(120, 200))
    whole = only(qupath(tmp_path)).mask
    for margin in (0, 7):
        seen = np.zeros(whole.shape, int)
        dataset = qupath(tmp_path, region_px=32, margin_px=margin)
        for sample in dataset:
            x, y = (int(part[1:]) for part in sample.name.split("_")[1:])
            height, width = sample.mask.shape
            place = np.s_[y : y + height, x : x + width]
            assert (sample.image == pixels[place]).all()
            known = sample.mask != IGNORE
            assert known.any()
            assert (sample.mask[known] == whole[place][known]).all()
            assert sample.group == "a"
            seen[place] += known
        assert (seen == (whole != IGNORE)).all()


def test_a_window_that_a_shape_only_touches_is_left_out(tmp_path):
    write(tmp_path, box(0, 0, 32, 32, "Tumor"), box(32, 32, 64, 64, "Ignore*"), size=(64, 64))
    assert [sample.name for sample in qupath(tmp_path, region_px=32)] == ["a_x0_y0"]


def test_group_is_the_slide_the_patient_or_the_window(tmp_path):
    for stem in ("TCGA-AA-0001-01A", "TCGA-AA-0001-01B"):
        write(tmp_path, box(0, 0, 60, 20, "Tumor"), stem=stem)
    names = {sample.group for sample in qupath(tmp_path)}
    assert names == {"TCGA-AA-0001-01A", "TCGA-AA-0001-01B"}
    assert {sample.group for sample in qupath(tmp_path, group="tcga_participant")} == {"TCGA-AA-0001"}
    dataset = qupath(tmp_path, group="region", region_px=32)
    assert len({sample.group for sample in dataset}) == len(dataset) == 4
    assert any("not independent" in warning for warning in dataset.warnings)
    assert {sample.stratum for sample in qupath(tmp_path, stratum="01[AB]")} == {"01A", "01B"}
    with pytest.raises(InputError, match="margin_px: 8 with group 'region'"):
        qupath(tmp_path, group="region", margin_px=8)


def test_detections_become_nuclei_over_the_annotations(tmp_path):
    write(
        tmp_path,
        box(30, 0, 60, 20, "Stroma"),
        box(0, 0, 10, 10, "Immune", kind="detection"),
        box(8, 0, 14, 10, kind="cell"),
        box(32, 0, 36, 4, "Tumor", kind="detection"),
        box(0, 0, 60, 20, "Region*"),
    )
    dataset = qupath(tmp_path, nuclei="detections")
    sample = only(dataset)
    assert dataset.classes == ("background", "Immune", "Stroma", "Tumor", "nucleus")
    # Region* is searched: background below all else, also where it comes last in the file.
    assert pixels_of(sample) == {0: 600 - 140, 1: 80, 2: 600 - 16, 3: 16, 4: 60, IGNORE: 4800}
    assert np.unique(sample.instances, return_counts=True)[1].tolist() == [6000 - 156, 80, 60, 16]
    assert ((sample.instances > 0) == np.isin(sample.mask, [1, 3, 4])).all()
    assert dataset.warnings == ()


def test_annotations_beside_the_image_are_a_problem(tmp_path):
    write(tmp_path, box(500, 500, 600, 600, "Tumor"), stem="far")
    with pytest.raises(InputError, match=r"annotates no pixel of far\.png \(100 x 60; .* 500, 500, 600, 600\)"):
        qupath(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["Tumor"]}, "'Tumor'; expected 'class in QuPath=class of the study'"),
        ({"classes": ["Tumor=a", "Tumor=b"]}, "'Tumor' is given twice"),
        ({"classes": ["Tumor=background"]}, "classes: 0 beside the background"),
        ({"nuclei": "detection"}, "did you mean 'detections'"),
        ({"downsample": 0}, "downsample: 0; expected a whole number, 1 or more"),
        ({"region_px": 8}, "region_px: 8"),
        ({"line_px": -1}, "line_px: -1"),
        ({"annotations": "drawn"}, "drawn: no such folder"),
        ({"group": "case(\\d+)"}, "nothing that matches the group pattern"),
        ({"downsample": 101}, "annotates no pixel"),
    ],
)
def test_unusable_settings_are_refused(tmp_path, options, message):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), box(0, 0, 20, 20, "Tumor"))
    with pytest.raises(InputError) as caught:
        qupath(tmp_path, **options)
    assert message in str(caught.value)


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        qupath(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no image or slide"):
        qupath(tmp_path)


def test_reading_again_gives_the_same_and_a_changed_file_is_seen(tmp_path):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"))
    dataset = qupath(tmp_path)
    assert [pixels_of(only(dataset)) for _ in range(2)] == [{1: 400, IGNORE: 5600}] * 2
    write(tmp_path, box(0, 0, 30, 200, "Tumor"))
    assert pixels_of(only(qupath(tmp_path))) == {1: 1800, IGNORE: 4200}


def test_the_last_equals_sign_parts_an_entry():
    assert class_map(["Ki67>=5=high", "Stroma = other "]) == {"Ki67>=5": "high", "Stroma": "other"}


@needs_samples
def test_real_slide_has_the_area_of_its_polygons(tmp_path):
    stem = "TCGA-CR-7395-01A-01-TS1"
    annotation = SAMPLES / f"{stem}.TEST_NONEXPERT.geojson"
    dataset = qupath(SAMPLES, annotation_ending=".TEST_NONEXPERT", group="region", region_px=1024, downsample=2)
    assert dataset.classes == ("background", "Necrosis", "Stroma", "Tumor")
    assert [Path(problem.split(": ")[0]).name for problem in dataset.problems] == ["CMU-1-Small-Region.svs"]
    samples = list(dataset)
    # What later polygons cover is taken off the earlier ones.
    expected, above = dict.fromkeys(dataset.classes, 0.0), shapely.Polygon()
    for feature in reversed(json.loads(annotation.read_text())["features"]):
        polygon = shapely.geometry.shape(feature["geometry"])
        name = feature["properties"]["classification"]["name"]
        expected["background" if name == "Background" else name] += polygon.difference(above).area / 4
        above = above.union(polygon)
    for value, name in enumerate(dataset.classes):
        assert sum((sample.mask == value).sum() for sample in samples) == pytest.approx(expected[name], rel=0.005)
    assert dataset.facts["annotations"] == 9
    with openslide.OpenSlide(SAMPLES / f"{stem}.svs") as handle:
        pixels = np.asarray(handle.read_region((2048, 2048), 0, (400, 400)).convert("RGB"), float)
    (sample,) = (sample for sample in samples if sample.name == f"{stem}_x2048_y2048")
    assert np.abs(sample.image[:200, :200] - pixels.reshape(200, 2, 200, 2, 3).mean((1, 3))).max() <= 0.5
    assert sample.mpp is None


def test_exported_tiles_are_sent_to_their_own_reader(tmp_path):
    write(tmp_path / "images", stem="S [d=2,x=0,y=0,w=200,h=120]")
    (tmp_path / "images" / "S [d=2,x=0,y=0,w=200,h=120].geojson").unlink()
    with pytest.raises(InputError, match=r"w=200,h=120\]\.png: is a tile .*; set 'reader: qupath_tiles'"):
        qupath(tmp_path)


def test_exported_tiles_that_were_annotated_anew_are_images(tmp_path):
    write(tmp_path, box(0, 0, 20, 20, "Tumor"), stem="S [x=0,y=0,w=100,h=60]")
    assert pixels_of(only(qupath(tmp_path))) == {1: 400, IGNORE: 5600}
    write(tmp_path, stem="S [x=100,y=0,w=100,h=60]")
    (tmp_path / "S [x=100,y=0,w=100,h=60].geojson").unlink()
    (problem,) = qupath(tmp_path).problems
    assert "x=100" in problem
