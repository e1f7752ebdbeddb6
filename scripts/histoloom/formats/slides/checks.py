"""What is checked of a slide's file before its pixels are read: its size, its end, and its checksum."""

import re
from pathlib import Path
from typing import Literal

import tifffile

from histoloom.errors import InputError
from histoloom.files import sha256
from histoloom.formats.whole import whole_text
from histoloom.limits import limit, raising

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
CHECKSUM = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")


def require_size(path: Path, width: int, height: int) -> None:
    """Refuse a slide whose header states more pixels a side than limits.slide_side_px, with an InputError."""
    if max(width, height) > (most := limit("slide_side_px")):
        raise InputError(
            f"{path}: its header says {width} x {height} pixels; expected at most {most} a side; copy or export the "
            f"slide again, or {raising('slide_side_px')}"
        )


def require_whole(path: Path) -> None:
    """Refuse a tiled TIFF that is cut off, that lacks levels, or that has another number of tiles than its size needs.

    A copy that broke off often opens and reads well, up to the tiles that are missing. Other files pass: they are
    judged where they are opened. Raises InputError.
    """
    with path.open("rb") as file:
        if file.read(4) not in TIFF_STARTS:
            return
    try:
        with tifffile.TiffFile(path) as file:
            if file.is_ndpi:  # has no tiles but in tifffile's eyes; OpenSlide alone judges it
                return
            pages = [page for page in file.pages if page.is_tiled]
            follows = _next_directory(file)
    except Exception as error:  # a damaged TIFF raises many kinds
        raise InputError(
            f"{path}: cannot be read as a TIFF ({str(error)[:120]}); expected a whole slide; copy or download the "
            "slide again"
        ) from error
    for page in pages:
        require_size(path, page.imagewidth, page.imagelength)
        _require_low_tiles(path, page)
        _require_tiles(path, page)
    if follows:
        raise InputError(
            f"{path}: names a level at byte {follows} that cannot be read; expected a whole slide; copy or download "
            "the slide again"
        )


def _require_low_tiles(path: Path, page: tifffile.TiffPage) -> None:
    # A row of tiles is decoded at once: tiles as high as the slide would take the memory of the whole.
    across = -(-page.imagewidth // page.tilewidth) * page.tilewidth
    if across * page.tilelength > (most := limit("image_pixels")):
        raise InputError(
            f"{path}: tiles of {page.tilewidth} x {page.tilelength} pixels, {across * page.tilelength:,} in a row; "
            f"expected at most {most:,}; export the slide with smaller tiles, or {raising('image_pixels')}"
        )


def _require_tiles(path: Path, page: tifffile.TiffPage) -> None:
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    needed = -(-page.imagewidth // page.tilewidth) * -(-page.imagelength // page.tilelength) * planes
    found = min(len(page.dataoffsets), len(page.databytecounts))
    if found < needed:
        raise InputError(
            f"{path}: {found} tiles where {page.imagewidth} x {page.imagelength} pixels need {needed}; "
            "expected one for each place; copy or export the slide again"
        )
    end = max(offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    size = path.stat().st_size
    if end > size:
        raise InputError(
            f"{path}: ends after {size} bytes, its tiles after {end} or later; expected a whole slide; it is cut off: "
            "copy or download the slide again"
        )


def _next_directory(file: tifffile.TiffFile) -> int:
    """The byte at which another level begins after the last that could be read; 0 as it should be."""
    kind, source = file.tiff, file.filehandle
    source.seek(file.pages[-1].offset)
    tags = int.from_bytes(source.read(kind.tagnosize), _order(kind.byteorder))
    source.seek(tags * kind.tagsize, 1)
    return int.from_bytes(source.read(kind.offsetsize), _order(kind.byteorder))


def _order(byteorder: str) -> Literal["little", "big"]:
    return "little" if byteorder == "<" else "big"


def require_checksum(slide: Path, manifest: Path) -> None:
    """Refuse a slide whose SHA-256 is not the one that `manifest` states: damage that no decoder sees is seen by it.

    The manifest has lines as `sha256sum` writes them, with names relative to its own folder. Lines of files in the
    folder that bears the slide's name (MRXS, VMS) are checked too. Raises InputError, also for a slide without a line.
    """
    companions = slide.resolve().with_suffix("")
    stated = _read_manifest(manifest)
    wanted = {path: digest for path, digest in stated.items() if path == slide.resolve() or companions in path.parents}
    if slide.resolve() not in wanted:
        raise InputError(
            f"{manifest}: no line for {slide}; expected its sha256; add what `sha256sum` writes for it, with its name "
            "relative to this file"
        )
    for path, digest in wanted.items():
        found = sha256(path) if path.is_file() else "no such file"
        if found != digest:
            raise InputError(
                f"{slide}: {path.name} has sha256 {found[:12]}; expected {digest[:12]} by {manifest}; the slide is "
                "damaged or another one: copy or download it again"
            )


def _read_manifest(manifest: Path) -> dict[Path, str]:
    lines = whole_text(manifest, "the text that `sha256sum` writes").splitlines()
    stated = {}
    for number, line in enumerate(lines, 1):
        match = CHECKSUM.fullmatch(line)
        if not match and line.strip():
            raise InputError(
                f"{manifest}: line {number} is {line[:60]!r}; expected a sha256, two spaces and a file name"
            )
        if match:
            name = match[2] if not line.startswith("\\") else match[2].replace("\\n", "\n").replace("\\\\", "\\")
            stated[(manifest.parent / name).resolve()] = match[1].lower()
    return stated
