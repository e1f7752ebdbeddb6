"""Pages of the report that Snakemake would only offer for download: tables to sort, animations to watch."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from histoloom.report.front_page import render


@dataclass(frozen=True)
class Cell:
    """One cell: its text in the CSV, what is shown of it, and its number as text for sorting, None where it is none."""

    text: str
    shown: str
    number: str | None


@dataclass(frozen=True)
class Animation:
    """One GIF inside the page."""

    name: str
    uri: str
    frames: int


def cell(text: str) -> Cell:
    """Read a CSV cell; numbers with a fraction are shown with four decimals, their full text stays as a tooltip.

    >>> cell("0.123456").shown, cell("12").shown, cell("unet").number
    ('0.1235', '12', None)
    """
    try:
        value = float(text)
    except ValueError:
        return Cell(text, text, None)
    return Cell(text, text if value.is_integer() else f"{value:.4f}", repr(value))


def table_page(template: Path, title: str, rows: Sequence[Mapping[str, str]]) -> str:
    """A CSV as a sortable page, which says so where there is no row."""
    columns = list(rows[0]) if rows else []
    return render(template, title=title, columns=columns, rows=[[cell(v) for v in row.values()] for row in rows])


def animations_page(template: Path, title: str, gifs: Mapping[str, bytes]) -> str:
    """GIFs by name as a page."""
    return render(template, title=title, gifs=[_animation(name, gif) for name, gif in gifs.items()])


def _animation(name: str, gif: bytes) -> Animation:
    with Image.open(io.BytesIO(gif)) as opened:
        frames = opened.n_frames
    return Animation(name, "data:image/gif;base64," + base64.b64encode(gif).decode(), frames)
