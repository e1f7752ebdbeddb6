"""Image files are read whole and as one stated kind, or refused by name."""

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from histoloom.errors import InputError
from histoloom.images import read_image, read_instances, read_mask, write_image, write_instances

RNG = np.random.default_rng(0)
TISSUE = RNG.integers(0, 256, (20, 30, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_lossless_image_comes_back_pixel_by_pixel(tmp_path, suffix):
    iio.imwrite(tmp_path / f"a{suffix}", TISSUE)
    assert (read_image(tmp_path / f"a{suffix}") == TISSUE).all()


def test_a_jpeg_comes_back_nearly(tmp_path):
    smooth = np.full((16, 16, 3), (200, 120, 180), np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth).max() <= 3


def test_an_opaque_alpha_channel_is_dropped_and_a_transparent_one_refused(tmp_path):
    alpha = np.dstack([TISSUE, np.full((20, 30), 255, np.uint8)])
    iio.imwrite(tmp_path / "opaque.png", alpha)
    assert (read_image(tmp_path / "opaque.png") == TISSUE).all()
    alpha[3, 4, 3] = 0
    iio.imwrite(tmp_path / "clear.png", alpha)
    with pytest.raises(InputError, match=r"clear\.png: has transparent pixels; expected opaque RGB; flatten it"):
        read_image(tmp_path / "clear.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_truncated_image_is_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    iio.imwrite(path, RNG.integers(0, 256, (200, 300, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        InputError, match=rf"a\{suffix}: cannot be read as an image \(.*copy or download the file again"
    ):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>not found</html>", b"\x89PNG\r\n\x1a\n garbage"])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: cannot be read as an image"):
        read_image(tmp_path / "a.png")


def test_a_flipped_byte_in_a_png_is_refused(tmp_path):
    path = tmp_path / "a.png"
    iio.imwrite(path, TISSUE)
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 0xFF
    path.write_bytes(payload)
    with pytest.raises(InputError, match="cannot be read as an image"):
        read_image(path)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.png: no such image; expected a file"):
        read_image(tmp_path / "no.png")


@pytest.mark.parametrize(
    ("pixels", "read", "expected"),
    [
        (TISSUE[..., 0], read_image, "expected 8-bit RGB"),
        (TISSUE[..., 0].astype(np.uint16) * 257, read_image, "expected 8-bit RGB"),
        (TISSUE, read_mask, "expected an 8-bit mask .* not colours"),
        (TISSUE[..., 0].astype(np.uint16), read_mask, "expected an 8-bit mask"),
        (TISSUE, read_instances, "expected 16-bit nucleus ids"),
    ],
)
def test_another_kind_of_pixels_is_refused_with_what_was_found(tmp_path, pixels, read, expected):
    iio.imwrite(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match=rf"uint.* pixels of shape \({pixels.shape[0]}, .*{expected}"):
        read(tmp_path / "a.png")


def test_masks_and_nuclei_come_back_as_they_were(tmp_path):
    mask = RNG.integers(0, 6, (9, 11)).astype(np.uint8)
    nuclei = RNG.integers(0, 65536, (9, 11)).astype(np.int32)
    write_image(tmp_path / "mask.png", mask)
    write_instances(tmp_path / "nuclei.png", nuclei)
    assert (read_mask(tmp_path / "mask.png") == mask).all()
    assert (read_instances(tmp_path / "nuclei.png") == nuclei).all()


def test_more_ids_than_sixteen_bits_hold_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match="nucleus ids reach 65536; expected 0 to 65535; cut the image"):
        write_instances(tmp_path / "a.png", np.array([[65536]], np.int32))
    assert list(tmp_path.iterdir()) == []
