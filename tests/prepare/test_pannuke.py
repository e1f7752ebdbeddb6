from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from histoloom.datasets.pannuke import UNKNOWN_PATIENTS, masks_of, pannuke
from histoloom.errors import InputError

SAMPLES = Path(__file__).parents[3] / "shared" / "data"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")


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


def test_groups_beside_the_tissues_are_the_groups(tmp_path):
    write_fold(tmp_path / "Fold 1", flat=True)
    np.save(tmp_path / "Fold 1" / "groups.npy", np.array(["slide a", "slide a"]))
    assert [sample.group for sample in pannuke(tmp_path)] == ["slide a", "slide a"]
    assert UNKNOWN_PATIENTS not in pannuke(tmp_path).warnings
    write_fold(tmp_path / "Fold 2", flat=True)
    assert [sample.group for sample in pannuke(tmp_path)][2:] == ["fold2_00000", "fold2_00001"]
    assert UNKNOWN_PATIENTS in pannuke(tmp_path).warnings


def test_groups_of_another_number_are_refused(tmp_path):
    write_fold(tmp_path / "Fold 1", flat=True)
    np.save(tmp_path / "Fold 1" / "groups.npy", np.array(["slide a"]))
    with pytest.raises(InputError, match=r"groups\.npy: shape \(1,\); expected one group for each of 2 patches"):
        pannuke(tmp_path)


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


def test_pannuke_counts_what_it_repairs(tmp_path):
    masks = np.zeros((2, 4, 5, 6))
    masks[..., 5] = 1
    masks[1, 1, 1:4, :2] = 1
    masks[1, 3, :2, 5] = 0  # claimed by no channel at all
    write_fold(tmp_path / "Fold 1", masks=masks)
    clean, repaired = (sample.counts for sample in pannuke(tmp_path))
    assert clean == {"double_pixels": 0, "hidden_nuclei": 0, "pixels_in_no_channel": 0}
    assert repaired == {"double_pixels": 3, "hidden_nuclei": 1, "pixels_in_no_channel": 2}


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
    "huge id": ({"masks": np.full((2, 4, 5, 6), 2.0**31)}, r"masks.npy: row 0 holds ids 2.*to 2147483647; download"),
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
    with pytest.raises(InputError, match=r"Fold 1: no types.npy; expected it as in 'images/fold1/"):
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
