"""Row B2: slides that are cut off, damaged in one tile, or do not say how large a pixel is."""

import hashlib
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from tests.bad_input.case import Case
from tests.bad_input.made_files import put, save
from tests.slides.made_slides import MadeTissue, write_pyramid
from tests.slides.slide_case import SlideCase

HEIGHT, WIDTH = 600, 700  # three by three tiles of 256 px
MADE = MadeTissue(HEIGHT, WIDTH)
FIND = ("find_tissue.py", "--slide", "slides/a.tif")
WRITTEN = ("tissue.png", "slide.json")


def slide(mpp: float | None = 0.5, **options: object) -> Path:
    Path("slides").mkdir(exist_ok=True)
    return write_pyramid(Path("slides/a.tif"), MADE.rows, HEIGHT, WIDTH, mpp=mpp, **({"levels": 2} | options))


def cut_off(share: float) -> None:
    path = slide()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def last_tile_cut_off() -> None:
    Path("slides").mkdir()
    tifffile.imwrite("slides/a.tif", MADE.rows(0, HEIGHT), photometric="rgb", tile=(256, 256))
    content = Path("slides/a.tif").read_bytes()
    put("slides/a.tif", content[:-1000])


def zeroed_tile(path: Path, number: int = 4) -> None:
    with tifffile.TiffFile(path) as file:
        start, length = file.pages[0].dataoffsets[number], file.pages[0].databytecounts[number]
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(length) + content[start + length :])


def zeroed_tile_that_no_decoder_sees() -> None:
    """The tile is not compressed: zeros are sound pixels. Only the checksum of the whole slide tells."""
    path = slide(compression=None, levels=1)
    put("slides/SHA256SUMS", f"{hashlib.sha256(path.read_bytes()).hexdigest()}  a.tif\n")
    zeroed_tile(path)


def zeroed_compressed_tile() -> None:
    zeroed_tile(slide(levels=1, compression="deflate"))


def without_a_line() -> None:
    slide()
    put("slides/SHA256SUMS", f"{'0' * 64}  b.tif\n")


def missing_level() -> None:
    path = slide()
    with tifffile.TiffFile(path) as file:
        pointer = file.pages[0].offset + 8 + 20 * len(file.pages[0].tags)
    content = path.read_bytes()
    path.write_bytes(content[:pointer] + (10**6).to_bytes(8, "little") + content[pointer + 8 :])


def foreign() -> None:
    put("slides/a.tif", "<html>please log in</html>")


def with_a_mask_of_another_shape() -> None:
    slide()
    save("mask.png", np.full((60, 20), 255, np.uint8))


def of_glass() -> None:
    Path("slides").mkdir()
    glass = partial(np.full, fill_value=244, dtype=np.uint8)
    rows = lambda first, last: glass((last - first, WIDTH, 3))  # noqa: E731
    write_pyramid(Path("slides/a.tif"), rows, HEIGHT, WIDTH, mpp=0.5, compression="deflate")


def to_be_predicted() -> None:
    SlideCase(Path(), HEIGHT, WIDTH).write()
    zeroed_tile(Path("slide.tif"), 1)  # of the first row, so that nothing is predicted before


def by_a_pickle() -> None:
    SlideCase(Path(), HEIGHT, WIDTH).write()
    put("model.safetensors", pickle.dumps(Path("executed")))


PREDICT = ("predict_slide.py", "--slide", "slide.tif")
CASES = [
    Case("B2", "a tile of zeros in a slide to be predicted", to_be_predicted, PREDICT, writes=("state",)),
    Case("B11", "a pickle named as a model", by_a_pickle, PREDICT),
    Case("B2", "a slide of which a third is missing", partial(cut_off, 0.66), FIND, as_process=True),
    Case("B2", "a slide of which there is nothing but the start", partial(cut_off, 0.0001), FIND),
    Case("B2", "a slide whose last tile is cut off", last_tile_cut_off, FIND),
    Case("B2", "a slide that leads to a level that is not there", missing_level, FIND),
    Case("B2", "a tile of zeros", zeroed_compressed_tile, FIND),
    Case(
        "B2",
        "a tile of zeros that no decoder sees",
        zeroed_tile_that_no_decoder_sees,
        (*FIND, "--checksums", "slides/SHA256SUMS"),
    ),
    Case("B2", "a slide without a checksum", without_a_line, (*FIND, "--checksums", "slides/SHA256SUMS")),
    Case("B2", "a slide that does not say how large a pixel is", partial(slide, None), FIND),
    Case("B2", "a web page named as a slide", foreign, FIND),
    Case("B2", "no slide at all", lambda: None, FIND),
    Case("B2", "a tissue mask of another shape", with_a_mask_of_another_shape, (*FIND, "--own-mask", "mask.png")),
    Case("B6", "a slide without tissue", of_glass, FIND, status=0, writes=WRITTEN),
]
