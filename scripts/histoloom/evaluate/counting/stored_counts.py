"""The stored facts of predictions: written once for each fold, read again for every table and picture."""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from jaxtyping import Num

from histoloom.errors import InputError
from histoloom.evaluate.counting.facts import CONFUSION
from histoloom.files import atomic_file

IMAGE_COLUMNS = ("fold", "name", "group", "stratum")
ABOUT = ("dataset", "architecture", "unit", "size_names", "lengths")
CURE = "delete the file and run the workflow again"
PREFIX = "fact_"  # of the stored arrays that are facts
# Half the room of what is by far the largest fact; no image has 2^32 pixels of one probability.
KINDS = {"probabilities": np.uint32}
DAMAGE = (OSError, ValueError, LookupError, EOFError, NotImplementedError, BadZipFile, zlib.error)


@dataclass(frozen=True)
class Counts:
    """The stored facts of one architecture on one dataset: one entry for each image and fold that predicted it.

    `facts` maps names of evaluate.counting.facts.FACTS to arrays of images, rows and columns. Distances are in `unit`,
    "um" or "px"; `size_names` say which areas the rows of the fact `sizes` are of, `lengths` how far a boundary that
    counts as near and a centroid that is paired lie off at most.
    """

    dataset: str
    architecture: str
    images: pd.DataFrame  # fold, name, group, stratum
    facts: Mapping[str, Num[np.ndarray, "images rows columns"]]
    unit: str = "px"
    size_names: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()


def write_counts(path: Path, counts: Counts) -> None:
    """Write all facts of one fold as a compressed .npz without pickled objects; the same facts give the same bytes."""
    about = {name: np.array(getattr(counts, name), np.str_) for name in ABOUT}
    images = {name: counts.images[name].to_numpy(np.int64 if name == "fold" else np.str_) for name in IMAGE_COLUMNS}
    facts = {f"{PREFIX}{name}": _compact(name, values) for name, values in counts.facts.items()}
    with atomic_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **about, **images, **facts)


def read_counts(paths: Sequence[Path], n_classes: int, facts: Collection[str] | None = None) -> list[Counts]:
    """Read the counts of all folds and architectures of one dataset, architectures in the order of the files.

    Of the facts only those in `facts` are read, and of these such as are stored; None: all.
    Raises InputError for a damaged file, files of several datasets, an image counted twice by one fold, other classes,
    and folds of an architecture whose facts differ.
    """
    owners = [(path, *_owner(path)) for path in paths]
    datasets = sorted({dataset for _, dataset, _ in owners})
    if len(datasets) != 1:
        raise InputError(
            f"{paths[0]}: counts of {len(datasets)} datasets ({', '.join(datasets)}); expected one dataset; "
            "give the counts of one dataset"
        )
    architectures = dict.fromkeys(architecture for _, _, architecture in owners)
    # One architecture after the other: the folds of a single one are held twice, and only while they are joined.
    return [
        _joined([(path, _read(path, n_classes, facts)) for path, _, owner in owners if owner == name])
        for name in architectures
    ]


def _compact(name: str, values: Num[np.ndarray, "images rows columns"]) -> Num[np.ndarray, "images rows columns"]:
    kind = KINDS.get(name)
    if kind is None:
        return values
    compact = values.astype(kind)
    assert np.array_equal(compact, values), f"{name}: not whole numbers from 0 to {np.iinfo(kind).max}"
    return compact


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The stored arrays by name, each read when it is asked for; a damaged file is an InputError whenever it shows."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected counts from evaluate_predictions.py; run the workflow again")
    try:
        # Opened here: numpy leaves a file open in which it finds no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            yield stored
    except DAMAGE as error:
        raise InputError(f"{path}: cannot be read ({error}); expected the counts of a fold; {CURE}") from error


def _owner(path: Path) -> tuple[str, str]:
    with _opened(path) as stored:
        return str(stored["dataset"]), str(stored["architecture"])


def _read(path: Path, n_classes: int, wanted: Collection[str] | None) -> Counts:
    with _opened(path) as stored:
        dataset, architecture, unit = (str(stored[name]) for name in ABOUT[:3])
        images = pd.DataFrame({name: stored[name] for name in IMAGE_COLUMNS})
        size_names, lengths = (tuple(stored[name].tolist()) for name in ABOUT[3:])
        _, classes, predicted = stored[f"{PREFIX}{CONFUSION}"].shape
        names = [name.removeprefix(PREFIX) for name in stored if name.startswith(PREFIX)]
        facts = {name: stored[f"{PREFIX}{name}"] for name in names if wanted is None or name in wanted}
    if (classes, predicted) != (n_classes, n_classes):
        raise InputError(f"{path}: counts of {classes} classes; expected {n_classes} as in dataset.json; {CURE}")
    images = images.astype(dict.fromkeys(IMAGE_COLUMNS[1:], str))
    return Counts(dataset, architecture, images, facts, unit, size_names, lengths)


def _joined(parts: Sequence[tuple[Path, Counts]]) -> Counts:
    first_path, first = parts[0]
    for path, part in parts:
        if alike(part) != alike(first):
            raise InputError(f"{path}: other facts, unit or sizes than in {first_path}; {CURE}")
    images = pd.concat([part.images.assign(path=str(path)) for path, part in parts], ignore_index=True)
    double = images.duplicated(["fold", "name"])
    if double.any():
        row = images[double].iloc[0]
        raise InputError(f"{row.path}: image '{row['name']}' is counted twice in fold {row.fold}; expected once")
    facts = {name: np.concatenate([part.facts[name] for _, part in parts]) for name in first.facts}
    images = images[list(IMAGE_COLUMNS)]
    return Counts(first.dataset, first.architecture, images, facts, first.unit, first.size_names, first.lengths)


def alike(counts: Counts) -> tuple[object, ...]:
    """What has to be the same in the counts of all folds of an architecture."""
    return tuple(sorted(counts.facts)), counts.unit, counts.size_names, counts.lengths
