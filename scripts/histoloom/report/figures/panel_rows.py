"""Pages of pictures in rows under titles: measured in inches from the top left corner, so that nothing is cut off."""

from dataclasses import dataclass
from textwrap import wrap

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GAP_IN, LINE_IN, TITLE_IN = 0.06, 0.2, 0.28
TALLEST = 1.6  # height of a panel by its width; a taller image is drawn narrower
LONGEST_SIDE_PX = 720  # of a picture as drawn: a panel of 2.4 inches printed at 300 dpi
LONGEST_NAME = 44
LETTERS_PER_IN = 11  # of bold letters of 9 points, on average


@dataclass(frozen=True)
class Place:
    """Where a panel lies on its page, in inches from the top left corner."""

    left: int | float
    top: int | float
    width: int | float
    height: int | float


def fitted(shape: tuple[int, int], left: int | float, top: int | float, width: int | float) -> Place:
    """The place of an image of `shape` (height, width) in a column that is `width` inches wide.

    >>> fitted((100, 200), 0, 1, 3.0)
    Place(left=0, top=1, width=3.0, height=1.5)
    >>> fitted((400, 100), 0, 1, 3.0)
    Place(left=0, top=1, width=1.2, height=4.8)
    """
    height = min(width * shape[0] / shape[1], width * TALLEST)
    return Place(left, top, min(width, round(height * shape[1] / shape[0], 6)), round(height, 6))


def add_picture(figure: Figure, picture: UInt8[np.ndarray, "height width 3"], place: Place) -> Axes:
    """Show a picture at a place, without axes."""
    width, height = figure.get_size_inches()
    box = (place.left / width, 1 - (place.top + place.height) / height, place.width / width, place.height / height)
    panel = figure.add_axes(box)
    panel.imshow(picture, interpolation="antialiased", aspect="auto")
    panel.set_axis_off()
    return panel


def write(figure: Figure, left: int | float, baseline: int | float, text: str, **style: str | int | float) -> None:
    """Write a line of text; places are in inches from the top left corner."""
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - baseline / height, drawable(text), va="baseline", **({"fontsize": 9} | style))


def drawable(text: str) -> str:
    """`text` with a � for each letter that the figure's font does not have.

    >>> drawable("Präparat 7\\n切片")
    'Präparat 7���'
    """
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return "".join(letter if font.get_char_index(ord(letter)) else "\ufffd" for letter in text)


def shortened(name: str, longest: int = LONGEST_NAME) -> str:
    """A name with its middle left out where it is too long.

    >>> shortened("abcdefgh", 5), shortened("abc", 5)
    ('ab…gh', 'abc')
    """
    half = (longest - 1) // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def wrapped(text: str, width: int | float) -> list[str]:
    """The lines of a text of 9 points that is `width` inches wide.

    >>> wrapped("one two three", 1.0)
    ['one two', 'three']
    """
    return wrap(text, round(width * LETTERS_PER_IN)) or [""]


def for_display(
    pixels: Shaped[np.ndarray, "height width ..."], *, is_image: bool = False
) -> Shaped[np.ndarray, "rows columns ..."]:
    """Pixels with at most 720 on the longer side: images by the mean of each area, masks and ids by the nearest."""
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
    if scale == 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if is_image else cv2.INTER_NEAREST)
