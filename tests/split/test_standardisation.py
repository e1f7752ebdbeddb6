"""Statistics of the training part, and of nothing else, exact whatever the size of the file."""

import json
import runpy
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.files import write_table
from histoloom.split import standardisation
from histoloom.split.standardisation import channel_statistics, count_values

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_colours.py"


def write_tiles(folder, images):
    """Write images.npy and images.csv as make_tiles does."""
    rows, offset = [], 0
    for name, image in images.items():
        rows.append((name, offset, *image.shape[:2]))
        offset += image.shape[0] * image.shape[1]
    np.save(folder / "images.npy", np.concatenate([image.reshape(-1, 3) for image in images.values()]))
    write_table(folder / "images.csv", ("name", "offset", "height", "width"), rows)


def random_images(seed=0):
    rng = np.random.default_rng(seed)
    sizes = {"a": (17, 9), "b": (8, 30), "c": (1, 5), "d": (20, 20)}
    return {name: rng.integers(0, 256, (*size, 3), dtype=np.uint8) for name, size in sizes.items()}


def measure(folder, names):
    return channel_statistics(np.load(folder / "images.npy", mmap_mode="r"), folder / "images.csv", names)


def run_script(folder, monkeypatch, fold=0):
    flags = {"image-table": "images.csv", "images": "images.npy", "folds": "folds.csv", "statistics": "colours.json"}
    words = [text for key, value in flags.items() for text in (f"--{key}", str(folder / value))]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words, "--fold", str(fold)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return (folder / "colours.json").read_bytes()


def test_statistics_by_hand(tmp_path):
    image = np.array([[[0, 51, 255], [255, 51, 0], [0, 102, 255], [255, 0, 255]]], np.uint8)
    write_tiles(tmp_path, {"a": image})
    found = measure(tmp_path, ["a"])
    assert found.mean == pytest.approx((0.5, 0.2, 0.75), abs=1e-15)
    # Deviations of red 0.5 each; of green 0, 0, 0.2, -0.2; of blue 0.25 three times and -0.75.
    assert found.sd == pytest.approx((0.5, 0.02**0.5, 0.1875**0.5), abs=1e-15)
    assert (found.pixels, found.images) == (4, 1)


@given(st.sets(st.sampled_from("abcd"), min_size=1), st.integers(0, 9), st.integers(1, 50))
def test_statistics_are_those_of_numpy_over_the_named_images(tmp_path_factory, names, seed, block):
    folder = tmp_path_factory.mktemp("tiles")
    images = random_images(seed)
    write_tiles(folder, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standardisation, "BLOCK_PIXELS", block)  # blocks that end within and beyond an image
        found = measure(folder, sorted(names))
    pixels = np.concatenate([images[name].reshape(-1, 3) for name in names]) / 255
    np.testing.assert_allclose(found.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.sd, pixels.std(0), rtol=1e-12)


def test_nothing_is_rounded_away_in_a_long_file(tmp_path):
    # One value of 255 in 2 * 10^6: float32 sums of squares would lose the deviation.
    pixels = np.full((2_000_000, 1, 3), 254, np.uint8)
    pixels[7] = 255
    write_tiles(tmp_path, {"a": pixels})
    share = 1 / 2_000_000
    found = measure(tmp_path, ["a"])
    assert found.mean[0] == pytest.approx((254 + share) / 255, rel=1e-15)
    assert found.sd[0] == pytest.approx((share * (1 - share)) ** 0.5 / 255, rel=1e-12)


def test_memory_does_not_grow_with_the_file(tmp_path):
    length = 8 * standardisation.BLOCK_PIXELS + 5
    pixels = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (length, 3))  # zeros: a sparse file
    tracemalloc.start()
    counts = count_values(pixels, [slice(0, length)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts[:, 0].tolist() == [length] * 3
    assert (
        peak < 2 * 8 * standardisation.BLOCK_PIXELS
    )  # bincount makes 8 bytes of each value: whole, it would be 64 MiB


def test_images_that_are_not_trained_on_change_nothing(tmp_path, monkeypatch):
    members = [(0, "train", "a", ""), (0, "train", "c", ""), (0, "val", "b", ""), (0, "test", "d", "")]
    write_table(tmp_path / "folds.csv", ("fold", "part", "name", "group"), [*members, (1, "train", "d", "")])
    images = random_images()
    write_tiles(tmp_path, images)
    first = run_script(tmp_path, monkeypatch)
    found = json.loads(first)
    assert (found["pixels"], found["images"]) == (17 * 9 + 5, 2)
    both = np.concatenate([images["a"].reshape(-1, 3), images["c"].reshape(-1, 3)]) / 255
    np.testing.assert_allclose([found["mean"], found["sd"]], [both.mean(0), both.std(0)], rtol=1e-12)
    write_tiles(tmp_path, images | {"b": 255 - images["b"], "d": 255 - images["d"]})
    assert run_script(tmp_path, monkeypatch) == first
    assert run_script(tmp_path, monkeypatch, fold=1) != first


def test_a_training_image_without_tiles_is_refused(tmp_path):
    write_tiles(tmp_path, random_images())
    with pytest.raises(InputError, match=r"images.csv: has no image 'e', which folds.csv trains on"):
        measure(tmp_path, ["a", "e"])


def test_a_channel_of_one_value_is_refused(tmp_path):
    images = random_images()
    images["a"][..., 1] = 9
    write_tiles(tmp_path, images)
    with pytest.raises(InputError, match="the green channel has one value in all training images"):
        measure(tmp_path, ["a"])
