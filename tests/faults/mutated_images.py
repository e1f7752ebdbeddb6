"""A process that reads damaged copies of image files in little memory, so that a crash ends it and not the tests.

Each copy must give an array of its reader's kind or an InputError; anything else ends the process with a traceback.
"""

import os
import random
import resource
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.formats.images import read_colours, read_image, read_instances, read_mask

READERS = {read_image: ("uint8", 3), read_mask: ("uint8", 2), read_instances: ("int32", 2), read_colours: ("uint8", 3)}
PIXEL_LIMIT = 2**20  # pixels: mutated headers claim anything up to it
SPARE = 512 * 2**20  # bytes of address space above what the imports took
EXTREMES = (b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\x7f", b"\1\0\0\0")


def main() -> None:
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    if kind == "limits":
        limit_memory()
        print(*(outcome(path) for path in sorted(folder.iterdir())))
        return
    os.environ["HISTOLOOM_LIMITS"] = f"image_pixels={PIXEL_LIMIT}"
    limit_memory()
    chance = random.Random(0)
    outcomes = [
        outcome(copy) for path in sorted(folder.iterdir()) for copy in mutations(path, int(sys.argv[3]), chance)
    ]
    print(outcomes.count("read"), outcomes.count("refused"))


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def outcome(path: Path) -> str:
    """Whether any reader takes the file."""
    return "read" if any([is_read(path, read) for read in READERS]) else "refused"  # noqa: C419 - all are to run


def is_read(path: Path, read: Callable) -> bool:
    try:
        pixels = read(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: "), error
        assert str(error).count("\n") < 4, error
        assert "MemoryError" not in str(error), error
        return False
    dtype, dimensions = READERS[read]
    assert (pixels.dtype, pixels.ndim) == (np.dtype(dtype), dimensions), (path, pixels.dtype, pixels.shape)
    return True


def mutations(path: Path, count: int, chance: random.Random) -> Iterator[Path]:
    """Mutated copies, one after the other in one file; the checksums of half of the PNGs are set right again."""
    payload = path.read_bytes()
    copy = path.with_name(f"mutated{path.suffix}")
    for number in range(count):
        mutated = mutate(payload, chance)
        copy.write_bytes(with_checksums(mutated) if payload.startswith(b"\x89PNG") and number % 2 else mutated)
        yield copy
    copy.unlink()


def mutate(payload: bytes, chance: random.Random) -> bytes:
    end = len(payload) if chance.random() < 0.5 else min(len(payload), 400)  # headers more often than their share
    at = chance.randrange(end)
    length = chance.choice((1, 2, 4, 16, 200))
    new = {
        "flip": lambda: bytes([payload[at] ^ (1 << chance.randrange(8))]),
        "noise": lambda: chance.randbytes(length),
        "zeros": lambda: bytes(length),
        "extreme": lambda: chance.choice(EXTREMES),
    }
    what = chance.choice((*new, "cut", "drop", "insert"))
    if what == "cut":
        return payload[:at]
    if what == "drop":
        return payload[:at] + payload[at + length :]
    if what == "insert":
        return payload[:at] + chance.randbytes(length) + payload[at:]
    patch = new[what]()
    return payload[:at] + patch + payload[at + len(patch) :]


def with_checksums(payload: bytes) -> bytes:
    fixed = bytearray(payload)
    start = 8
    while start + 12 <= len(fixed):
        end = start + 12 + struct.unpack_from(">I", fixed, start)[0]
        if end > len(fixed):
            break
        struct.pack_into(">I", fixed, end - 4, zlib.crc32(fixed[start + 4 : end - 4]))
        start = end
    return bytes(fixed)


if __name__ == "__main__":
    main()
