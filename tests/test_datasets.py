import inspect
import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from histoloom import plugins
from histoloom.datasets.brecahad import KINDS, brecahad, discs
from histoloom.datasets.pannuke import UNKNOWN_PATIENTS, masks_of, pannuke
from histoloom.errors import InputError

SAMPLES = Path(__file__).parents[2] / "shared" / "data"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_reader_says_what_it_reads_and_under_which_licence(name):
    reader = plugins.load("datasets", name)
    parameters = inspect.signature(reader).parameters
    assert "Source:" in reader.__doc__
    assert "Raises InputError" in reader.__doc__
    assert next(iter(parameters)) == "root"
    assert parameters["licence"].default
    assert parameters["citation"].default


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_reader_refuses_a_missing_folder(name, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder; expected .*; .*mend 'root'"):
        plugins.load("datasets", name)(tmp_path / "nowhere")


# --- PanNuke ---


def write_fold(folder: Path, *, flat: bool = False, inner: str = "", types=("Breast", "Colon"), **arrays) -> None:
    """Two patches of 4x5: images filled with 10 and 20; patch 0 has nucleus 7 (neoplastic) in its first row."""
    images = np.stack([np.full((4, 5, 3), value, np.float64) for value in (10, 20)])
    masks = np.zeros((2, 4, 5, 6))
    masks[0, 0, :, 0] = 7
    values = {"images": images, "masks": masks, "types": np.array(types, "<U13")} | arrays
    for kind, part in (("images", "images"), ("masks", "masks"), ("types", "images")):
        place = folder if flat else folder / part / inner
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / f"{kind}.npy", values[kind])


SPELLINGS = {
    "official": {"Fold 1": 1, "Fold 2": 2, "Fold 3": 3},
    "without space": {"Fold1": 1, "Fold3": 3},
    "counted from zero": {"fold0": 1, "fold1": 2, "fold2": 3},
    "one of those counted from zero": {"fold1": 2},
    "small letters counted from one": {"fold1": 1, "fold3": 3},
    "underscore": {"fold_2": 2},
    "Kaggle": {"Part 1": 1, "Part 2": 2},
}


@pytest.mark.parametrize("folders", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_pannuke_reads_each_spelling_of_its_folds(folders, tmp_path):
    for name in folders:
        write_fold(tmp_path / name, inner=name.replace(" ", "").lower())
    samples = list(pannuke(tmp_path))
    assert len(samples) == 2 * len(folders) == len(pannuke(tmp_path))
    assert [sample.fold for sample in samples[::2]] == list(folders.values())


@pytest.mark.parametrize("flat", [False, True])
def test_pannuke_reads_arrays_without_the_inner_folder(flat, tmp_path):
    write_fold(tmp_path / "fold0", flat=flat)
    assert [sample.name for sample in pannuke(tmp_path)] == ["fold1_00000", "fold1_00001"]


def test_pannuke_sample_is_as_stored(tmp_path):
    write_fold(tmp_path / "Fold 2", inner="fold2")
    dataset = pannuke(tmp_path)
    first, second = dataset
    assert dataset.classes == ("background", "neoplastic", "inflammatory", "connective", "dead", "epithelial")
    assert UNKNOWN_PATIENTS in dataset.warnings
    assert (first.image == 10).all()
    assert (second.image == 20).all()
    assert first.mask.tolist() == [[1] * 5] + [[0] * 5] * 3
    assert first.instances.tolist() == [[1] * 5] + [[0] * 5] * 3
    assert not second.instances.any()
    assert (first.stratum, second.stratum) == ("Breast", "Colon")
    assert (first.group, first.fold, first.mpp) == ("fold2_00000", 2, 0.25)
    assert second.source == "Fold 2/images/fold2/images.npy row 1"


def test_equal_ids_of_two_channels_are_two_nuclei_and_the_higher_channel_wins():
    channels = np.zeros((1, 6, 5))
    channels[0, 0:3, 0] = 900_000  # neoplastic
    channels[0, 2:5, 4] = 900_000  # epithelial, the same id, over one pixel of the first
    channels[0, 5, 2] = 3
    mask, instances, double, hidden = masks_of(channels)
    assert mask.tolist() == [[1, 1, 5, 5, 5, 3]]
    assert instances.tolist() == [[1, 1, 3, 3, 3, 2]]
    assert (double, hidden) == (1, 0)


def test_nucleus_under_another_is_counted_as_hidden():
    channels = np.zeros((1, 2, 5))
    channels[0, 0, 1] = 4
    channels[0, :, 3] = 8
    mask, instances, double, hidden = masks_of(channels)
    assert mask.tolist() == [[4, 4]]
    assert instances.tolist() == [[1, 1]]
    assert (double, hidden) == (1, 1)


def test_pannuke_background_channel_is_not_read(tmp_path):
    masks = np.zeros((2, 4, 5, 6))
    masks[..., 5] = 1
    masks[0, 0, 0, 1] = 2  # a nucleus where channel 5 says background
    write_fold(tmp_path / "Fold 1", masks=masks)
    assert next(iter(pannuke(tmp_path))).mask.sum() == 2


def test_pannuke_facts_are_the_same_after_a_second_reading(tmp_path):
    masks = np.zeros((2, 4, 5, 6))
    masks[1, 1, 1:4, :2] = 1
    write_fold(tmp_path / "Fold 1", masks=masks)
    dataset = pannuke(tmp_path)
    for _ in range(2):
        list(dataset)
        assert dataset.facts["double_pixels"] == 3
        assert dataset.facts["hidden_nuclei"] == 1


def test_pannuke_never_holds_an_array_whole(tmp_path, monkeypatch):
    for kind, channels in (("images", 3), ("masks", 6)):
        path = tmp_path / "Fold 1" / kind / f"{kind}.npy"
        path.parent.mkdir(parents=True)
        shape = (200, 256, 256, channels)  # a sparse file: 315 and 629 MB of zeros that take no disk
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=shape)
    np.save(tmp_path / "Fold 1" / "images" / "types.npy", np.array(["Skin"] * 200))
    calls = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path, **options: calls.append(options) or load(path, **options))
    copied = []
    array = np.array
    monkeypatch.setattr(np, "array", lambda values, *rest: copied.append(values.nbytes) or array(values, *rest))
    samples = iter(pannuke(tmp_path))
    assert [next(samples).name, next(samples).name] == ["fold1_00000", "fold1_00001"]
    assert calls
    assert all(options == {"mmap_mode": "r", "allow_pickle": False} for options in calls)
    assert max(copied) == 256 * 256 * 6 * 8


BAD_PANNUKE = {
    "unequal": ({"masks": np.zeros((1, 4, 5, 6))}, r"Fold 1: arrays of unequal length: .*images.npy 2, masks.npy 1"),
    "channels": ({"masks": np.zeros((2, 4, 5, 5))}, r"masks.npy: .*\(2, 4, 5, 5\); expected .* width, 6\)"),
    "image shape": ({"images": np.zeros((2, 4, 5))}, r"images.npy: .*\(2, 4, 5\); expected .* width, 3\)"),
    "sizes": ({"masks": np.zeros((2, 5, 5, 6))}, r"masks.npy: mask is \(5, 5\), image is \(4, 5\)"),
    "types": ({"types": np.arange(2)}, r"types.npy: int64 array .*expected one tissue name"),
    "high": ({"images": np.full((2, 4, 5, 3), 256.0)}, r"images.npy: row 0 holds pixel values 256 to 256; .* 0 to 255"),
    "low": ({"images": np.full((2, 4, 5, 3), -1.0)}, r"images.npy: row 0 holds pixel values -1 to -1"),
    "not a number": ({"images": np.full((2, 4, 5, 3), np.nan)}, r"images.npy: row 0 holds pixel values nan"),
    "scaled": ({"images": np.full((2, 4, 5, 3), 0.5)}, r"images.npy: row 0 .*multiply the images by 255"),
    "negative id": ({"masks": np.full((2, 4, 5, 6), -2.0)}, r"masks.npy: row 0 holds ids -2 to -2; expected whole"),
    "half id": ({"masks": np.full((2, 4, 5, 6), 1.5)}, r"masks.npy: row 0 holds ids 1.5 to 1.5; expected whole"),
    "endless id": ({"masks": np.full((2, 4, 5, 6), np.inf)}, r"masks.npy: row 0 holds ids inf"),
}


@pytest.mark.parametrize("arrays, message", BAD_PANNUKE.values(), ids=BAD_PANNUKE.keys())
def test_pannuke_refuses_bad_arrays(arrays, message, tmp_path):
    write_fold(tmp_path / "Fold 1")
    for kind, values in arrays.items():
        np.save(tmp_path / "Fold 1" / ("masks" if kind == "masks" else "images") / f"{kind}.npy", values)
    with pytest.raises(InputError, match=message) as error:
        list(pannuke(tmp_path))
    assert str(error.value).count("\n") < 4


def test_pannuke_refuses_a_truncated_array(tmp_path):
    write_fold(tmp_path / "Fold 1")
    path = tmp_path / "Fold 1" / "masks" / "masks.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"masks.npy: cannot be read as a .npy array .*download the file again"):
        pannuke(tmp_path)


def test_pannuke_refuses_pickled_arrays(tmp_path):
    write_fold(tmp_path / "Fold 1")
    np.save(tmp_path / "Fold 1" / "images" / "types.npy", np.array(["Breast", None], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"types.npy: cannot be read as a .npy array"):
        pannuke(tmp_path)


def test_pannuke_refuses_a_folder_without_folds(tmp_path):
    (tmp_path / "Fold 4").mkdir()
    with pytest.raises(InputError, match="no fold in it; expected folders 'Fold 1' to 'Fold 3'"):
        pannuke(tmp_path)


def test_pannuke_refuses_two_folders_of_one_fold(tmp_path):
    write_fold(tmp_path / "Fold 1")
    write_fold(tmp_path / "fold0")
    with pytest.raises(InputError, match="'Fold 1' and 'fold0' are both fold 1"):
        pannuke(tmp_path)


def test_pannuke_refuses_fold_3_counted_from_zero(tmp_path):
    write_fold(tmp_path / "fold0")
    write_fold(tmp_path / "fold3")
    with pytest.raises(InputError, match="fold3: would be fold 4; expected folds 1 to 3"):
        pannuke(tmp_path)


def test_pannuke_names_a_missing_array(tmp_path):
    write_fold(tmp_path / "Fold 1")
    (tmp_path / "Fold 1" / "images" / "types.npy").unlink()
    with pytest.raises(InputError, match="Fold 1: no types.npy; expected it as in 'images/fold1/"):
        pannuke(tmp_path)


def test_pannuke_refuses_an_array_that_is_there_twice(tmp_path):
    write_fold(tmp_path / "Fold 1")
    write_fold(tmp_path / "Fold 1", flat=True)
    with pytest.raises(InputError, match=r"images.npy is there 2 times \(images.npy and images/images.npy\)"):
        pannuke(tmp_path)


@needs_samples
def test_pannuke_reader_gives_the_ids_and_types_of_real_patches(tmp_path):
    source = SAMPLES / "consep_patches"
    names = sorted(path.stem for path in (source / "images").glob("fold1_*"))[:4]
    images, masks = np.zeros((4, 256, 256, 3)), np.zeros((4, 256, 256, 6))
    ids = [iio.imread(source / "inst" / f"{name}.png").astype(int) for name in names]
    kinds = [iio.imread(source / "type" / f"{name}.png") for name in names]
    for row, name in enumerate(names):
        images[row] = iio.imread(source / "images" / f"{name}.jpg")
        for kind, channel in {1: 4, 2: 1, 3: 0, 4: 2}.items():
            masks[row, ..., channel] = np.where(kinds[row] == kind, ids[row], 0)
    write_fold(tmp_path / "Fold 1", images=images, masks=masks, types=["Colon"] * 4)
    for row, sample in enumerate(pannuke(tmp_path)):
        assert (sample.image == images[row]).all()
        assert ((sample.mask == 1) == (kinds[row] == 3)).all()
        pairs = set(zip(kinds[row][ids[row] > 0], ids[row][ids[row] > 0], strict=True))
        assert sample.instances.max() == len(pairs) == len(np.unique(sample.instances)) - 1


# --- BreCaHAD ---


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


def test_facts_hold_radius_kinds_and_counts(tmp_path):
    write_case(tmp_path, tumor=[(0.1, 0.1), (0.9, 0.9)], lumen=[(0.5, 0.5)])
    write_case(tmp_path, "Case_3-02", tumor=[(0.5, 0.5), (0.5, 0.5)])  # one point twice: the second is hidden
    dataset = brecahad(tmp_path, radius_px=2, points=("tumor",))
    for _ in range(2):
        list(dataset)
        facts = dataset.facts
        assert (facts["radius_px"], facts["points"]) == (2, "tumor")
        assert (facts["points_tumor"], facts["points_lumen"], facts["hidden_nuclei"]) == (4, 1, 1)


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


def test_image_without_annotation_is_refused(tmp_path):
    write_case(tmp_path)
    (tmp_path / "groundTruth" / "Case_3-01.json").unlink()
    with pytest.raises(InputError, match=r"Case_3-01.png: has no annotation; expected groundTruth/Case_3-01.json"):
        brecahad(tmp_path)


def test_annotation_without_image_is_refused(tmp_path):
    write_case(tmp_path)
    (tmp_path / "images" / "Case_3-01.png").unlink()
    with pytest.raises(InputError, match=r"Case_3-01.json: has no image; expected images/Case_3-01.tif"):
        brecahad(tmp_path)


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


def test_two_images_of_one_case_name_are_refused(tmp_path):
    write_case(tmp_path)
    write_case(tmp_path, suffix=".jpg")
    with pytest.raises(InputError, match=r"Case_3-01.png: same case name as Case_3-01.jpg"):
        brecahad(tmp_path)


def test_file_without_case_number_is_refused(tmp_path):
    write_case(tmp_path, "tumour_4")
    with pytest.raises(InputError, match=r"tumour_4.png: no case in its name; expected Case_<n>-<mm>.png"):
        brecahad(tmp_path)


def test_missing_annotation_folder_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"has 0 folders 'groundTruth' \(in any case\); expected one, beside images/"):
        brecahad(tmp_path)


def test_empty_folders_are_refused(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "groundTruth").mkdir()
    with pytest.raises(InputError, match="its images/ is empty"):
        brecahad(tmp_path)


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
    nuclei = sum(len(np.unique(sample.instances)) - 1 for sample in dataset)
    kinds = ("mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor")
    files = [json.loads(path.read_text()) for path in (root / "groundTruth").iterdir()]
    drawn = sum(len(values[kind]) for values in files for kind in kinds)
    assert len(files) == len(dataset) == 22
    assert nuclei + dataset.facts["hidden_nuclei"] == drawn == 2462
    assert {sample.group for sample in dataset} == {"case_11", "case_12", "case_13"}
