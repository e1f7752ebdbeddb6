import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image

from histoloom.datasets.qupath_tiles import qupath_tiles
from histoloom.errors import InputError
from histoloom.sample import IGNORE
from tests.prepare.test_qupath import only, pixels_of

MAP = ["0=ignore", "1=tumour", "2=stroma"]


def write_tile(
    root: Path, region: str = "d=2,x=0,y=0,w=64,h=32", labels=None, *, slide="S 1", size=(16, 32), palette=False
):
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    tifffile.imwrite(root / "images" / f"{slide} [{region}].tif", pixels, photometric="rgb")
    values = np.repeat([[0, 1, 1, 2]], 4, 0).repeat(4, 0).repeat(8, 1).astype(np.uint8) if labels is None else labels
    picture = Image.fromarray(values)
    if palette:
        picture = picture.convert("P")
        picture.putdata(values.ravel().tolist())
        picture.putpalette([255, 255, 255, 200, 0, 0, 150, 200, 150])
    picture.save(root / "labels" / f"{slide} [{region}].png")
    return pixels


@pytest.mark.parametrize("palette", [False, True])
def test_exported_tiles_are_read_by_their_label_numbers(tmp_path, palette):
    pixels = write_tile(tmp_path, palette=palette)
    dataset = qupath_tiles(tmp_path, classes=MAP, mpp=0.25)
    sample = only(dataset)
    assert dataset.classes == ("background", "tumour", "stroma")
    assert pixels_of(sample) == {1: 256, 2: 128, IGNORE: 128}
    assert (sample.image == pixels).all()
    assert (sample.name, sample.group, sample.mpp) == ("S 1 [d=2,x=0,y=0,w=64,h=32]", "S 1", 0.5)


def test_label_numbers_take_the_names_that_the_export_gives(tmp_path):
    write_tile(tmp_path)
    labels = [{"classification": "Tumor", "label": 1}, {"classification": "Stroma", "label": 2}]
    (tmp_path / "S 1-tiles.json").write_text(json.dumps({"qupath_version": "0.5.1", "labels": labels, "tiles": []}))
    dataset = qupath_tiles(tmp_path)
    assert dataset.classes == ("background", "Stroma", "Tumor")
    assert pixels_of(only(dataset)) == {2: 256, 1: 128, IGNORE: 128}
    mapped = only(qupath_tiles(tmp_path, classes=["Tumor=x", "Stroma=background"]))
    assert pixels_of(mapped) == {1: 256, 0: 128, IGNORE: 128}
    labels[0]["label"], labels[1]["label"] = 2, 1
    (tmp_path / "S 2-tiles.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(InputError, match=r"S 2-tiles\.json: label 2 is 'Tumor', elsewhere it is 'Stroma'"):
        qupath_tiles(tmp_path)


def test_labels_may_lie_beside_the_tiles(tmp_path):
    write_tile(tmp_path)
    for folder in ("images", "labels"):
        for path in (tmp_path / folder).iterdir():
            path.rename(tmp_path / path.name)
        (tmp_path / folder).rmdir()
    assert pixels_of(only(qupath_tiles(tmp_path, classes=MAP))) == {1: 256, 2: 128, IGNORE: 128}


def test_labels_of_one_format_beside_the_tiles_end_in_labelled(tmp_path):
    values = np.full((16, 32), 1, np.uint8)
    for ending, pixels in {"": np.zeros((16, 32, 3), np.uint8), "-labelled": values}.items():
        iio.imwrite(tmp_path / f"S [x=0,y=0,w=32,h=16]{ending}.png", pixels)
    assert pixels_of(only(qupath_tiles(tmp_path, classes=MAP))) == {1: 512}


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        ({"region": "d=4,x=0,y=0,w=64,h=32"}, r"is 32 x 16 pixels; expected 16 x 8, as w / d and h / d"),
        ({"region": "x=0,y=0,w=64,h=32"}, r"is 32 x 16 pixels; expected 64 x 32"),
        ({"labels": np.ones((32, 64), np.uint8)}, r"labels are 64 x 32 pixels, the tile is 32 x 16"),
        ({"labels": np.full((16, 32), 7, np.uint8)}, r"label 7 in 512 pixels; .* add '7=<class of the study>'"),
    ],
)
def test_wrong_downsample_size_or_label_is_said_with_the_sample(tmp_path, tile, message):
    write_tile(tmp_path, **tile)
    (item,) = qupath_tiles(tmp_path, classes=MAP).items
    with pytest.raises(InputError, match=message):
        item()


def test_tiles_without_labels_and_odd_names_are_problems(tmp_path):
    write_tile(tmp_path)
    write_tile(tmp_path, "d=2,x=64,y=0,w=64,h=32")
    (tmp_path / "labels" / "S 1 [d=2,x=64,y=0,w=64,h=32].png").unlink()
    write_tile(tmp_path, "thumbnail")
    dataset = qupath_tiles(tmp_path, classes=MAP)
    assert len(list(dataset)) == 1
    assert sorted("no region" in problem for problem in dataset.problems) == [False, True]


def test_numbers_without_names_need_a_map(tmp_path):
    write_tile(tmp_path)
    with pytest.raises(InputError, match="labels are numbers without names"):
        qupath_tiles(tmp_path)


def test_overlapping_tiles_are_no_groups_of_their_own(tmp_path):
    write_tile(tmp_path)
    write_tile(tmp_path, "d=2,x=64,y=0,w=64,h=32")
    assert len({sample.group for sample in qupath_tiles(tmp_path, classes=MAP, group="region")}) == 2
    write_tile(tmp_path, "d=2,x=32,y=0,w=64,h=32")
    with pytest.raises(InputError, match="overlap; expected tiles apart"):
        qupath_tiles(tmp_path, classes=MAP, group="region")
    assert {sample.group for sample in qupath_tiles(tmp_path, classes=MAP)} == {"S 1"}


def test_ignore_that_was_drawn_over_a_class_is_unknown(tmp_path):
    write_tile(tmp_path)
    labels = [{"classification": "*Background*", "label": 0}, {"classification": "Tumor", "label": 1}]
    labels.append({"classification": "Ignore*", "label": 2})
    (tmp_path / "S 1-tiles.json").write_text(json.dumps({"labels": labels}))
    for classes, name in (([], "Tumor"), (["Tumor=cancer"], "cancer")):
        dataset = qupath_tiles(tmp_path, classes=classes)
        assert dataset.classes == ("background", name)
        assert pixels_of(only(dataset)) == {1: 256, IGNORE: 256}


def test_labels_lie_where_the_option_says(tmp_path):
    write_tile(tmp_path)
    (tmp_path / "labels").rename(tmp_path / "drawn")
    assert pixels_of(only(qupath_tiles(tmp_path, labels="drawn", classes=MAP))) == {1: 256, 2: 128, IGNORE: 128}
    with pytest.raises(InputError, match="elsewhere: no such folder"):
        qupath_tiles(tmp_path, labels="elsewhere", classes=MAP)


def test_folders_without_tiles_and_unusable_settings_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        qupath_tiles(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no tile of QuPath's TileExporter"):
        qupath_tiles(tmp_path, classes=MAP)
    write_tile(tmp_path, "thumbnail")
    with pytest.raises(InputError, match=r"holds no tile .*\n.*thumbnail\]\.tif: no region in its name"):
        qupath_tiles(tmp_path, classes=MAP)
    write_tile(tmp_path)
    with pytest.raises(InputError, match="mpp: nan; expected 0 or more"):
        qupath_tiles(tmp_path, classes=MAP, mpp=float("nan"))
