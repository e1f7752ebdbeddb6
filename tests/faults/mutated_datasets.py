"""A process that reads a dataset again and again, one file of it mutated each time, so that a crash ends it alone.

Each time the reader must give sound samples or an InputError; anything else is told with reader, file and number of the
mutation. Arguments: the reader, the dataset's folder, how many mutations, the reader's options as JSON.
"""

import faulthandler
import json
import math
import os
import random
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.prepare.preparation import Acceptance
from histoloom.sample import Dataset, Sample
from tests.faults.mutated_images import PIXEL_LIMIT, limit_memory, mutate, with_checksums

SLOWEST = 20  # seconds for one mutation
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
NUMBERS = (b"", b"0", b"-1", b"1e999", b"NaN", b"null", b"0.5", b"65536", b"2147483648", b"9" * 30, b"1e300")
SUFFIXES = (".png", ".tif", ".jpg", ".txt", ".csv", ".json", ".geojson", ".xml", ".xml.gz", ".npy")


def main() -> None:
    name, root, count, options = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    reader = plugins.load("datasets", name)
    os.environ["HISTOLOOM_LIMITS"] = f"image_pixels={PIXEL_LIMIT}"
    assert not (found := complaints(reader, root, options)), found  # before the first mutation
    limit_memory()
    outcomes = Counter(outcome(name, reader, root, options, number) for number in range(count))
    assert not (found := complaints(reader, root, options)), found  # each file was restored
    print(outcomes["read"], outcomes["refused"], outcomes["failed"])


def outcome(name: str, reader: Callable, root: Path, options: dict, number: int) -> str:
    with mutated(root, number) as what:
        print(f"{name}, mutation {number}: {what}", flush=True)  # before it is read: a crash leaves this line the last
        faulthandler.dump_traceback_later(SLOWEST, exit=True)
        try:
            return "refused" if complaints(reader, root, options) else "read"
        except Exception:
            print(f"{name}, mutation {number}: {what}\n{traceback.format_exc()}", file=sys.stderr)
            return "failed"
        finally:
            faulthandler.cancel_dump_traceback_later()


def complaints(reader: Callable, root: Path, options: dict) -> list[str]:
    """Why a dataset, or a part of it, is refused; every item is tried."""
    try:
        dataset = reader(root, **options)
    except InputError as error:
        check_message(str(error), str(root))
        return [str(error)]
    check_dataset(dataset, root)
    accept = Acceptance(len(dataset.classes))
    found = [complaint(read, accept, root) for read in dataset.items]
    return [message for message in (*dataset.problems, *found) if message]


def complaint(read: Callable[[], Sample], accept: Acceptance, root: Path) -> str:
    source = ""
    try:
        sample = read()
        source = sample.source
        accept(sample)
    except InputError as error:
        check_message(str(error), source or str(root))
        return str(error)
    check_sample(sample)
    return ""


def check_message(message: str, place: str) -> None:
    assert place in message, message
    assert message.count("\n") < 4, message
    assert "MemoryError" not in message, message


def check_dataset(dataset: Dataset, root: Path) -> None:
    assert dataset.classes[0] == "background", dataset.classes
    for problem in dataset.problems:
        check_message(problem, str(root))
    check_texts(*dataset.classes, *dataset.warnings, *map(str, dataset.facts.values()))


def check_sample(sample: Sample) -> None:
    """Kinds and ranges that Acceptance takes for granted."""
    assert (sample.image.dtype, sample.image.ndim, sample.image.shape[2]) == (np.uint8, 3, 3), sample.image.shape
    assert sample.mask.dtype == np.uint8, sample.mask.dtype
    for ids in (sample.instances, sample.second_instances):
        assert ids is None or (ids.dtype == np.int32 and ids.min() >= 0), ids
    assert sample.mpp is None or (math.isfinite(sample.mpp) and sample.mpp > 0), sample.mpp
    assert sample.fold is None or sample.fold >= 0, sample.fold
    assert all(type(count) is int and count >= 0 for count in sample.counts.values()), sample.counts
    check_texts(sample.name, sample.group, sample.stratum, sample.source)


def check_texts(*texts: str) -> None:
    for text in texts:
        assert type(text) is str, text
        text.encode()  # half a surrogate pair could not be written to a table


@contextmanager
def mutated(root: Path, number: int) -> Iterator[str]:
    """One file of the dataset mutated, by a chance that `number` alone decides; gives what was done, then restores."""
    chance = random.Random(number)
    path = chance.choice(sorted(path for path in root.rglob("*") if path.is_file()))
    payload, copy = path.read_bytes(), path
    kind = chance.choices(("bytes", "number", "empty", "rename"), (12, 5, 1, 2))[0]
    content = {"empty": b"", "rename": payload}.get(kind)
    if kind == "rename":
        copy = path.with_suffix(chance.choice([one for one in SUFFIXES if not path.with_suffix(one).exists()]))
    if content is None:
        content = (with_number if kind == "number" else with_bytes)(payload, chance)
    replace(path, copy, content, 2 * number)
    try:
        yield f"{path.relative_to(root)}, {kind}{f' to {copy.name}' if copy != path else ''}"
    finally:
        replace(copy, path, payload, 2 * number + 1)


def replace(old: Path, new: Path, content: bytes, seconds: int) -> None:
    """Put a new file in place of an old one, not into it, since that one may still be mapped into memory."""
    old.unlink()
    new.write_bytes(content)
    os.utime(new, (seconds, seconds))  # else two mutations within one tick of the clock look like the same file


def with_bytes(payload: bytes, chance: random.Random) -> bytes:
    if payload.startswith(b"II*\0") and chance.random() < 0.5:  # the tags, which in a slide may lie anywhere
        start = int.from_bytes(payload[4:8], "little")
        return payload[:start] + mutate(payload[start : start + 2000], chance) + payload[start + 2000 :]
    content = mutate(payload, chance)
    return with_checksums(content) if payload.startswith(b"\x89PNG") and chance.random() < 0.7 else content


def with_number(payload: bytes, chance: random.Random) -> bytes:
    """Another number in a text, or in the header of a .npy file."""
    found = list(NUMBER.finditer(payload[:4000]))
    start, end = chance.choice(found).span() if found else (0, 0)
    return payload[:start] + chance.choice(NUMBERS) + payload[end:]


if __name__ == "__main__":
    main()
