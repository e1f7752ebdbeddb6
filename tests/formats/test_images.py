"""Each kind of image file is read whole as what the table in images.py says, or refused by name."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from histoloom.errors import InputError
from histoloom.formats.images import read_colours, read_image, read_instances, read_mask, write_image, write_instances

SAMPLES = Path(__file__).parents[3] / "shared" / "data"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")
READERS = (read_image, read_mask, read_instances, read_colours)
RNG = np.random.default_rng(0)
TISSUE = RNG.integers(0, 256, (20, 30, 3), np.uint8)
MASK = RNG.integers(0, 6, (20, 30), np.uint8)
IDS = RNG.integers(0, 60000, (20, 30)).astype(np.uint16)
OPAQUE = np.full((20, 30, 1), 255, np.uint8)
COLOURS = np.array([(255, 255, 255), (200, 0, 0), (0, 160, 0), (1, 2, 3), (90, 90, 90), (0, 0, 255)], np.uint8)
WRITERS: dict[str, Callable] = {
    "pillow.png": lambda path, pixels: Image.fromarray(pixels).save(path),
    "pillow.tif": lambda path, pixels: Image.fromarray(pixels).save(path),
    "pillow_lzw.tif": lambda path, pixels: Image.fromarray(pixels).save(path, compression="tiff_lzw"),
    "tifffile.tif": lambda path, pixels: tifffile.imwrite(path, pixels, photometric=photometric(pixels)),
}
LAYOUTS = {
    "big_endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 16)},
    "lzw_tiles": {"tile": (16, 16), "compression": "lzw", "predictor": True},
    "deflate": {"compression": "zlib", "predictor": True},
    "packbits": {"compression": "packbits"},
    "lzma": {"compression": "lzma"},
    "zstd": {"compression": "zstd"},
}


def photometric(pixels: np.ndarray) -> str:
    return "rgb" if pixels.ndim == 3 else "minisblack"


def palette_image(mask: np.ndarray, **options) -> Image.Image:
    image = Image.fromarray(mask, "L").convert("P", **options)
    image.putpalette(COLOURS.tobytes())
    image.putdata(mask.ravel().tolist())
    return image


def refusal(tmp_path: Path, read: Callable, name: str) -> str:
    with pytest.raises(InputError) as error:
        read(tmp_path / name)
    assert str(error.value).count("\n") < 4
    return str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_pixels_come_back_whoever_wrote_them(tmp_path, name):
    path = tmp_path / name
    for pixels, read in ((TISSUE, read_image), (TISSUE, read_colours), (MASK, read_mask), (IDS, read_instances)):
        WRITERS[name](path, pixels)
        found = read(path)
        assert found.shape == pixels.shape
        assert (found == pixels).all()
        assert found.flags.c_contiguous


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_every_layout_of_tiff_gives_height_width_3(tmp_path, layout, planar):
    stored = TISSUE if planar == "contig" else np.moveaxis(TISSUE, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, **LAYOUTS[layout])
    assert (read_image(tmp_path / "a.tif") == TISSUE).all()
    tifffile.imwrite(tmp_path / "ids.tif", IDS, photometric="minisblack", **LAYOUTS[layout])
    assert (read_instances(tmp_path / "ids.tif") == IDS).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "progressive.jpg", "jpeg_named.png"])
def test_jpeg_comes_back_nearly_also_within_tiff_and_by_content_not_name(tmp_path, name):
    smooth = np.full((48, 64, 3), (200, 120, 180), np.uint8)
    if name == "a.tif":
        tifffile.imwrite(tmp_path / name, smooth, photometric="rgb", compression="jpeg", tile=(16, 16))
    else:
        Image.fromarray(smooth).save(tmp_path / name, "JPEG", quality=95, progressive="prog" in name)
    found = read_image(tmp_path / name)
    assert found.shape == smooth.shape
    assert np.abs(found.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_opaque_alpha_channel_is_dropped_and_a_transparent_one_laid_on_white(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.dstack([TISSUE, OPAQUE])).save(path)
    assert (read_image(path) == TISSUE).all()
    assert (read_colours(path) == TISSUE).all()
    seen = np.zeros((1, 3, 4), np.uint8)
    seen[0] = [(10, 20, 30, 0), (100, 0, 255, 51), (10, 20, 30, 255)]
    Image.fromarray(seen).save(path)
    # 51 of 255 is a fifth: 100/5 + 255*4/5 = 224, 0 + 204, 51 + 204
    assert read_image(path).tolist() == [[[255, 255, 255], [224, 204, 255], [10, 20, 30]]]


def test_premultiplied_colours_are_not_darkened_twice(tmp_path):
    stored = np.array([[(20, 0, 51, 51), (0, 0, 0, 0)]], np.uint8)  # colour (100, 0, 255), a fifth of it
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    assert read_image(tmp_path / "a.tif").tolist() == [[[224, 204, 255], [255, 255, 255]]]


def test_a_fourth_channel_of_unknown_meaning_is_dropped_only_where_opaque(tmp_path):
    four = np.dstack([TISSUE, OPAQUE])
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb", extrasamples=["unspecified"])
    assert (read_image(tmp_path / "a.tif") == TISSUE).all()
    four[2, 3, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb", extrasamples=["unspecified"])
    assert "a.tif: has transparent pixels" in refusal(tmp_path, read_image, "a.tif")


def test_a_clear_key_colour_is_transparent(tmp_path):
    Image.fromarray(np.array([[(0, 0, 0), (9, 9, 9)]], np.uint8)).save(tmp_path / "a.png", transparency=(0, 0, 0))
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 255, 255], [9, 9, 9]]]
    assert "transparent pixels" in refusal(tmp_path, read_colours, "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_palette_gives_indices_to_masks_and_colours_to_images(tmp_path, name):
    palette_image(MASK).save(tmp_path / name)
    assert (read_mask(tmp_path / name) == MASK).all()
    assert (read_instances(tmp_path / name) == MASK).all()
    assert (read_colours(tmp_path / name) == COLOURS[MASK]).all()
    assert (read_image(tmp_path / name) == COLOURS[MASK]).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_indices_below_8_bits_are_not_scaled(tmp_path, bits):
    mask = MASK % (1 << bits)
    palette_image(mask).save(tmp_path / "a.png", bits=bits)
    assert (tmp_path / "a.png").read_bytes()[24] == bits
    assert (read_mask(tmp_path / "a.png") == mask).all()


def test_one_bit_palette_of_a_tiff_holds_indices(tmp_path):
    mask = MASK % 2
    stored = np.packbits(mask, axis=1)  # 30 pixels take 4 bytes a row
    tifffile.imwrite(tmp_path / "a.tif", mask.astype(bool), photometric="minisblack")
    payload = bytearray((tmp_path / "a.tif").read_bytes())
    colours = np.zeros((3, 2), "<u2")
    colours[:, 1] = (200 << 8, 0, 77 << 8)
    assert stored.tobytes() in payload
    entry = payload.index(struct.pack("<HHI", 262, 3, 1))  # what grey means: made a palette at the end of the file
    payload[entry + 8] = 3
    software = payload.index(struct.pack("<HH", 305, 2))
    payload[software : software + 12] = struct.pack("<HHII", 320, 3, 6, len(payload))
    (tmp_path / "a.tif").write_bytes(payload + colours.tobytes())
    assert (read_mask(tmp_path / "a.tif") == mask).all()
    assert (read_colours(tmp_path / "a.tif") == np.array([(0, 0, 0), (200, 0, 77)])[mask]).all()


def test_transparent_palette_colours_are_laid_on_white_and_leave_indices_alone(tmp_path):
    palette_image(MASK).save(tmp_path / "a.png", transparency=1)
    expected = COLOURS.copy()
    expected[1] = 255
    assert (read_image(tmp_path / "a.png") == expected[MASK]).all()
    assert (read_mask(tmp_path / "a.png") == MASK).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_masks_of_one_bit_hold_0_and_1_and_as_colours_black_and_white(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(MASK > 2).save(path)
    assert (read_mask(path) == (MASK > 2)).all()
    assert (read_colours(path) == 255 * (MASK > 2)[..., None]).all()


@pytest.mark.parametrize("name", ["rgb.png", "rgba.png", "rgb.tif", "la.png"])
def test_a_grey_mask_saved_with_equal_or_opaque_channels_is_that_mask(tmp_path, name):
    grey = MASK[..., None]
    parts = {"rgb": [grey] * 3, "rgba": [grey] * 3 + [OPAQUE], "la": [grey, OPAQUE]}[name.split(".")[0]]
    Image.fromarray(np.dstack(parts)).save(tmp_path / name)
    assert (read_mask(tmp_path / name) == MASK).all()
    assert (read_colours(tmp_path / name) == grey).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
def test_whole_numbers_of_any_width_are_read_where_they_fit(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", MASK.astype(dtype), photometric="minisblack")
    assert (read_mask(tmp_path / "a.tif") == MASK).all()
    assert (read_instances(tmp_path / "a.tif") == MASK).all()


def test_a_pyramid_gives_its_first_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(TISSUE, photometric="rgb")
        tiff.write(TISSUE[::2, ::2], photometric="rgb", subfiletype=1)
    assert (read_image(tmp_path / "a.tif") == TISSUE).all()
    with tifffile.TiffWriter(tmp_path / "ome.tif", ome=True) as tiff:
        tiff.write(TISSUE, photometric="rgb", subifds=1)
        tiff.write(TISSUE[::2, ::2], photometric="rgb", subfiletype=1)
    assert (read_image(tmp_path / "ome.tif") == TISSUE).all()


def test_colour_profile_and_gamma_change_no_pixel(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.fromarray(TISSUE).save(tmp_path / "a.png", icc_profile=profile)
    assert (read_image(tmp_path / "a.png") == TISSUE).all()


@pytest.mark.parametrize("orientation", [None, 0, 1])
def test_an_image_stored_upright_is_read(tmp_path, orientation):
    exif = Image.Exif()
    exif.update({274: orientation} if orientation is not None else {})
    Image.fromarray(TISSUE).save(tmp_path / "a.png", exif=exif)
    assert (read_image(tmp_path / "a.png") == TISSUE).all()


def test_images_up_to_the_limit_are_read_and_the_limit_can_be_raised(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", TISSUE)
    monkeypatch.setenv("HISTOLOOM_LIMITS", "image_pixels=599")
    assert "a.png: 30 x 20 pixels; expected at most 599" in refusal(tmp_path, read_image, "a.png")
    monkeypatch.setenv("HISTOLOOM_LIMITS", "image_pixels=600")
    assert (read_image(tmp_path / "a.png") == TISSUE).all()


def test_reading_leaves_no_file_open(tmp_path):
    write_image(tmp_path / "a.png", TISSUE)
    tifffile.imwrite(tmp_path / "a.tif", TISSUE, photometric="rgb")
    (tmp_path / "bad.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:300])
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else None
    read_image(tmp_path / "a.png")
    read_image(tmp_path / "a.tif")
    refusal(tmp_path, read_image, "bad.tif")
    if before is not None:
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_masks_and_nuclei_come_back_as_they_were(tmp_path):
    nuclei = RNG.integers(0, 65536, (9, 11)).astype(np.int32)
    write_image(tmp_path / "mask.png", MASK)
    write_instances(tmp_path / "nuclei.png", nuclei)
    assert (read_mask(tmp_path / "mask.png") == MASK).all()
    assert (read_instances(tmp_path / "nuclei.png") == nuclei).all()
    assert (np.asarray(Image.open(tmp_path / "nuclei.png")) == nuclei).all()


def test_more_ids_than_sixteen_bits_hold_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match="nucleus ids reach 65536; expected 0 to 65535; cut the image"):
        write_instances(tmp_path / "a.png", np.array([[65536]], np.int32))
    assert list(tmp_path.iterdir()) == []


@needs_samples
@pytest.mark.parametrize(
    ("pattern", "read", "count"),
    [
        ("brecahad/images/*.jpg", read_image, 22),
        ("monuseg/Tissue Images/*.tif", read_image, 6),
        ("hou2020/**/*_crop.png", read_image, 12),
        ("hou2020/**/*_labeled_mask_corrected.png", read_instances, 12),
        ("cryonuseg/Annotator 1 (biologist)/label masks modify/*.tif", read_instances, 4),
        ("necrosis/composites/masks/*.png", read_mask, 20),
    ],
)
def test_real_samples_are_read_as_pillow_reads_them(pattern, read, count):
    paths = sorted(SAMPLES.glob(pattern))
    assert len(paths) == count
    for path in paths:
        assert (read(path) == np.asarray(Image.open(path))).all(), path
