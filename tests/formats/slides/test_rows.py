from pathlib import Path

import imageio.v3 as iio
import numpy as np
import openslide
import pytest
import tifffile

from histoloom.formats.slides.slide import Slide
from histoloom.formats.slides.tiles import TiffTiles
from tests.formats.slides.test_slide import FROZEN, SMALL, needs_samples, noise, with_bounds
from tests.slides.made_slides import APERIO, JPEG_2000, MadeTissue, write_pyramid

ODD_NAMES = ("a slide, 'quoted' \"twice\".tif", "Gewebe µ 組織.tif", "line\nbreak {x} $HOME;*[d=1].tif", "-leading.tif")
ROUNDING = 1  # two builds of one JPEG decoder may round colours differently by so much


def shown_by_openslide(path: Path, level: int) -> np.ndarray:
    with openslide.OpenSlide(path) as handle:
        region = np.asarray(handle.read_region((0, 0), level, handle.level_dimensions[level]))
    assert (region[..., 3] == 255).all()
    return region[..., :3]


def rows_of(path: Path, level: int, step: int) -> np.ndarray:
    with Slide(path) as slide:
        rows = slide.level_rows(level)
        height = slide.levels[level].height
        return np.concatenate([rows.rows(first, min(first + step, height)) for first in range(0, height, step)])


def require_like_openslide(path: Path, levels: int, step: int) -> None:
    for level in range(levels):
        expected, found = shown_by_openslide(path, level), rows_of(path, level, step)
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).max() <= ROUNDING


@needs_samples
@pytest.mark.parametrize(("path", "levels"), [(SMALL, 1), (FROZEN, 2)])
def test_rows_of_real_slides_are_what_openslide_shows(path, levels):
    for level in range(levels):
        with openslide.OpenSlide(path) as handle, Slide(path) as slide:
            assert level in slide._source._tiles.strips  # else OpenSlide is compared with itself
            expected = np.asarray(handle.read_region((0, 0), level, (slide.levels[level].width, 600)))[..., :3]
            found = slide.level_rows(level).rows(0, 600)
        assert np.abs(found.astype(int) - expected).max() <= ROUNDING


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "jpeg"},
        {"compression": "jpeg", "tile_px": 112, "subsampling": (1, 1)},
        {"compression": "deflate", "tile_px": 112, "predictor": True},
        {"compression": "lzw"},
        {"compression": None},
        {"compression": JPEG_2000, "tile_px": 112, "description": APERIO},
    ],
)
def test_rows_of_made_slides_are_what_openslide_shows(tmp_path, options):
    made = MadeTissue(611, 487)
    path = write_pyramid(tmp_path / "a.tif", made.rows, 611, 487, levels=3, **options)
    with Slide(path) as slide:
        assert set(slide._source._tiles.strips) == {0, 1, 2}  # else OpenSlide is compared with itself
    require_like_openslide(path, 3, 100)


def test_lossless_rows_are_the_pixels_that_were_written(tmp_path):
    made = MadeTissue(611, 487)
    path = write_pyramid(tmp_path / "a.tif", made.rows, 611, 487, compression="deflate")
    assert (rows_of(path, 0, 100) == made.rows(0, 611)).all()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_read(tmp_path, name):
    pixels = noise(70, 90)
    write_pyramid(tmp_path / name, lambda first, last: pixels[first:last], 70, 90, tile_px=64, compression="deflate")
    with Slide(tmp_path / name) as slide:
        assert (slide.level_rows(0).rows(0, 70) == pixels).all()
        assert (slide.read(0, 0, 90, 70) == pixels).all()


def test_rows_within_bounds_are_those_of_the_bounds(tmp_path, monkeypatch):
    pixels = with_bounds(tmp_path / "a.tif", monkeypatch, x=30, y=18, width=200, height=150)[18:168, 30:230]
    monkeypatch.setattr("histoloom.formats.slides.sources.BLOCK_PX", 64)
    monkeypatch.setattr("histoloom.formats.slides.sources.STRIP_PX", 32)
    with Slide(tmp_path / "a.tif") as slide:
        assert [(level.factor, level.width, level.height) for level in slide.levels] == [(1, 200, 150), (2, 100, 75)]
        assert (slide.level_rows(0).rows(0, 150) == pixels).all()
        half = pixels[:150].reshape(75, 2, 100, 2, 3).mean((1, 3))
        assert np.abs(slide.level_rows(1).rows(0, 75) - half).max() <= 1.5


def test_transparent_rows_are_laid_on_white(tmp_path):
    pixels = np.dstack([np.full((128, 64, 3), 100, np.uint8), np.full((128, 64), 255, np.uint8)])
    pixels[:64] = 0
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", tile=(64, 64), extrasamples=["unassalpha"])
    with Slide(tmp_path / "a.tif") as slide:
        rows = slide.level_rows(0).rows(0, 128)
    assert (rows[:64] == 255).all()
    assert (rows[64:] == 100).all()


def test_rows_of_a_plain_image_are_its_rows(tmp_path):
    pixels = noise(300, 40)
    iio.imwrite(tmp_path / "a.png", pixels)
    with Slide(tmp_path / "a.png") as slide:
        assert (slide.level_rows(0).rows(3, 290) == pixels[3:290]).all()


def test_beyond_the_border_the_last_pixels_are_repeated(tmp_path):
    pixels = noise(70, 90)
    write_pyramid(tmp_path / "a.tif", lambda first, last: pixels[first:last], 70, 90, tile_px=64, compression="lzw")
    expected = np.pad(pixels, ((0, 10), (0, 5), (0, 0)), mode="edge")
    with Slide(tmp_path / "a.tif") as slide:
        rows = slide.level_rows(0, width=95)
        assert (rows.rows(60, 80) == expected[60:]).all()
        assert (rows.rows(75, 80) == expected[75:]).all()
        assert (rows.rows(0, 70) == expected[:70]).all()


def test_each_strip_is_decoded_once_on_the_way_down(tmp_path, monkeypatch):
    made = MadeTissue(1000, 300)
    path = write_pyramid(tmp_path / "a.tif", made.rows, 1000, 300, tile_px=128)
    decoded = []

    def read(self, level, row, into, really=TiffTiles.read):
        decoded.append((level, row))
        really(self, level, row, into)

    monkeypatch.setattr(TiffTiles, "read", read)
    with Slide(path) as slide:
        rows = slide.level_rows(0)
        for first in range(0, 1000, 90):
            rows.forget(first)
            rows.rows(first, min(first + 200, 1000))  # overlapping, as bands with a margin are
            assert len(rows._strips) <= 3
    assert decoded == [(0, row) for row in range(8)]


def test_tiles_that_were_never_scanned_are_white(tmp_path):
    made = MadeTissue(600, 700)
    path = write_pyramid(tmp_path / "a.svs", made.rows, 600, 700, levels=2, description=APERIO)
    with tifffile.TiffFile(path, mode="r+b") as file:
        counts = list(file.pages[0].databytecounts)
        file.pages[0].tags["TileByteCounts"].overwrite([*counts[:4], 0, *counts[5:]])
    rows = rows_of(path, 0, 300)
    assert (rows[256:512, 256:512] == 255).all()
    assert np.abs(rows[:256].astype(int) - made.rows(0, 256)).mean() < 5
