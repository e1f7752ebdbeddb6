"""Two runs of one study, file by file: equal to the byte, or equal in all but what a clock or a memory gauge gave.

Every file that is not listed in VARYING has to be the same to the byte.
"""

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

FOLDERS = ("results", "logs", "benchmark")
SCHEDULERS = "logs/slurm"  # what Slurm's jobs print, which a run without Slurm has not
DIGEST = re.compile(r"(?<=-)[0-9a-f]{64}(?=\.pt$)")  # a checkpoint's name bears that of its bytes
TIMED = frozenset(
    ("seconds", "images_per_second", "peak_memory_mib", "seconds_per_mm2", "seconds_per_megapixel", "training_seconds")
)  # columns of tables and keys of JSON
GAUGED = re.compile(r"\d[\d.,]* MiB\b|\d[\d.,]* (?:s|min|h|d)\b(?: \d+ (?:s|min|h)\b)?")
COST_TABLE = re.compile(r"<thead><tr><th [^>]*>architecture</th><th [^>]*>seconds.*?</table>", re.DOTALL)
COST_CELL = re.compile(r'(<td class="hl-right">)[^<]*')
PARAMETERS_CELL, COST_CELLS = 3, 5  # the fourth of a row's five numbers is no time


def table(payload: bytes) -> bytes:
    """A CSV without the columns that are measured."""
    rows = list(csv.reader(io.StringIO(payload.decode())))
    kept = [place for place, name in enumerate(rows[0]) if name not in TIMED]
    return repr([[row[place] for place in kept] for row in rows]).encode()


def table_page(payload: bytes) -> bytes:
    """A page of the report with a table in its download link, without the columns that are measured."""
    link = re.compile(rb"(?<=base64,)[A-Za-z0-9+/=]+")
    return link.sub(lambda found: table(base64.b64decode(found[0])), payload)


def parquet(payload: bytes) -> bytes:
    """A Parquet table without the columns that are measured."""
    import pandas

    frame = pandas.read_parquet(io.BytesIO(payload))
    return frame.drop(columns=TIMED & set(frame.columns)).to_csv().encode()


def values(payload: bytes) -> bytes:
    """A JSON object without the values that are measured."""
    return repr({key: value for key, value in json.loads(payload).items() if key not in TIMED}).encode()


def prose(payload: bytes) -> bytes:
    """A text without its times and amounts of memory."""
    return GAUGED.sub("", payload.decode()).encode()


def front_page(payload: bytes) -> bytes:
    """The front page without the numbers of its tables of costs, but with the parameters there."""

    def without_costs(found: re.Match) -> str:
        place = count()
        return COST_CELL.sub(lambda cell: cell[0] if next(place) % COST_CELLS == PARAMETERS_CELL else cell[1], found[0])

    return COST_TABLE.sub(without_costs, payload.decode()).encode()


def checkpoint(payload: bytes) -> bytes:
    """All numbers of a checkpoint but for the seconds of its epochs."""
    import torch

    state = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    return "\n".join(_facts("", state)).encode()


def nothing(_: bytes) -> bytes:
    """No byte: it counts only that there is such a file."""
    return b""


@dataclass(frozen=True)
class Varying:
    """Files that may differ between two equal runs: their path, why, and what of them has to be equal still."""

    path: str  # shell pattern, * for folders as well
    reason: str
    rest: Callable[[bytes], bytes]


VARYING = (  # each with a reason of its own, by which the table groups them
    Varying("results/*/history.csv", "the seconds of each epoch", table),
    Varying(
        "results/*/state/*/checkpoint-*.pt", "the same in checkpoints, and so the digests in their names", checkpoint
    ),
    Varying("results/*/tuning/trials.csv", "the seconds of each trial", table),
    Varying("results/*/figures/tuning_*.html", "the same as a page", table_page),
    Varying("results/*/tuning/state/*/journal.log*", "all of Optuna's journal, whose lines have dates", nothing),
    Varying("results/*/cost.json", "seconds and memory of predicting", values),
    Varying("results/*/costs.csv", "their means", table),
    Varying("results/*/tables/costs.parquet", "their means, as Parquet", parquet),
    Varying("results/*/figures/costs.html", "their means, as a page", table_page),
    Varying("results/*/figures/card_*", "the same in words", prose),
    Varying("results/report/*/front.rst", "the same in a table", front_page),
    Varying("results/*/figures/pareto.*", "all of a picture of seconds", nothing),
    Varying("benchmark/*", "all of the seconds and memory of each job", nothing),
    Varying("logs/*", "all of the logs, which tell of speeds", nothing),
)


@dataclass(frozen=True)
class Compared:
    """One file of two runs: its path, why it may differ, and how it does; "" where it may not, and does not."""

    path: str
    reason: str
    difference: str


def compare(first: Path, second: Path) -> list[Compared]:
    """Compare what two working copies hold under FOLDERS, in the order of the paths."""
    files, others = _files(first), _files(second)
    return [_compared(name, files.get(name), others.get(name)) for name in sorted(files | others)]


def report(rows: Iterable[Compared]) -> str:
    """A table of how many files are equal, by what of them is compared and why, and a line for each that differs."""
    rows = list(rows)
    lines = [f"{'files':>6} {'equal':>6}  compared"]
    for varying in (Varying("all others", "", bytes), *VARYING):
        group = [row for row in rows if row.reason == varying.reason]
        equal = sum(not row.difference for row in group)
        how = f"but for {varying.reason}" if varying.reason else "to the byte"
        lines.append(f"{len(group):>6} {equal:>6}  {varying.path}: {how}")
    lines += [f"DIFFERENT {row.path}: {row.difference}" for row in rows if row.difference]
    return "\n".join(lines)


def _files(copy: Path) -> dict[str, Path]:
    everything = (path for folder in FOLDERS for path in (copy / folder).rglob("*"))
    found = (path for path in everything if not path.is_dir() and not path.is_relative_to(copy / SCHEDULERS))
    return {DIGEST.sub("*", path.relative_to(copy).as_posix()): path for path in found}


def _compared(name: str, first: Path | None, second: Path | None) -> Compared:
    varying = next((each for each in VARYING if fnmatch(name, each.path)), Varying("*", "", bytes))
    if first is None or second is None:
        return Compared(name, varying.reason, f"only in the {'second' if first is None else 'first'} run")
    one, other = (varying.rest(path.read_bytes()) for path in (first, second))
    return Compared(name, varying.reason, _difference(one, other))


def _difference(one: bytes, other: bytes) -> str:
    if one == other:
        return ""
    place = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        return f"{len(one)} and {len(other)} bytes"
    start = max(0, place - 20)
    return f"from byte {place} on: {one[start : place + 20]!r} and {other[start : place + 20]!r}"


def _facts(name: str, value: object) -> Iterator[str]:
    import torch

    if isinstance(value, dict):
        for key in sorted(value.keys() - TIMED, key=str):
            yield from _facts(f"{name}/{key}", value[key])
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _facts(f"{name}/{place}", each)
    elif isinstance(value, torch.Tensor):
        content = value.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        yield f"{name}: {value.dtype} {tuple(value.shape)} {content.hex()}"
    else:
        yield f"{name}: {value!r}"
