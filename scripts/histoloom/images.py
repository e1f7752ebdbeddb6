"""Reading and writing image files: the only module that knows their formats.

Reading goes through imageio's Pillow and tifffile back ends, because they refuse truncated and corrupt files that
OpenCV returns half empty. What comes back is always an array of one stated kind, or an error that names the file.
"""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.errors import InputError
from histoloom.files import atomic_file

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MAX_ID = np.iinfo(np.uint16).max


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an 8-bit colour image as RGB; an alpha channel is dropped where it is opaque everywhere.

    Raises InputError for a missing, truncated or corrupt file, other depths, grey images and several pages.
    """
    pixels = _read(path)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise InputError(
            f"{path}: {pixels.dtype} pixels of shape {pixels.shape}; expected 8-bit RGB (height, width, 3); "
            "export the image again as 8-bit RGB"
        )
    if pixels.shape[2] == 4 and (pixels[..., 3] != 255).any():
        raise InputError(f"{path}: has transparent pixels; expected opaque RGB; flatten it onto white")
    return np.ascontiguousarray(pixels[..., :3])


def read_mask(path: Path) -> UInt8[np.ndarray, "height width"]:
    """Read an 8-bit single-channel mask of class indices."""
    pixels = _read(path)
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise InputError(
            f"{path}: {pixels.dtype} pixels of shape {pixels.shape}; expected an 8-bit mask (height, width); "
            "export class indices, not colours"
        )
    return pixels


def read_instances(path: Path) -> Int32[np.ndarray, "height width"]:
    """Read an 8- or 16-bit single-channel image of nucleus ids (0 = none)."""
    pixels = _read(path)
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim != 2:
        raise InputError(
            f"{path}: {pixels.dtype} pixels of shape {pixels.shape}; expected 16-bit nucleus ids (height, width); "
            "export one grey value per nucleus"
        )
    return pixels.astype(np.int32)


def write_image(path: Path, pixels: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"]) -> None:
    """Write an 8-bit RGB image or mask as PNG, atomically."""
    with atomic_file(path) as part:
        iio.imwrite(part, pixels, extension=".png")


def write_instances(path: Path, instances: Int32[np.ndarray, "height width"]) -> None:
    """Write nucleus ids as 16-bit PNG, which any viewer opens, atomically.

    Raises InputError for more than 65,535 ids: such an image has to be cut before it is prepared.
    """
    if instances.size and (instances.max() > MAX_ID or instances.min() < 0):
        raise InputError(f"{path}: nucleus ids reach {instances.max()}; expected 0 to {MAX_ID}; cut the image in parts")
    with atomic_file(path) as part:
        iio.imwrite(part, instances.astype(np.uint16), extension=".png")


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"{path}: no such image; expected a file ({', '.join(SUFFIXES)}); check the dataset's folder")
    try:
        # From memory: imageio leaves the file open when it finds no image in it.
        return np.asarray(iio.imread(path.read_bytes(), extension=path.suffix.lower()))
    except Exception as error:  # the back ends raise some fifteen kinds for damaged files
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as an image ({reason}); copy or download the file again") from error
