"""Objects of a large JSON file, one at a time and in bounded memory: the text is from outside and not to be trusted."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson
import numpy as np

from histoloom.errors import InputError
from histoloom.limits import limit, raising

GZIP = b"\x1f\x8b"


def stream_objects(path: Path, key: str) -> Iterator[Any]:
    """The values of the array under `key`, or of the file's array; else the file's one object itself. Plain or gzip.

    Raises InputError for an unreadable or truncated file, text that is no JSON or no array or object, brackets nested
    deeper than limits.json_depth, a value of more than limits.text_mib, and a file of more than limits.geojson_mib.
    """
    first = _first_byte(path)
    if first == b"[":
        yield from _items(path, "item")
        return
    if first != b"{":
        raise InputError(
            f"{path}: {f'starts with {first!r}' if first else 'is empty'}; expected JSON, which starts with {{ or [; "
            "export the file again"
        )
    is_empty = True
    for value in _items(path, f"{key}.item"):
        is_empty = False
        yield value
    if is_empty:
        (whole,) = _items(path, "")
        yield from [] if whole.get(key) == [] else [whole]


class _Guarded:
    """A stream of JSON text that is refused where it nests deeper, or one object is longer, than the limits."""

    def __init__(self, path: Path, file: io.BufferedReader | gzip.GzipFile) -> None:
        self.path, self.file = path, file
        self.object_bytes = self.all_bytes = self.depth = 0
        # Text of one object takes up to 30 times as much as Python lists, of a whole file 3 times as much as shapes.
        self.object_mib, self.file_mib, self.most_depth = map(limit, ("text_mib", "geojson_mib", "json_depth"))
        self.is_in_string = False
        self.rest = b""

    def read(self, size: int = -1) -> bytes:
        block = self.file.read(size)
        self.object_bytes += len(block)
        self.all_bytes += len(block)
        if self.object_bytes > self.object_mib * 2**20:
            raise InputError(
                f"{self.path}: one object takes more than {self.object_mib} MiB of text; expected less; split that "
                "annotation in QuPath (Objects > Annotations > Split) and export again,\n"
                f"or {raising('text_mib')}"
            )
        if self.all_bytes > self.file_mib * 2**20:
            raise InputError(
                f"{self.path}: has more than {self.file_mib} MiB of text when unpacked; expected less, since memory "
                f"grows with it; export the slide in parts, or {raising('geojson_mib')}"
            )
        steps = self._steps(block)
        deepest = self.depth + int(steps.max(initial=0))
        self.depth += int(steps[-1]) if len(steps) else 0
        if deepest > self.most_depth:
            raise InputError(
                f"{self.path}: brackets nest {deepest} deep; expected at most {self.most_depth}, as in GeoJSON; export "
                f"the file again, or {raising('json_depth')}"
            )
        return block

    def _steps(self, block: bytes) -> np.ndarray:
        """How deep the brackets nest at each byte, from the start of the block; those within strings do not count."""
        text = self.rest + block
        plain = re.sub(rb"\\.", b"", text, flags=re.DOTALL) if b"\\" in text else text
        self.rest = b"\\" if plain.endswith(b"\\") else b""  # escapes the first byte of the next block
        parts = plain.split(b'"')
        structure = np.frombuffer(b"".join(parts[self.is_in_string :: 2]), np.uint8) | 0x20  # [ becomes {, ] becomes }
        self.is_in_string ^= len(parts) % 2 == 0
        return np.cumsum((structure == ord("{")).astype(np.int64) - (structure == ord("}")))


def _items(path: Path, prefix: str) -> Iterator[Any]:
    try:
        with _opened(path) as file:
            guarded = _Guarded(path, file)
            for value in ijson.items(guarded, prefix, use_float=True):
                guarded.object_bytes = 0
                yield value
    except (ijson.JSONError, OSError, EOFError, zlib.error, ValueError) as error:
        raise _unreadable(path, error) from error


def _first_byte(path: Path) -> bytes:
    try:
        with _opened(path) as file:
            return file.read(2**16).lstrip()[:1]
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _opened(path: Path) -> io.BufferedReader | gzip.GzipFile:
    # By content, not by name: a browser may unpack a .gz and leave its name.
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP
    return gzip.open(path) if is_gzip else path.open("rb")


def _unreadable(path: Path, error: Exception) -> InputError:
    text = error.args[0] if error.args else type(error).__name__
    text = text.decode("latin-1") if isinstance(text, bytes) else str(error)
    reason = text.splitlines()[0][:120] if text else type(error).__name__
    return InputError(f"{path}: cannot be read as JSON ({reason}); expected a whole file; export it again")
