"""What score.py refuses: each message names the file, the value, what was expected and the cure."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.evaluate.scoring import scoring_case as case
from tests.evaluate.scoring.scoring_case import CLASSES, FOUND, TRUTH, score

ALL = ["--classes", *CLASSES]
THREE = ["--classes", *CLASSES[:3]]
ONE = {"a": [(1, 2, 3, 4, 5)]}


def said(folder, flags=ALL, write_truth=case.labels_masks, write_found=case.hovernet_types, spoil=lambda path: None):
    """The last words on TRUTH against FOUND, in one line, after `spoil` was let loose on the folder of predictions."""
    truth = write_truth(folder / "truth", TRUTH, "truth")
    path, more = write_found(folder / "found", FOUND, "prediction")
    spoil(path)
    words = score(folder / "out", truth, ("model", path), flags=[*more, *flags])
    assert words.startswith("error: ")
    assert not (folder / "out" / "summary.csv").exists()
    return words


def of_array(folder, values, flags=THREE, name="a.npy"):
    """The last words on an array or a picture against a mask of 24 x 32 px called a."""
    truth = case.masks_png(folder / "truth", ONE, "truth")
    (folder / "found").mkdir()
    if name.endswith(".npy"):
        np.save(folder / "found" / name, values)
    else:
        Image.fromarray(values).save(folder / "found" / name)
    return score(folder / "out", truth, ("model", folder / "found"), flags=flags)


def test_a_folder_that_is_not_there(tmp_path):
    words = score(tmp_path / "out", (tmp_path / "no", []), ("model", tmp_path), flags=ALL)
    assert f"{tmp_path / 'no'}: no such file or folder; expected the images' files" in words


def test_a_missing_prediction(tmp_path):
    words = said(tmp_path, spoil=lambda path: (path / "1.mat").unlink())
    assert f"{tmp_path / 'found'}: 1 of 2 images have no prediction: '1'; expected one for each" in words
    assert "--allow-missing-predictions" in words


def test_a_prediction_without_truth(tmp_path):
    words = said(tmp_path, spoil=lambda path: (path / "7.mat").write_bytes((path / "1.mat").read_bytes()))
    assert "1 images have no truth: '7'; expected the images of the truth alone" in words


def test_names_that_have_nothing_in_common(tmp_path):
    def rename(path):
        for file in path.iterdir():
            file.rename(path / f"x{file.name}")

    words = said(tmp_path, spoil=rename)
    assert "no image in common with the truth: 'x0', 'x1' against '0', '1'; expected the same names" in words


def test_two_files_of_one_stem(tmp_path):
    words = said(
        tmp_path,
        write_found=case.labels_npy,
        spoil=lambda path: Image.new("I;16", (32, 24)).save(path / "1_pred.tif"),
        flags=[*ALL, "--prediction-format", "labels"],
    )
    assert "1_pred.tif: has the same stem as" in words


def test_files_of_several_formats(tmp_path):
    words = said(tmp_path, spoil=lambda path: Image.new("L", (32, 24)).save(path / "2.png"))
    assert (
        "holds files of several formats (hovernet, images); expected one; say which with --prediction-format" in words
    )


@pytest.mark.parametrize(("size", "cure"), [((20, 20), "bring both to one grid"), ((32, 24), "looks transposed")])
def test_a_prediction_of_another_size(tmp_path, size, cure):
    words = of_array(tmp_path, np.zeros(size, np.uint8))
    assert f"image 'a': {size[0]} x {size[1]} px; expected 24 x 32 px (height x width) as the truth; {cure}" in words


@pytest.mark.parametrize(
    ("values", "flags", "message"),
    [
        (
            np.full((24, 32), 9, np.uint8),
            THREE,
            "a.npy: holds 9; expected 0 background, 1 neoplastic, 2 inflammatory; say",
        ),
        (np.full((24, 32), 255, np.uint8), THREE, "a.npy: holds 255; expected 0 background"),
        (np.full((24, 32), 2, np.int64), THREE, "no value above 2 in any of 1 files, which may be classes or nuclei"),
        (np.full((24, 32), 5, np.int32), THREE, "label images say no classes; expected a class for each nucleus"),
        (
            np.zeros((24, 32), np.float32),
            [*THREE, "--prediction-format", "masks"],
            "float32 of shape (24, 32); expected whole",
        ),
        (np.full((24, 32), -1, np.int32), [*THREE, "--prediction-format", "labels"], "values -1 to -1; expected 0 to"),
        (np.zeros((3, 24, 32), np.float32), THREE, "move the classes to the last axis: numpy.moveaxis(p, 0, -1)"),
        (
            np.zeros((24, 32, 5), np.float32),
            THREE,
            "float32 of shape (24, 32, 5); expected float or uint8 (height, width, 3)",
        ),
        (
            np.full((24, 32, 3), 0.5, np.float32),
            THREE,
            "add up to 1.5 to 1.5 in a pixel; expected probabilities that add up",
        ),
        (np.full((24, 32, 3), np.nan, np.float32), THREE, "values nan to nan, which add up to nan"),
        (np.full((24, 32, 3), 99, np.uint16), THREE, "uint16; expected uint8 (255 is 1) or float"),
        (np.zeros((24, 32), np.uint8), ["--classes", "one"], "--classes: one; expected 2 to 255 different names"),
        (np.zeros((24, 32), np.uint8), [], "--classes: none given; expected the classes of"),
        (np.zeros((24, 32), np.uint8), [*THREE, "--metric", "pq"], "--metric: 'pq' needs nuclei, which"),
        (np.zeros((24, 32), np.uint8), [*THREE, "--metric", "dise"], "unknown metrics 'dise'; did you mean 'dice'?"),
        (np.zeros((24, 32), np.uint8), [*THREE, "--class-values", "background=0", "x=1"], "'x' is none of the classes"),
    ],
)
def test_an_array_that_is_not_what_it_should_be(tmp_path, values, flags, message):
    assert message in of_array(tmp_path, values, flags)


def test_a_mask_of_0_and_255_taken_for_nuclei(tmp_path):
    mask = np.zeros((24, 32), np.uint8)
    mask[2:5, 2:5], mask[9:12, 9:12] = 255, 255
    words = of_array(tmp_path, mask, ["--classes", "background", "nucleus", "--prediction-format", "labels"], "a.png")
    assert "a.png: holds only 0 and 255, in 2 places; expected one number for each nucleus" in words


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,4,dead\n", "line 10: nucleus 4 of 1 again; expected once"),
        ("1,x,dead\n", "line 10: id 'x'; expected the whole number"),
        ("1,9,deat\n", "line 10: class 'deat'; did you mean 'dead'?"),
    ],
)
def test_a_bad_line_in_a_table_of_classes(tmp_path, line, message):
    def add(path):
        table = path.with_suffix(".csv")
        table.write_text(table.read_text() + line)

    assert message in said(tmp_path, write_found=case.labels_table, spoil=add)


def test_a_nucleus_that_the_table_lacks(tmp_path):
    def cut(path):
        table = path.with_suffix(".csv")
        table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))

    words = said(tmp_path, write_found=case.labels_table, spoil=cut)
    assert "1.tif: nucleus 4 has no class in --prediction-table; expected one for each of its 4 nuclei" in words


def test_a_label_image_without_its_mask(tmp_path):
    words = said(
        tmp_path,
        write_found=case.labels_masks,
        spoil=lambda path: (path.with_name("found_masks") / "1.png").unlink(),
    )
    assert "--prediction-masks: no file of image '1'; expected one for each label image" in words


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"map": np.zeros((24, 32))}, "0.mat: holds map; expected inst_map"),
        ({"inst_map": np.zeros((24, 32))}, "0.mat: has neither type_map nor inst_type; expected the classes"),
        ({"inst_map": np.ones((24, 32)), "inst_type": np.array([[1, 9]])}, "0.mat: inst_type holds 9; expected 0 back"),
        ({"inst_map": np.full((24, 32), 0.5)}, "0.mat: inst_map holds 0.5 to 0.5; expected nucleus ids"),
        ({"inst_map": np.ones((24, 32)), "inst_type": np.zeros((3, 1))}, "inst_type has 3 types for 1 nuclei"),
    ],
)
def test_a_mat_file_that_is_not_of_hovernet(tmp_path, stored, message):
    assert message in said(tmp_path, spoil=lambda path: savemat(path / "0.mat", stored))


def test_a_damaged_mat_file(tmp_path):
    words = said(tmp_path, spoil=lambda path: (path / "0.mat").write_bytes((path / "0.mat").read_bytes()[:150]))
    assert "0.mat: cannot be read as a .mat file (" in words


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 24, 32, 5)), "shape (2, 24, 32, 5); expected numbers (images, height, width, 6)"),
        (np.full((2, 24, 32, 6), 0.3), "row 0 holds 0.3 to 0.3; expected nucleus ids, whole numbers"),
        (np.zeros((3, 24, 32, 6)), "1 images have no truth: '2'"),
    ],
)
def test_an_array_that_is_not_of_pannuke(tmp_path, values, message):
    assert message in said(tmp_path, write_found=case.pannuke, spoil=lambda path: np.save(path, values))


def test_pannuke_has_six_classes_or_two(tmp_path):
    words = said(tmp_path, flags=THREE, write_truth=case.pannuke)
    assert "--classes: 3 classes, " in words
    assert "has 6; expected as many" in words


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([case.feature(FOUND["0"][0], "detection", "deat")], "0.geojson: class 'deat'; did you mean 'dead'?"),
        ([case.feature(FOUND["0"][0], "detection", "")], "0.geojson: no class; "),
        (
            [{"type": "Point", "coordinates": [1, 2]}],
            "0.geojson: 1 of 1 objects are points or lines; expected polygons",
        ),
    ],
)
def test_polygons_that_cannot_be_scored(tmp_path, objects, message):
    words = said(
        tmp_path,
        write_found=case.geojson,
        spoil=lambda path: (path / "0.geojson").write_text(json.dumps(objects)),
    )
    assert message in words


def test_no_side_that_says_how_large_images_are(tmp_path):
    words = said(tmp_path, write_truth=case.geojson, write_found=case.geojson)
    assert "GeoJSON does not say how large its image is; expected it from the other side's files" in words


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (("name", "group"), ("0", "x"), "has no row for image '1' (1 of 2 lack one); expected its group"),
        (("name", "case"), ("0", "x"), "columns name, case; expected name and any of group, stratum, mpp"),
        (("name", "mpp"), ("0", "wide"), "mpp of '0' is 'wide'; expected micrometres per pixel"),
    ],
)
def test_a_bad_table_of_groups(tmp_path, header, row, message):
    second = [("1", "0.5")] if "mpp" in header else []
    groups = case.write_table(tmp_path / "groups.csv", header, [row, *second])
    assert message in said(tmp_path, flags=[*ALL, "--groups", str(groups)])


@pytest.mark.parametrize("mpp", ["-1", "0", "nan", "inf"])
def test_a_resolution_that_is_no_length(tmp_path, mpp):
    words = said(tmp_path, flags=[*ALL, "--mpp", mpp])
    assert f"error: --mpp: {mpp}; expected micrometres per pixel, above 0" in words
    assert "mend it, or leave it out" in words


def test_truth_cannot_have_classes_from_a_table_and_from_masks(tmp_path):
    table = case.write_table(tmp_path / "t.csv", ("image", "id", "class"), [])
    words = said(tmp_path, flags=[*ALL, "--truth-table", str(table)])
    assert "--truth-table: given beside --truth-masks; expected one of them" in words


def test_a_companion_of_no_prediction(tmp_path):
    words = said(tmp_path, flags=[*ALL, "--prediction-masks", "modl=masks", "model=masks"])
    assert "--prediction-masks: 'modl' is no prediction; did you mean 'model'?" in words
