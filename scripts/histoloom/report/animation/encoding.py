"""From the frames of a training to a GIF or a WebP that is small enough to be mailed and shown in a report."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from histoloom.report.animation.drawing import WIDTHS_PX, Epoch, Probe, drawn_colours, frame, stage
from histoloom.report.animation.palettes import indexed, indexed_image, palette

Frames = Sequence[UInt8[np.ndarray, "height width 3"]]
Colours = UInt8[np.ndarray, "colours 3"]
NO_KEY_FRAMES = {"kmin": 9999, "kmax": 10000}  # nobody jumps into the middle; each would hold the whole tissue again


@dataclass(frozen=True)
class Timing:
    """How fast epochs follow one another, and how long the last one stays."""

    frames_per_second: float
    hold_seconds: float

    def durations_ms(self, frames: int) -> list[int]:
        """How long each frame is shown, rounded to GIF's hundredths of a second.

        >>> Timing(2.5, 3.0).durations_ms(3)
        [400, 400, 3000]
        """
        return [round(100 / self.frames_per_second) * 10] * (frames - 1) + [round(100 * self.hold_seconds) * 10]


def animate(
    encode: Callable[[Frames, Colours, Sequence[int]], bytes],
    probe: Probe,
    epochs: Sequence[Epoch],
    classes: Sequence[str],
    timing: Timing,
    largest_bytes: int,
) -> bytes:
    """Encode one frame per epoch, by `encode_gif` or `encode_webp`, in at most `largest_bytes`.

    Where it would be larger it is made narrower, and then leaves out epochs, which its header says: the first, the
    last and the one whose weights were kept stay.
    """
    colours = palette(probe.image, drawn_colours(len(classes)))
    thinned = [(WIDTHS_PX[-1], 2**power) for power in range(1, len(epochs).bit_length())]
    for width, every in [*((width, 1) for width in WIDTHS_PX), *thinned]:
        on, places = stage(probe, classes, width), shown_places(epochs, every)
        note = f",  {len(places)} of {len(epochs)} epochs shown" if every > 1 else ""
        frames = [frame(on, probe.predicted[place], place, epochs, note) for place in places]
        encoded = encode(frames, colours, timing.durations_ms(len(frames)))
        if len(encoded) <= largest_bytes:
            break
    return encoded


def shown_places(epochs: Sequence[Epoch], every: int) -> list[int]:
    """Places of every so-manieth epoch, of the first, the last, and the one whose weights were kept.

    >>> shown_places([Epoch(n, 0.5, n in (1, 4)) for n in range(1, 11)], 3)
    [0, 2, 3, 5, 8, 9]
    """
    last = len(epochs) - 1
    kept = max((place for place, epoch in enumerate(epochs) if epoch.is_best), default=last)
    return sorted({0, kept, last, *range(every - 1, len(epochs), every)})


def encode_gif(frames: Frames, colours: Colours, durations_ms: Sequence[int]) -> bytes:
    """Encode frames as an endless GIF with one palette."""
    pages = [indexed_image(pixels, colours) for pixels in frames]
    more = {"append_images": pages[1:], "duration": list(durations_ms), "disposal": 1}
    buffer = io.BytesIO()  # optimize: what a frame leaves as it was becomes see-through, a third of the size
    pages[0].save(buffer, "GIF", save_all=True, loop=0, optimize=True, **more)
    return buffer.getvalue()


def encode_webp(frames: Frames, colours: Colours, durations_ms: Sequence[int]) -> bytes:
    """Encode the pixels of the GIF as an endless lossless WebP: a third smaller.

    A lossy one of that size would be off by five grey levels in the mean, and by far more at the outlines.
    """
    pages = [Image.fromarray(colours[indexed(pixels, colours)]) for pixels in frames]
    more = {"append_images": pages[1:], "duration": list(durations_ms), **NO_KEY_FRAMES}
    buffer = io.BytesIO()
    pages[0].save(buffer, "WEBP", save_all=True, loop=0, lossless=True, quality=75, method=4, **more)
    return buffer.getvalue()
