"""Small files that cases are laid from: a picture of tissue and its mask, and files that are damaged or lie."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

HEIGHT, WIDTH = 24, 32
CLASSES = 'classes=["background=0", "stroma=100", "necrosis=255"]'
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def tissue(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Pink noise, another one for each seed."""
    values = np.random.default_rng(seed).normal((150, 80, 160), 12, (height, width, 3))
    return values.clip(0, 255).astype(np.uint8)


def mask() -> np.ndarray:
    """192 px of necrosis, 96 of stroma, 480 of background."""
    codes = np.zeros((HEIGHT, WIDTH), np.uint8)
    codes[4:20, 4:16], codes[8:16, 16:28] = 255, 100
    return codes


def save(path: str | Path, pixels: np.ndarray, **options: object) -> None:
    """Write pixels as the format that the name ends in says, with its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def put(path: str | Path, content: bytes | str) -> None:
    """Write bytes or text, with its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content.encode() if isinstance(content, str) else content)


def encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    """The bytes of an image file that Pillow writes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """The bytes of a TIFF, of RGB where nothing else is said."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **({"photometric": "rgb"} | options))
    return file.getvalue()


def flipped(payload: bytes, at: int) -> bytes:
    """The bytes with one bit changed."""
    return payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]


def png(width: int, height: int, bits: int, colour: int, rows: bytes = b"") -> bytes:
    """A PNG that says this size; `rows` are what its pixels are unpacked to."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return PNG_SIGNATURE + header + _chunk(b"IDAT", zlib.compress(rows, 1)) + _chunk(b"IEND", b"")


def pair(name: str, seed: int = 0, codes: np.ndarray | None = None, picture: np.ndarray | None = None) -> None:
    """An image and its mask in the folder raw, as the reader `folder` wants them."""
    save(f"raw/images/{name}.png", tissue(seed) if picture is None else picture)
    save(f"raw/masks/{name}.png", mask() if codes is None else codes)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
