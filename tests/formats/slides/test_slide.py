from pathlib import Path

import imageio.v3 as iio
import numpy as np
import openslide
import pytest
import tifffile

from histoloom.errors import InputError
from histoloom.formats.slides.slide import Slide

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "slides"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")
SMALL = SAMPLES / "CMU-1-Small-Region.svs"
FROZEN = SAMPLES / "TCGA-CR-7395-01A-01-TS1.svs"


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_tiled(path: Path, pixels: np.ndarray, **options) -> Path:
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), metadata=None, **options)
    return path


@needs_samples
@pytest.mark.parametrize(("path", "size", "mpp"), [(SMALL, (2220, 2967), 0.499), (FROZEN, (4443, 3567), None)])
def test_size_and_pixel_size_are_the_headers(path, size, mpp):
    with Slide(path) as slide:
        assert ((slide.width, slide.height), slide.mpp) == (size, mpp)


@needs_samples
@pytest.mark.parametrize("path", [SMALL, FROZEN])
def test_a_region_is_what_openslide_gives(path):
    with openslide.OpenSlide(path) as handle:
        expected = np.asarray(handle.read_region((700, 900), 0, (300, 200)))
    assert (expected[..., 3] == 255).all()
    with Slide(path) as slide:
        assert (slide.read(700, 900, 300, 200) == expected[..., :3]).all()


@needs_samples
@pytest.mark.parametrize("path", [SMALL, FROZEN])
def test_jpeg_2000_and_jpeg_tiles_are_near_what_tifffile_decodes(path):
    with tifffile.TiffFile(path) as file:
        expected = file.pages[0].asarray()
    with Slide(path) as slide:
        pixels = slide.read(512, 256, 400, 400)
    difference = np.abs(pixels.astype(int) - expected[256:656, 512:912])
    assert np.percentile(difference, 99) <= 4  # decoders round colours differently


@needs_samples
def test_a_working_pixel_is_the_mean_of_those_it_covers():
    with openslide.OpenSlide(FROZEN) as handle:
        pixels = np.asarray(handle.read_region((2000, 1200), 0, (400, 200)).convert("RGB")).astype(float)
    with Slide(FROZEN) as slide:
        half = slide.read(1000, 600, 200, 100, downsample=2)
        quarter = slide.read(500, 300, 100, 50, downsample=4)
    assert np.abs(half - pixels.reshape(100, 2, 200, 2, 3).mean((1, 3))).max() <= 0.5
    # Read from the second level, which lies up to half of its pixels beside the grid.
    assert np.abs(quarter - pixels.reshape(50, 4, 100, 4, 3).mean((1, 3))).mean() < 6


@needs_samples
def test_the_coarser_level_shows_the_same_place():
    with Slide(FROZEN) as slide:
        width, height = slide.size_at(8)
        coarse = slide.read(0, 0, width, height, downsample=8).astype(float)
        slide._source.factors = [1]  # only the full resolution
        fine = slide.read(0, 0, width, height, downsample=8).astype(float)
    same = np.abs(coarse - fine)[4:-4, 4:-4].mean()
    for moved in (np.roll(fine, 1, 0), np.roll(fine, -1, 0), np.roll(fine, 1, 1), np.roll(fine, -1, 1)):
        assert same < np.abs(coarse - moved)[4:-4, 4:-4].mean() / 2


def test_blocks_join_without_seam(tmp_path, monkeypatch):
    pixels = noise(200, 150)
    path = write_tiled(tmp_path / "a.tif", pixels)
    monkeypatch.setattr("histoloom.formats.slides.slide.BLOCK_PX", 32)
    with Slide(path) as slide:
        assert (slide.read(0, 0, 150, 200) == pixels).all()
        assert slide.size_at(3) == (50, 66)
        means = pixels[:198].reshape(66, 3, 50, 3, 3).mean((1, 3))
        assert np.abs(slide.read(0, 0, 50, 66, downsample=3) - means).max() <= 0.5
        assert np.abs(slide.read(7, 11, 20, 30, downsample=3) - means[11:41, 7:27]).max() <= 0.5


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_plain_images_are_slides_of_one_level(tmp_path, suffix):
    pixels = noise(30, 40)
    iio.imwrite(tmp_path / f"a{suffix}", pixels)
    with Slide(tmp_path / f"a{suffix}") as slide:
        assert (slide.width, slide.height, slide.mpp) == (40, 30, None)
        assert (slide.read(5, 6, 20, 10) == pixels[6:16, 5:25]).all()
        assert (
            slide.read(1, 1, 3, 2, downsample=4) == np.rint(pixels[4:12, 4:16].reshape(2, 4, 3, 4, 3).mean((1, 3)))
        ).mean() > 0.9


def test_transparency_is_laid_on_white(tmp_path):
    pixels = np.dstack([np.full((64, 64, 3), 100, np.uint8), np.full((64, 64), 255, np.uint8)])
    pixels[:, :32, 3] = 0
    pixels[:, :32, :3] = 0
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", tile=(64, 64), extrasamples=["unassalpha"])
    with Slide(tmp_path / "a.tif") as slide:
        region = slide.read(0, 0, 64, 64)
    assert (region[:, :32] == 255).all()
    assert (region[:, 32:] == 100).all()


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        ({"resolution": (20_000, 20_000), "resolutionunit": 3}, 0.5),
        ({"resolution": (72, 72), "resolutionunit": 2}, None),  # dots of a screen
        ({"metadata": {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}, "ome": True}, 0.25),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}, 0.25),
        ({}, None),
    ],
)
def test_pixel_size_of_plain_tiff(tmp_path, options, mpp):
    tifffile.imwrite(tmp_path / "a.tif", noise(20, 30), photometric="rgb", **options)
    with Slide(tmp_path / "a.tif") as slide:
        assert slide.mpp == (pytest.approx(mpp) if mpp else None)


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        ({"metadata": {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}, "ome": True}, 0.25),
        ({"metadata": {"axes": "YXS", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm"}, "ome": True}, 0.25),
        ({"metadata": None, "resolution": (20_000, 20_000), "resolutionunit": 3}, 0.5),
        ({"metadata": None, "resolution": (72, 72), "resolutionunit": 2}, None),
        ({"metadata": None}, None),
    ],
)
def test_pixel_size_of_tiled_tiff(tmp_path, options, mpp):
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(128, 128), photometric="rgb", tile=(64, 64), **options)
    assert openslide.OpenSlide.detect_format(tmp_path / "a.ome.tif") == "generic-tiff"
    with Slide(tmp_path / "a.ome.tif") as slide:
        assert slide.mpp == (pytest.approx(mpp) if mpp else None)


def with_bounds(path: Path, monkeypatch, **bounds) -> np.ndarray:
    """A slide of 320 x 256 pixels and two levels that states `bounds`, as those of MRXS do; gives its pixels."""
    pixels = noise(256, 320)
    half = pixels.reshape(128, 2, 160, 2, 3).mean((1, 3)).astype(np.uint8)
    with tifffile.TiffWriter(path) as file:
        options = {"photometric": "rgb", "tile": (64, 64), "metadata": None}
        file.write(pixels, **options)
        file.write(half, subfiletype=1, **options)
    stated = {f"openslide.bounds-{name}": str(value) for name, value in bounds.items()}

    class Bounded(openslide.OpenSlide):
        properties = property(lambda self: stated | {"openslide.vendor": "mirax", "openslide.mpp-x": "0.25"})

    monkeypatch.setattr("histoloom.formats.slides.sources.openslide.OpenSlide", Bounded)
    return pixels


def test_a_slide_with_bounds_is_what_lies_in_them(tmp_path, monkeypatch):
    pixels = with_bounds(tmp_path / "a.tif", monkeypatch, x=30, y=18, width=200, height=150)[18:168, 30:230]
    monkeypatch.setattr("histoloom.formats.slides.slide.BLOCK_PX", 64)
    with Slide(tmp_path / "a.tif") as slide:
        assert (slide.width, slide.height, slide.mpp) == (200, 150, 0.25)
        assert slide._source.factors == [1, 2]  # levels are those of the whole file
        assert (slide.read(0, 0, 200, 150) == pixels).all()
        assert (slide.read(101, 7, 90, 80) == pixels[7:87, 101:191]).all()
        # Read from the second level, whose pixels these bounds do not cut.
        quarter = pixels[:148].reshape(37, 4, 50, 4, 3).mean((1, 3))
        assert np.abs(slide.read(0, 0, 50, 37, downsample=4) - quarter).max() <= 1.5
        assert np.abs(slide.read(11, 5, 20, 30, downsample=4) - quarter[5:35, 11:31]).max() <= 1.5


def test_bounds_count_only_where_all_four_are_stated(tmp_path, monkeypatch):
    pixels = with_bounds(tmp_path / "a.tif", monkeypatch, x=30, y=18, width=200)
    with Slide(tmp_path / "a.tif") as slide:
        assert (slide.read(0, 0, 320, 256) == pixels).all()


def test_bounds_reach_no_further_than_the_slide(tmp_path, monkeypatch):
    with_bounds(tmp_path / "a.tif", monkeypatch, x=30, y=18, width=291, height=500)
    with Slide(tmp_path / "a.tif") as slide:
        assert (slide.width, slide.height) == (290, 238)


def test_16_bit_tiles_are_refused_and_not_squeezed(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(64, 64).astype(np.uint16) * 257, photometric="rgb", tile=(64, 64))
    with Slide(tmp_path / "a.tif") as slide, pytest.raises(InputError, match=r"a\.tif"):
        slide.read(0, 0, 10, 10)


def broken_slide(path: Path) -> tuple[Path, np.ndarray]:
    """A slide of nine JPEG tiles whose middle one is zeros, and its pixels before that."""
    write_tiled(path, noise(192, 192), compression="jpeg")
    with openslide.OpenSlide(path) as handle:
        pixels = np.asarray(handle.read_region((0, 0), 0, (192, 192)))[..., :3]
    with tifffile.TiffFile(path) as file:
        place, length = file.pages[0].dataoffsets[4], file.pages[0].databytecounts[4]
    content = bytearray(path.read_bytes())
    content[place : place + length] = bytes(length)
    path.write_bytes(content)
    return path, pixels


def test_a_bad_tile_is_named_and_the_others_still_read(tmp_path, monkeypatch):
    path, pixels = broken_slide(tmp_path / "bad.tif")
    monkeypatch.setattr("histoloom.formats.slides.slide.BLOCK_PX", 64)
    with Slide(path) as slide:
        assert (slide.read(0, 0, 64, 192) == pixels[:, :64]).all()
        for _ in range(2):
            with pytest.raises(InputError, match=r"bad\.tif: a tile within x 64 to 128, y 64 to 128 cannot be decoded"):
                slide.read(0, 0, 192, 192)
        assert (slide.read(128, 128, 64, 64) == pixels[128:, 128:]).all()


@pytest.mark.parametrize("content", [b"", b"<html>", b"II*\0" + b"\xff" * 40])
@pytest.mark.parametrize("suffix", [".svs", ".tif", ".png"])
def test_what_is_no_slide_is_refused_with_its_name(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"a{suffix}") as caught, Slide(path) as slide:
        slide.read(0, 0, 1, 1)
    assert len(str(caught.value).splitlines()) <= 4


def test_a_missing_slide_is_named(tmp_path):
    with pytest.raises(InputError, match="no such slide"):
        Slide(tmp_path / "a.svs")


@needs_samples
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_slide_is_refused(tmp_path, share):
    content = FROZEN.read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut\.svs"), Slide(path) as slide:
        slide.read(0, 0, slide.width, slide.height)
