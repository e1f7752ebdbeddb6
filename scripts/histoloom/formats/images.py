"""Reading and writing image files: what each kind of file means as an image, a mask or nucleus ids, or why it may not.

A file is read whole and as what it says it is, or refused with an InputError that names it. Its first bytes decide the
format, never its name: a PNG named .jpg is read as the PNG it is, a web page named .png is refused. `rasters` decodes.

| in the file                | read_image               | read_mask                | read_instances | read_colours |
|----------------------------|--------------------------|--------------------------|----------------|--------------|
| 8-bit RGB                  | as it is                 | if R = G = B everywhere  | refused        | as it is     |
| RGBA, RGB with a clear key | laid on white, see below | if opaque and R = G = B  | refused        | if opaque    |
| palette                    | its colours              | its indices              | its indices    | its colours  |
| 8-bit grey                 | refused: no stain in it  | its values               | its values     | R = G = B    |
| 1-bit grey                 | refused                  | 0 and 1                  | refused        | 0 and 255    |
| grey with alpha (LA)       | refused                  | if opaque                | refused        | if opaque    |
| 16-, 32-bit integer grey   | refused: unknown range   | if values are 0 to 255   | 0 to 2**31 - 1 | refused      |
| JPEG, also within TIFF     | if RGB or YCbCr          | refused: makes up values | refused        | refused      |
| 2-, 4-bit grey             | refused by all: libraries disagree whether it holds values or shares of white       |
| 16-bit RGB, float, CMYK,   | refused by all: their range or their colours would have to be guessed               |
|   Lab, inverted grey TIFF  |                                                                                     |
| EXIF orientation 2 to 8    | refused by all, so that image and mask lie alike: libraries disagree on turning them |
| several pages, animation   | refused by all, but for a TIFF whose other pages are smaller copies of the first    |
| TIFF, else                 | strips, tiles, planar; no compression, LZW, deflate, packbits, LZMA, zstd, JPEG     |
| ICC profile, gamma         | ignored by all: the numbers in the file are the pixels                              |
| over limits.image_pixels   | refused by all before anything is decoded; the config may raise it                  |

Transparent pixels of an image are laid on white, since OpenSlide gives regions as RGBA in which pixels that were never
scanned are transparent, and empty glass is white. An image transparent everywhere is refused.

What no reader can tell: of the pixels, only PNG and TIFF with deflate or LZMA keep a checksum. A byte changed within
those of a JPEG or another TIFF mostly leaves a sound file with other pixels; the sha256 of the download finds it.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8
from PIL.Image import fromarray

from histoloom.errors import InputError
from histoloom.files import atomic_file
from histoloom.formats.rasters import Raster, read_raster

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MAX_ID = np.iinfo(np.uint16).max
LARGEST = np.iinfo(np.int32).max  # nucleus ids are int32 in memory


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an 8-bit colour image as RGB: palette colours are looked up, transparent pixels laid on white.

    Raises InputError for a missing, damaged, turned or too large file, several pages, and what the table above refuses.
    """
    raster = read_raster(path)
    if raster.kind == "grey":
        raise InputError(f"{path}: {raster}; expected an 8-bit RGB image; export it in colour (is this a mask?)")
    pixels, alpha = _colours(path, raster)
    if alpha is None:
        return pixels
    if not alpha.any():
        raise InputError(f"{path}: transparent everywhere; expected an image; remove its alpha channel")
    return _on_white(pixels, alpha, raster.alpha == "premultiplied")


def read_colours(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a mask whose colours stand for classes as RGB; greys give R = G = B, and 1-bit gives 0 and 255.

    Raises InputError as `read_image` does, and for lossy files and transparent pixels, whose colours are not certain.
    """
    raster = _read_lossless(path)
    if raster.kind != "grey":
        pixels, alpha = _colours(path, raster)
        _check_opaque(path, alpha)
        return pixels
    grey = _without_alpha(path, raster)
    if grey.dtype.itemsize > 1:
        raise InputError(f"{path}: {raster}; expected an 8-bit mask in colours; export it as 8-bit RGB PNG")
    return np.repeat(np.where(grey, np.uint8(255), np.uint8(0)) if grey.dtype == bool else grey, 3).reshape(
        *grey.shape, 3
    )


def read_mask(path: Path) -> UInt8[np.ndarray, "height width"]:
    """Read a mask of class indices 0 to 255: grey values, palette indices, or RGB whose channels are equal.

    Raises InputError as `read_image` does, and for lossy files, colours, transparent pixels and values beyond 255.
    """
    raster = _read_lossless(path)
    values = _without_alpha(path, raster)
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise InputError(
                f"{path}: {raster} with coloured pixels; expected class indices (height, width); "
                "export class indices, not colours, or give the reader a colour map"
            )
        values = values[..., 0]
    return np.ascontiguousarray(_within(path, values, 255, "class indices").astype(np.uint8))


def read_instances(path: Path) -> Int32[np.ndarray, "height width"]:
    """Read nucleus ids (0 = none): 8-, 16- or 32-bit integer grey, or palette indices.

    Raises InputError as `read_image` does, and for lossy files, several channels, 1-bit and ids beyond 2**31 - 1.
    """
    raster = _read_lossless(path)
    if raster.pixels.ndim != 2 or raster.pixels.dtype == bool:
        raise InputError(
            f"{path}: {raster}; expected nucleus ids in one 8-, 16- or 32-bit channel; "
            "export one grey value per nucleus"
        )
    return _within(path, raster.pixels, LARGEST, "nucleus ids").astype(np.int32)


def write_image(path: Path, pixels: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"]) -> None:
    """Write an 8-bit RGB image or mask as PNG, atomically."""
    with atomic_file(path) as part:
        fromarray(pixels).save(part, "PNG")


def write_instances(path: Path, instances: Int32[np.ndarray, "height width"]) -> None:
    """Write nucleus ids as 16-bit PNG, which any viewer opens, atomically.

    Raises InputError for more than 65,535 ids: such an image has to be cut before it is prepared.
    """
    if instances.size and (instances.max() > MAX_ID or instances.min() < 0):
        raise InputError(f"{path}: nucleus ids reach {instances.max()}; expected 0 to {MAX_ID}; cut the image in parts")
    with atomic_file(path) as part:
        fromarray(instances.astype(np.uint16)).save(part, "PNG")


def _read_lossless(path: Path) -> Raster:
    raster = read_raster(path)
    if raster.is_lossy:
        values = len(np.unique(raster.pixels.reshape(-1, *raster.pixels.shape[2:]), axis=0))
        raise InputError(
            f"{path}: JPEG with {values} values, and JPEG invents values along borders; expected a lossless mask; "
            "export it again as PNG"
        )
    return raster


def _colours(path: Path, raster: Raster) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours (height, width, 3) of an RGB or palette raster, and its opacity (height, width), None where it has none.

    An alpha channel of unknown meaning counts only where it is opaque.
    """
    pixels = raster.pixels
    if raster.kind == "palette":
        if pixels.max() >= len(raster.palette):
            raise InputError(
                f"{path}: palette index {pixels.max()}; expected below {len(raster.palette)}, the number of its "
                "colours; export it again"
            )
        pixels = raster.palette[pixels]
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    if raster.alpha == "unknown":
        _check_opaque(path, alpha)
    return np.ascontiguousarray(pixels[..., :3]), None if alpha is None or (alpha == 255).all() else alpha


def _on_white(colours: np.ndarray, alpha: np.ndarray, is_premultiplied: bool) -> np.ndarray:
    """Colours over white, rounded to the nearest."""
    # 255 * 255 + 127 fits 16 bits.
    opacity = alpha[..., None].astype(np.uint16)
    if is_premultiplied:
        return np.minimum(colours + (255 - opacity), 255).astype(np.uint8)
    return ((colours * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def _without_alpha(path: Path, raster: Raster) -> np.ndarray:
    if not raster.alpha:
        return raster.pixels
    pixels, alpha = raster.pixels[..., :-1], raster.pixels[..., -1]
    _check_opaque(path, alpha)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _check_opaque(path: Path, alpha: np.ndarray | None) -> None:
    if alpha is not None and (alpha != np.iinfo(alpha.dtype).max).any():
        raise InputError(
            f"{path}: has transparent pixels, whose value is not certain; expected none; "
            "export it again without an alpha channel"
        )


def _within(path: Path, values: np.ndarray, largest: int, what: str) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > largest:
        raise InputError(f"{path}: values {low} to {high}; expected {what} 0 to {largest}; export {what} again")
    return values
