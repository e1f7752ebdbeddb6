import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.datasets.brecahad import KINDS, brecahad, discs, read_points
from histoloom.errors import InputError

SAMPLES = Path(__file__).parents[3] / "shared" / "data"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")


def write_case(root: Path, name: str = "Case_3-01", suffix: str = ".png", size=(20, 40), **points) -> None:
    for folder in ("images", "groundTruth"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    iio.imwrite(root / "images" / f"{name}{suffix}", np.full((*size, 3), 200, np.uint8))
    values = {kind: [{"x": x, "y": y} for x, y in points.get(kind, [])] for kind in KINDS}
    (root / "groundTruth" / f"{name}.json").write_text(json.dumps(values))


def test_disc_lies_at_x_times_width_and_y_times_height(tmp_path):
    write_case(tmp_path, tumor=[(0.25, 0.5)])  # column 10, row 10: the corner of four pixels
    (sample,) = brecahad(tmp_path, radius_px=1)
    assert np.argwhere(sample.instances == 1).tolist() == [[9, 9], [9, 10], [10, 9], [10, 10]]
    assert (sample.mask == (sample.instances > 0)).all()
    assert (sample.group, sample.stratum, sample.mpp, sample.fold) == ("case_3", "breast", None, None)
    assert sample.source == "images/Case_3-01.png"


def test_disc_has_the_area_of_a_circle():
    disc = discs(np.array([[50.0, 50.0]]), 100, 100, 20)
    assert disc.sum() == pytest.approx(np.pi * 20**2, rel=0.01)


def test_pixel_in_reach_of_two_points_belongs_to_the_nearest():
    points = np.array([[10.5, 8.5], [10.5, 14.5]])
    ids = discs(points, 21, 24, 5)
    rows, columns = np.indices(ids.shape) + 0.5
    distance = np.hypot(rows - points[:, 0, None, None], columns - points[:, 1, None, None])
    assert (ids == np.where(distance.min(0) <= 5, distance.argmin(0) + 1, 0)).all()
    assert {1, 2} <= set(np.unique(ids))


def test_touching_nuclei_stay_apart(tmp_path):
    write_case(tmp_path, tumor=[(0.4, 0.5)], mitosis=[(0.5, 0.5)])  # columns 16 and 20, discs of radius 4 overlap
    (sample,) = brecahad(tmp_path, radius_px=4)
    assert sample.instances[10].tolist() == [0] * 12 + [2] * 6 + [1] * 6 + [0] * 16
    assert sample.instances.max() == 2


def test_points_at_the_border_are_cut_by_it(tmp_path):
    write_case(tmp_path, tumor=[(0, 0), (1, 1)])
    (sample,) = brecahad(tmp_path, radius_px=2)
    assert np.argwhere(sample.instances == 1).tolist() == [[0, 0], [0, 1], [1, 0]]
    assert np.argwhere(sample.instances == 2).tolist() == [[18, 39], [19, 38], [19, 39]]


def test_lumina_are_no_nuclei_unless_chosen(tmp_path):
    write_case(tmp_path, lumen=[(0.5, 0.5)], non_lumen=[(0.2, 0.2)])
    assert not next(iter(brecahad(tmp_path))).mask.any()
    assert next(iter(brecahad(tmp_path, radius_px=1, points=["lumen"]))).mask.sum() == 4


def test_radius_and_kinds_are_facts_and_points_are_counted(tmp_path):
    write_case(tmp_path, tumor=[(0.1, 0.1), (0.9, 0.9)], lumen=[(0.5, 0.5)])
    write_case(tmp_path, "Case_3-02", tumor=[(0.5, 0.5), (0.5, 0.5)])  # one point twice: the second is hidden
    dataset = brecahad(tmp_path, radius_px=2, points=("tumor",))
    assert dataset.facts == {"radius_px": 2, "points": "tumor"}
    first, second = (sample.counts for sample in dataset)
    assert (first["points_tumor"], first["points_lumen"], first["hidden_nuclei"]) == (2, 1, 0)
    assert (second["points_tumor"], second["points_lumen"], second["hidden_nuclei"]) == (2, 0, 1)


def test_names_are_matched_in_any_case_and_format(tmp_path):
    write_case(tmp_path, "CASE_11-02", suffix=".TIF")
    write_case(tmp_path, "Case_2-01", suffix=".jpg")
    (tmp_path / "images").rename(tmp_path / "Images")
    (tmp_path / "groundTruth").rename(tmp_path / "groundtruth")
    (tmp_path / "groundtruth" / "CASE_11-02.json").rename(tmp_path / "groundtruth" / "case_11-02.json")
    (tmp_path / "Images" / "Thumbs.db").write_text("")
    assert [(sample.name, sample.group) for sample in brecahad(tmp_path)] == [
        ("CASE_11-02", "case_11"),
        ("Case_2-01", "case_2"),
    ]


def test_files_without_partner_are_problems_and_the_others_are_read(tmp_path):
    for name in ("Case_3-01", "Case_3-02", "Case_3-03"):
        write_case(tmp_path, name)
    (tmp_path / "groundTruth" / "Case_3-01.json").unlink()
    (tmp_path / "images" / "Case_3-03.png").unlink()
    dataset = brecahad(tmp_path)
    assert [sample.name for sample in dataset] == ["Case_3-02"]
    bare, extra = dataset.problems
    assert bare.startswith(f"{tmp_path}/images/Case_3-01.png: has no annotation; expected groundTruth/Case_3-01.json")
    assert extra.startswith(f"{tmp_path}/groundTruth/Case_3-03.json: has no image; expected images/Case_3-03")


BAD_JSON = {
    "x above 1": ('{"tumor": [{"x": 0.5, "y": 0.5}, {"x": 1.2, "y": 0.5}]}', r"'tumor' point 1 lies at x 1.2, y 0.5"),
    "y below 0": ('{"lumen": [{"x": 0.5, "y": -0.1}]}', r"'lumen' point 0 lies at x 0.5, y -0.1; expected both in"),
    "not a number": ('{"tumor": [{"x": NaN, "y": 0.5}]}', r"'tumor' point 0 lies at x nan"),
    "pixels as text": ('{"tumor": [{"x": "12", "y": 0.5}]}', r"'tumor' point 0 is .*expected \{\"x\": number"),
    "bare pair": ('{"tumor": [[0.5, 0.5]]}', r"'tumor' point 0 is \[0.5, 0.5\]; expected"),
    "no list": ('{"tumor": {"x": 0.5}}', r"'tumor' is a dict; expected a list"),
    "unknown key": ('{"tumour": []}', r"unknown key 'tumour'; did you mean 'tumor'"),
    "no object": ("[]", r"holds a list; expected an object"),
    "no JSON": ("<xml/>", r"is not JSON"),
    "nested": ("[" * 200_000, r"is not JSON"),
    "not UTF-8": (b"\xff\xfe\xff", r"is not JSON"),
}


@pytest.mark.parametrize("text, message", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_bad_annotation_is_refused(text, message, tmp_path):
    write_case(tmp_path)
    path = tmp_path / "groundTruth" / "Case_3-01.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=rf"Case_3-01.json: {message}") as error:
        list(brecahad(tmp_path))
    assert str(error.value).count("\n") < 4


def test_truncated_image_is_refused(tmp_path):
    write_case(tmp_path, size=(200, 200))
    path = tmp_path / "images" / "Case_3-01.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"Case_3-01.png: cannot be read as an image"):
        list(brecahad(tmp_path))


def test_two_images_of_one_case_name_are_a_problem(tmp_path):
    write_case(tmp_path)
    write_case(tmp_path, suffix=".jpg")
    dataset = brecahad(tmp_path)
    assert len(dataset) == 0
    assert "Case_3-01.jpg: has the same stem as Case_3-01.png; expected one image" in dataset.problems[0]


def test_file_without_case_number_is_a_problem(tmp_path):
    write_case(tmp_path, "tumour_4")
    (problem,) = brecahad(tmp_path).problems
    assert problem.endswith("tumour_4.png: no case in its name; expected Case_<n>-<mm>.png; rename the file")


def test_missing_annotation_folder_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(
        InputError, match=r"has 0 folders 'groundTruth' in any case; expected one, with BreCaHAD's points"
    ):
        brecahad(tmp_path)


POINTS = st.fixed_dictionaries({"x": st.floats() | st.integers() | st.text(), "y": st.floats(0, 1)})
FILES = st.text() | st.dictionaries(st.sampled_from(KINDS), st.lists(POINTS) | st.integers()).map(json.dumps)


@settings(max_examples=200, deadline=None)
@given(text=FILES)
def test_any_text_gives_points_within_the_image_or_an_error_that_names_the_file(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "Case_1-01.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = read_points(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert all(((points >= 0) & (points <= 1)).all() for points in found.values())


BAD_OPTIONS = {
    "misspelt kind": ({"points": ["tumour"]}, "points: unknown kind 'tumour'; did you mean 'tumor'"),
    "no kind": ({"points": []}, "points: empty; expected at least one of mitosis"),
    "no radius": ({"radius_px": 0}, "radius_px: 0; expected at least 1 pixel"),
}


@pytest.mark.parametrize("options, message", BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_bad_option_is_refused(options, message, tmp_path):
    write_case(tmp_path)
    with pytest.raises(InputError, match=message):
        brecahad(tmp_path, **options)


@needs_samples
def test_each_point_of_real_files_is_a_nucleus_or_counted_as_hidden():
    root = SAMPLES / "brecahad"
    dataset = brecahad(root)
    samples = list(dataset)
    nuclei = sum(len(np.unique(sample.instances)) - 1 for sample in samples)
    kinds = ("mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor")
    files = [json.loads(path.read_text()) for path in (root / "groundTruth").iterdir()]
    drawn = sum(len(values[kind]) for values in files for kind in kinds)
    assert len(files) == len(dataset) == 22
    assert nuclei + sum(sample.counts["hidden_nuclei"] for sample in samples) == drawn == 2462
    assert {sample.group for sample in dataset} == {"case_11", "case_12", "case_13"}
