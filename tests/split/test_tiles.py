"""From prepared images to memory-mapped pixels, nuclei and windows: nothing lost, nothing copied, nothing invented."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.files import write_table
from histoloom.formats.images import write_image, write_instances
from histoloom.prepared import INDEX_COLUMNS, read_index, read_table
from histoloom.split.downsample import downsampled_image, downsampled_instances, downsampled_mask
from histoloom.split.tile_layout import annotated_windows, window_starts, write_pixels
from histoloom.split.tiles import TileStore, Window, read_windows, working_mpp

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_tiles.py"


def random_ids(mask, seed):
    """Ids up to 65535 on the foreground of a mask, in stripes of two rows."""
    ids = np.random.default_rng(seed).choice(np.array([0, 3, 65535], np.int32), -(-mask.shape[0] // 2))
    return np.where((mask > 0) & (mask < 255), np.repeat(ids, 2)[: len(mask), None], 0).astype(np.int32)


def random_pair(height, width, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.choice(np.array([0, 1, 2, 255], np.uint8), (height, width))


PAIRS = {"a": random_pair(40, 61, 0), "b": random_pair(32, 32, 1), "c": random_pair(7, 90, 2)}
IDS = {name: random_ids(mask, seed) for seed, (name, (_, mask)) in enumerate(PAIRS.items())}
ARRAYS = ("images.npy", "masks.npy", "instances.npy")


def write_prepared(folder, pairs=PAIRS, ids=IDS):
    """Write a prepared dataset, with nuclei for the images that `ids` names, and give the path of its index."""
    table = []
    for name, (image, mask) in pairs.items():
        write_image(folder / "images" / f"{name}.png", image)
        write_image(folder / "masks" / f"{name}.png", mask)
        values = dict.fromkeys(INDEX_COLUMNS, "")
        files = {"image": f"images/{name}.png", "mask": f"masks/{name}.png"}
        if name in ids:
            write_instances(folder / "instances" / f"{name}.png", ids[name])
            files["instances"] = f"instances/{name}.png"
        table.append(values | files | {"name": name, "height": mask.shape[0], "width": mask.shape[1]})
    write_table(folder / "index.csv", INDEX_COLUMNS, table)
    return folder / "index.csv"


def make_tiles(folder, index, **changes):
    flags = {"index": index, "downsample": 1, "tile-px": 32, "stride-px": 32, "images": folder / "images.npy"}
    flags |= {"masks": folder / "masks.npy", "instances": folder / "instances.npy"}
    flags |= {"image-table": folder / "images.csv", "windows": folder / "windows.csv"}
    flags |= changes
    command = [sys.executable, SCRIPT, *(text for key, value in flags.items() for text in (f"--{key}", str(value)))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def open_store(folder):
    return TileStore.open(*(folder / name for name in ARRAYS), folder / "images.csv")


@given(st.integers(1, 300), st.integers(1, 100), st.data())
def test_windows_cover_every_pixel_and_stay_inside(length, tile_px, data):
    stride_px = data.draw(st.integers(1, tile_px))
    starts = window_starts(length, tile_px, stride_px)
    covered = np.zeros(max(length, tile_px), int)
    for start in starts:
        assert start >= 0
        assert start + tile_px <= max(length, tile_px)
        covered[start : start + tile_px] += 1
    assert covered.min() >= 1
    assert len(set(starts)) == len(starts)


def test_window_starts_by_hand():
    assert window_starts(256, 256, 256) == [0]
    assert window_starts(257, 256, 256) == [0, 1]
    assert window_starts(512, 256, 256) == [0, 256]
    assert window_starts(600, 256, 192) == [0, 192, 344]
    assert window_starts(100, 256, 192) == [0]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_script_writes_what_the_store_reads(tmp_path, factor):
    done = make_tiles(tmp_path, write_prepared(tmp_path), downsample=factor)
    assert done.returncode == 0, done.stderr
    store = open_store(tmp_path)
    assert list(store.places) == ["a", "b", "c"]
    for name, (image, mask) in PAIRS.items():
        np.testing.assert_array_equal(store.image(name), downsampled_image(image, factor))
        np.testing.assert_array_equal(store.mask(name), downsampled_mask(mask, factor))
        np.testing.assert_array_equal(store.instances(name), downsampled_instances(IDS[name], mask, factor))
    windows = read_windows(tmp_path / "windows.csv")
    assert windows[0] == Window("a", 0, 0)
    if factor == 1:
        corners = [(0, 0), (0, 29), (8, 0), (8, 29)]
        assert [(each.row, each.column) for each in windows if each.name == "a"] == corners
        assert [(each.row, each.column) for each in windows if each.name == "c"] == [(0, 0), (0, 32), (0, 58)]
    assert not list(tmp_path.glob(".part-*"))


def test_files_are_plain_arrays(tmp_path):
    assert make_tiles(tmp_path, write_prepared(tmp_path)).returncode == 0
    total = sum(mask.size for _, mask in PAIRS.values())
    pixels, classes, ids = (np.load(tmp_path / name) for name in ARRAYS)
    assert (pixels.shape, pixels.dtype) == ((total, 3), np.uint8)
    assert (classes.shape, classes.dtype) == ((total,), np.uint8)
    assert (ids.shape, ids.dtype) == ((total,), np.int32)
    np.testing.assert_array_equal(pixels[40 * 61 : 40 * 61 + 32 * 32], PAIRS["b"][0].reshape(-1, 3))
    np.testing.assert_array_equal(ids[40 * 61 : 40 * 61 + 32 * 32], IDS["b"].ravel())


def test_a_dataset_without_nuclei_has_an_empty_array_of_them(tmp_path):
    done = make_tiles(tmp_path, write_prepared(tmp_path, ids={}), downsample=2)
    assert done.returncode == 0, done.stderr
    ids = np.load(tmp_path / "instances.npy")
    assert (ids.shape, ids.dtype) == ((0,), np.int32)
    store = open_store(tmp_path)
    assert [store.instances(name) for name in store.places] == [None] * 3
    assert pickle.loads(pickle.dumps(store)).instances("a") is None
    np.testing.assert_array_equal(store.mask("c"), downsampled_mask(PAIRS["c"][1], 2))


def test_nuclei_of_some_images_only_are_refused(tmp_path):
    done = make_tiles(tmp_path, write_prepared(tmp_path, ids={"a": IDS["a"], "c": IDS["c"]}))
    assert done.returncode == 1
    message = f"error: {tmp_path / 'images' / 'b.png'}: has no nucleus ids, as 1 of 3 images in index.csv; expected"
    assert done.stderr.startswith(message)
    assert not (tmp_path / "images.npy").exists()


def test_the_table_of_windows_says_where_each_lies_and_nothing_else(tmp_path):
    assert make_tiles(tmp_path, write_prepared(tmp_path)).returncode == 0
    assert (tmp_path / "windows.csv").read_text().splitlines()[:2] == ["name,row,column", "a,0,0"]


def test_the_same_input_gives_the_same_bytes(tmp_path):
    index = write_prepared(tmp_path)
    names = (*ARRAYS, "images.csv", "windows.csv")
    make_tiles(tmp_path, index, downsample=2)
    first = [(tmp_path / name).read_bytes() for name in names]
    make_tiles(tmp_path, index, downsample=2)
    assert [(tmp_path / name).read_bytes() for name in names] == first


def test_the_store_reads_views_and_no_copies(tmp_path):
    make_tiles(tmp_path, write_prepared(tmp_path))
    store = open_store(tmp_path)
    assert np.shares_memory(store.image("b"), store.pixels)
    assert np.shares_memory(store.mask("b"), store.classes)
    assert np.shares_memory(store.instances("b"), store.ids)
    for view in (store.image("b"), store.mask("b"), store.instances("b")):
        with pytest.raises(ValueError, match="read-only"):
            view[0, 0] = 0


def test_a_store_sent_to_a_worker_is_opened_again_and_not_copied(tmp_path):
    make_tiles(tmp_path, write_prepared(tmp_path))
    store = open_store(tmp_path)
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent).image("a"), store.image("a"))
    np.testing.assert_array_equal(pickle.loads(sent).instances("a"), store.instances("a"))


def test_windows_without_an_annotated_pixel_are_left_out(tmp_path):
    mask = np.full((64, 64), 255, np.uint8)
    mask[63, 10] = 0  # background is an annotation too, in a corner to which no window can be moved further
    store = store_of(tmp_path, mask)
    assert annotated_windows(store, 32, 32) == [Window("a", 32, 0)]


def store_of(folder, mask):
    """A store of one black image with this mask."""
    arrays = [folder / name for name in ARRAYS]
    image = np.zeros((*mask.shape, 3), np.uint8)
    write_pixels(read_index(write_prepared(folder, {"a": (image, mask)}, {})), 1, *arrays)
    row = ("a", 0, *mask.shape, "")
    write_table(folder / "t.csv", ("name", "offset", "height", "width", "stratum"), [row])
    return TileStore.open(*arrays, folder / "t.csv")


def test_a_window_is_moved_so_that_what_is_annotated_in_it_lies_in_its_middle(tmp_path):
    mask = np.full((96, 96), 255, np.uint8)
    mask[50, 40] = 1
    mask[70:74, 4:8] = 0
    # The pixel: 50 - 16, 40 - 16. The square, about (72, 6): 72 - 16, and as far to the left as the image goes.
    assert annotated_windows(store_of(tmp_path, mask), 32, 32) == [Window("a", 34, 24), Window("a", 56, 0)]


def test_windows_that_come_to_lie_upon_each_other_are_one(tmp_path):
    mask = np.full((64, 64), 255, np.uint8)
    mask[31:33, 20] = 1  # one pixel in each of two windows, whose middles are a pixel apart
    assert annotated_windows(store_of(tmp_path, mask), 32, 32) == [Window("a", 15, 4), Window("a", 16, 4)]
    mask[31:33] = 255
    mask[20, 20] = 1  # in four windows of a grid with half the distance
    assert annotated_windows(store_of(tmp_path, mask), 32, 16) == [Window("a", 4, 4)]


@given(seed=st.integers(0, 1000), stride=st.sampled_from([8, 16, 32]))
@settings(max_examples=20)
def test_no_annotated_pixel_is_left_out_and_a_dense_grid_stays(tmp_path_factory, seed, stride):
    rng = np.random.default_rng(seed)
    mask = np.where(rng.random((70, 45)) < 0.003, 1, 255).astype(np.uint8)
    mask[rng.integers(70), rng.integers(45)] = 0
    seen = np.zeros(mask.shape, bool)
    for window in annotated_windows(store_of(tmp_path_factory.mktemp("store"), mask), 32, stride):
        assert 0 <= window.row <= 70 - 32
        assert 0 <= window.column <= 45 - 32
        seen[window.row : window.row + 32, window.column : window.column + 32] = True
    assert seen[mask != 255].all()
    dense = store_of(tmp_path_factory.mktemp("store"), np.zeros((70, 45), np.uint8))
    expected = [Window("a", y, x) for y in window_starts(70, 32, stride) for x in window_starts(45, 32, stride)]
    assert annotated_windows(dense, 32, stride) == expected


def test_a_dataset_without_annotation_is_refused(tmp_path):
    pairs = {"a": (np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 255, np.uint8))}
    done = make_tiles(tmp_path, write_prepared(tmp_path, pairs, {}))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'masks.npy'}: no pixel is annotated, all of them are 255")


def thin_strokes(width):
    """Strokes of class 1 in 8 x 8 blocks of background: `width` of each block's eight columns."""
    mask = np.zeros((64, 64), np.uint8)
    mask.reshape(64, 8, 8)[:, :, :width] = 1
    return {"a": (np.zeros((64, 64, 3), np.uint8), mask)}


def test_a_class_that_is_too_thin_for_the_resolution_is_refused(tmp_path):
    done = make_tiles(tmp_path, write_prepared(tmp_path, thin_strokes(3), {}), downsample=8)
    expected = "error: tiles.downsample: 8; of the 1536 pixels annotated as class 1 0 are left; expected half"
    assert (done.returncode, done.stderr[: len(expected)]) == (1, expected)
    assert not (tmp_path / "masks.npy").exists()


def test_a_class_that_loses_most_of_its_pixels_is_told(tmp_path):
    pairs = thin_strokes(1)
    pairs["a"][1][:8, :8] = 1  # the only block that stays class 1: 64 of 8 * 64 + 64 - 8 pixels
    done = make_tiles(tmp_path, write_prepared(tmp_path, pairs, {}), downsample=8)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: tiles.downsample: 8; of the 568 pixels annotated as class 1 64 are left")


def test_a_class_that_keeps_its_pixels_is_not_told(tmp_path):
    pairs = thin_strokes(0)
    pairs["a"][1][:, :5] = 1  # five of eight columns of the first blocks
    assert make_tiles(tmp_path, write_prepared(tmp_path, pairs, {}), downsample=8).stderr == ""


def test_a_stride_that_leaves_gaps_is_refused(tmp_path):
    done = make_tiles(tmp_path, write_prepared(tmp_path), **{"stride-px": 33})
    assert done.stderr.startswith("error: tiles.stride_px: 33; expected at most tiles.tile_px, 32")


def test_a_mask_of_another_size_is_refused_and_nothing_is_left(tmp_path):
    index = write_prepared(tmp_path)
    write_image(tmp_path / "masks" / "b.png", np.zeros((32, 31), np.uint8))
    with pytest.raises(InputError, match=r"b.png: is 32 x 31 px; expected 32 x 32 as in index.csv"):
        write_pixels(read_index(index), 1, *(tmp_path / name for name in ARRAYS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "index.csv", "instances", "masks"]


def test_nuclei_of_another_size_are_refused(tmp_path):
    index = write_prepared(tmp_path)
    write_instances(tmp_path / "instances" / "c.png", np.zeros((7, 91), np.int32))
    with pytest.raises(InputError, match=r"instances.c.png: is 7 x 91 px; expected 7 x 90 as in index.csv"):
        write_pixels(read_index(index), 1, *(tmp_path / name for name in ARRAYS))


def test_files_of_two_runs_are_refused(tmp_path):
    make_tiles(tmp_path, write_prepared(tmp_path))
    pixels = 4094  # 40*61 + 32*32 + 7*90
    np.save(tmp_path / "instances.npy", np.zeros(6, np.int32))
    with pytest.raises(InputError, match=rf"instances.npy: 6; expected {pixels}, the sum of"):
        open_store(tmp_path)
    np.save(tmp_path / "instances.npy", np.zeros(0, np.int32))
    np.save(tmp_path / "masks.npy", np.zeros(5, np.uint8))
    with pytest.raises(InputError, match=rf"masks.npy: 5, .*instances.npy: 0; expected {pixels}, the sum of"):
        open_store(tmp_path)


def test_the_table_says_how_wide_a_working_pixel_is(tmp_path):
    index = write_prepared(tmp_path)
    lines = read_table(index)
    for line, mpp in zip(lines, ("0.25", "", "0.5"), strict=True):
        line["mpp"] = mpp
    write_table(index, INDEX_COLUMNS, lines)
    make_tiles(tmp_path, index, downsample=2).check_returncode()
    places = open_store(tmp_path).places
    assert [place.mpp for place in places.values()] == [0.5, None, 1.0]
    assert working_mpp(places.values()) == 0.75
    assert working_mpp([places["b"]]) is None
