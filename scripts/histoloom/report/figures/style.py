"""How every figure looks and how it becomes a PNG with the same bytes each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL.PngImagePlugin import PngInfo

from histoloom.files import atomic_file
from histoloom.report.palettes import indexed_image, palette

# Okabe & Ito 2008, chosen to be told apart with any colour vision.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"
INK, MUTED, PALE = "#1f2933", "#52606d", "#e4e7eb"
DOTS_PER_INCH = 150
SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.grid": False,
    "grid.color": PALE,
    "legend.frameon": False,
    "text.parse_math": False,  # an image called "a$b$c" is no formula
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply our settings, on top of matplotlib's own defaults rather than a user's matplotlibrc."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG at 150 dpi, atomically.

    matplotlib's version is left out of the file, so that equal pictures have equal bytes.
    """
    with house_style(), atomic_file(path) as part:
        figure.savefig(part, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def save_tissue(figure: Figure, path: Path, drawn: UInt8[np.ndarray, "drawn 3"], description: str) -> None:
    """Write a figure of tissue as PNG of 255 colours, a third of the size; `drawn` colours are kept exactly.

    `description` travels in the file as its text alternative.
    """
    with house_style():
        figure.set_dpi(DOTS_PER_INCH)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    notes = PngInfo()
    notes.add_text("Description", description)
    with atomic_file(path) as part:
        page = indexed_image(pixels, palette(pixels[::3, ::3], drawn))
        page.save(part, "PNG", dpi=(DOTS_PER_INCH, DOTS_PER_INCH), pnginfo=notes, optimize=True)
