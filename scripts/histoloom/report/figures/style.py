"""How every figure looks and how it becomes a PNG and a PDF with the same bytes each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL.PngImagePlugin import PngInfo

from histoloom.files import atomic_file
from histoloom.report.animation.palettes import indexed, indexed_image, palette

# Okabe & Ito 2008, chosen to be told apart with any colour vision.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"
INK, MUTED, PALE = "#1f2933", "#52606d", "#e4e7eb"
DOTS_PER_INCH, PRINT_DOTS_PER_INCH = 150, 300
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
    "pdf.fonttype": 42,  # TrueType, which journals ask for: text stays text, to be searched and edited
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply our settings, on top of matplotlib's own defaults rather than a user's matplotlibrc."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def save(figure: Figure, path: Path, pdf: Path | None = None, description: str = "") -> None:
    """Write a figure as PNG at 150 dpi, atomically, and where `pdf` is given as PDF, its lines and letters as such.

    matplotlib's version and the date are left out of the files, so that equal pictures have equal bytes. `description`
    travels in both as their text alternative.
    """
    notes = {"Software": None} | ({"Description": description} if description else {})
    with house_style(), atomic_file(path) as part:
        figure.savefig(part, format="png", dpi=DOTS_PER_INCH, metadata=notes)
    if pdf is not None:
        _save_pdf(figure, pdf, description)


def save_tissue(
    figure: Figure, path: Path, drawn: UInt8[np.ndarray, "drawn 3"], description: str, pdf: Path | None = None
) -> None:
    """Write a figure of tissue as PNG of 255 colours, a third of the size; `drawn` colours are kept exactly.

    In the PDF, where one is asked for, each picture has all its pixels, in 255 colours of its own. `description`
    travels in both files as their text alternative.
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
    if pdf is not None:
        with _whole_pictures(figure, drawn):
            _save_pdf(figure, pdf, description)


def _save_pdf(figure: Figure, path: Path, description: str) -> None:
    notes = {"Creator": None, "Producer": None, "CreationDate": None, "Subject": description or None}
    with house_style(), atomic_file(path) as part:
        figure.savefig(part, format="pdf", dpi=PRINT_DOTS_PER_INCH, metadata=notes)


@contextmanager
def _whole_pictures(figure: Figure, drawn: UInt8[np.ndarray, "drawn 3"]) -> Iterator[None]:
    """Have the figure's pictures put into a PDF pixel by pixel, in few colours: matplotlib would resample them."""
    pictures = figure.findobj(AxesImage)
    before = [(picture, np.asarray(picture.get_array()), picture.get_interpolation()) for picture in pictures]
    for picture, pixels, _ in before:
        colours = palette(pixels, drawn)
        picture.set_data(colours[indexed(pixels, colours)])
        picture.set_interpolation("none")
    yield
    for picture, pixels, interpolation in before:
        picture.set_data(pixels)
        picture.set_interpolation(interpolation)
