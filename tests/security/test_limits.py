"""Each limit holds, its message names the setting that raises it, and to raise one makes no finished work run again."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from histoloom.errors import InputError
from histoloom.formats.arrays import check_image_size, read_texts
from histoloom.formats.images import read_image, write_image
from histoloom.formats.shapes import read_shapes
from histoloom.formats.slides.slide import Slide
from histoloom.formats.whole import read_dicts, read_whole
from histoloom.limits import DEFAULTS, VARIABLE, as_text, limit, raising
from histoloom.slides.thumbnail import thumbnail
from histoloom.study.stages.report import Report

REPOSITORY = Path(__file__).parents[2]
SQUARE = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}}


def config():
    return yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))


def image(folder):
    write_image(folder / "a.png", np.zeros((20, 30, 3), np.uint8))
    return folder / "a.png"


def shapes(folder, value):
    (folder / "a.geojson").write_text(json.dumps(value))
    return folder / "a.geojson"


def table(folder, rows):
    (folder / "a.csv").write_text("name\n" + "x\n" * rows)
    return folder / "a.csv"


def slide(folder):
    pixels = np.full((600, 700, 3), 200, np.uint8)
    tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb", tile=(256, 256), compression="zlib")
    with Slide(folder / "a.tif") as opened:
        return opened.size_at(1)


def texts(folder):
    np.save(folder / "types.npy", np.full(70_000, "breast"))  # 4 bytes a letter: 1.7 MB
    return read_texts(folder / "types.npy")


def long_text(folder):
    (folder / "a.json").write_bytes(b" " * (2**20 + 1))
    return read_whole(folder / "a.json")


def small_picture(folder):
    slide(folder)
    with Slide(folder / "a.tif") as opened:
        return thumbnail(opened, 1)


# A limit that is just too low, one that is enough, and what is to be read under them. Archives and downloads stand in
# test_archives.py, .mat files and gzip in test_bombs.py.
CASES = {
    "an image": ("image_pixels=599", "image_pixels=600", lambda folder: read_image(image(folder))),
    "an array": ("image_pixels=599", "image_pixels=600", lambda folder: check_image_size(folder / "a.npy", 20, 30)),
    "a slide": ("slide_side_px=699", "slide_side_px=700", slide),
    "a row of a slide's tiles": ("image_pixels=50000", "image_pixels=1000000", slide),
    "the small picture of a slide": ("image_pixels=419999", "image_pixels=420000", small_picture),
    "a text": ("text_mib=1", "text_mib=2", long_text),
    "names in an array": ("text_mib=1", "text_mib=2", texts),
    "nested brackets": ("json_depth=5", "json_depth=6", lambda folder: read_shapes(shapes(folder, [SQUARE]))),
    "objects": ("geojson_objects=2", "geojson_objects=3", lambda folder: read_shapes(shapes(folder, [SQUARE] * 3))),
    "a GeoJSON file": ("geojson_mib=1", "geojson_mib=2", lambda folder: read_shapes(shapes(folder, [SQUARE] * 9999))),
    "a table": ("table_rows=4", "table_rows=5", lambda folder: read_dicts(table(folder, 5), "a CSV")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_exceeds_a_limit_is_refused_by_the_name_of_its_setting_and_read_once_it_is_raised(
    case, tmp_path, monkeypatch
):
    low, enough, read = CASES[case]
    monkeypatch.setenv(VARIABLE, low)
    with pytest.raises(InputError) as refusal:
        read(tmp_path)
    assert raising(low.partition("=")[0]) in str(refusal.value)
    assert len(str(refusal.value).splitlines()) <= 4
    monkeypatch.setenv(VARIABLE, enough)
    read(tmp_path)


def test_the_config_states_each_limit_once_and_as_scripts_have_it():
    assert config()["limits"] == DEFAULTS


def test_what_the_snakefile_hands_over_is_what_scripts_read(monkeypatch):
    stated = {name: number for number, name in enumerate(DEFAULTS, start=1)}
    monkeypatch.setenv(VARIABLE, as_text(stated))
    assert {name: limit(name) for name in DEFAULTS} == stated


@pytest.mark.parametrize("word", ["image_pixel=5", "text_mib", "text_mib=0", "text_mib=-1", "text_mib=1e9"])
def test_a_variable_that_states_no_limits_is_refused(word, monkeypatch):
    monkeypatch.setenv(VARIABLE, word)
    with pytest.raises(InputError, match=f"{VARIABLE}: '{re.escape(word)}'; expected name=number, names among image_"):
        limit("text_mib")


def test_the_record_of_the_config_leaves_limits_out(monkeypatch):
    monkeypatch.setattr("histoloom.study.stages.report.raw_data_digest", lambda config, dataset: "0")
    raised = config() | {"limits": dict.fromkeys(DEFAULTS, 7)}
    assert Report(config()).recorded(None) == Report(raised).recorded(None)
    assert '"limits"' not in Report(raised).recorded(None)


def test_each_limit_stands_in_the_threat_model():
    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    assert [name for name in DEFAULTS if f"`{name}`" not in text] == []
