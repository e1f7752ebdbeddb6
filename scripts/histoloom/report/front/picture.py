"""A picture inside a page: scaled to a budget of bytes and written into it, with its text alternative."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

WIDTHS_PX = (1280, 1000, 800, 640)  # tried in turn until the picture is small enough
BASE64_LINE = 4000  # docutils refuses lines beyond 10,000 characters


@dataclass(frozen=True)
class Picture:
    """A picture inside the page: its data URI in lines, its text alternative and its size."""

    uri: str
    description: str
    width: int
    height: int


def picture(path: Path, largest_bytes: int) -> Picture:
    """Read a PNG and embed it as JPEG of at most `largest_bytes`, where one of four widths allows.

    Its text alternative is the PNG's own "Description".
    """
    with Image.open(path) as opened:
        description = str(opened.info.get("Description", path.stem))
        pixels = opened.convert("RGB")
    for width in WIDTHS_PX:
        share = min(1.0, width / pixels.width)
        size = (round(pixels.width * share), max(1, round(pixels.height * share)))
        buffer = io.BytesIO()
        pixels.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=82, optimize=True)
        if buffer.tell() <= largest_bytes:
            break
    code = base64.b64encode(buffer.getvalue()).decode()
    lines = [code[start : start + BASE64_LINE] for start in range(0, len(code), BASE64_LINE)]
    return Picture("data:image/jpeg;base64," + "\n".join(lines), description, *size)
