"""The stored facts of predictions: written once for each fold, read again for every table and picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Num

from histoloom.errors import InputError
from histoloom.evaluate.counting.facts import CONFUSION
from histoloom.files import atomic_file

IMAGE_COLUMNS = ("fold", "name", "group", "stratum")
ABOUT = ("dataset", "architecture", "unit", "size_names")
CURE = "delete the file and run the workflow again"


@dataclass(frozen=True)
class Counts:
    """The stored facts of one architecture on one dataset: one entry for each image and fold that predicted it.

    `facts` maps names of evaluate.facts.FACTS to arrays of images, rows and columns. Distances are in `unit`, "um" or
    "px"; `size_names` say which areas the rows of the fact `sizes` are of.
    """

    dataset: str
    architecture: str
    images: pd.DataFrame  # fold, name, group, stratum
    facts: Mapping[str, Num[np.ndarray, "images rows columns"]]
    unit: str = "px"
    size_names: tuple[str, ...] = ()


def write_counts(path: Path, counts: Counts) -> None:
    """Write all facts of one fold as a compressed .npz without pickled objects; the same facts give the same bytes."""
    about = {name: np.array(getattr(counts, name), np.str_) for name in ABOUT}
    images = {name: counts.images[name].to_numpy(np.int64 if name == "fold" else np.str_) for name in IMAGE_COLUMNS}
    facts = {f"fact_{name}": values for name, values in counts.facts.items()}
    with atomic_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **about, **images, **facts)


def read_counts(paths: Sequence[Path], n_classes: int) -> list[Counts]:
    """Read the counts of all folds and architectures of one dataset, architectures in the order of the files.

    Raises InputError for a damaged file, files of several datasets, an image counted twice by one fold, other classes,
    and folds of an architecture whose facts differ.
    """
    parts = [(path, _read(path, n_classes)) for path in paths]
    datasets = sorted({part.dataset for _, part in parts})
    if len(datasets) != 1:
        raise InputError(
            f"{paths[0]}: counts of {len(datasets)} datasets ({', '.join(datasets)}); expected one dataset; "
            "give the counts of one dataset"
        )
    architectures = dict.fromkeys(part.architecture for _, part in parts)
    return [_joined([each for each in parts if each[1].architecture == name]) for name in architectures]


def _read(path: Path, n_classes: int) -> Counts:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected counts from evaluate_predictions.py; run the workflow again")
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {name: stored[name] for name in stored.files}
        dataset, architecture, unit = (str(values[name]) for name in ABOUT[:3])
        images = pd.DataFrame({name: values[name] for name in IMAGE_COLUMNS}).astype(
            dict.fromkeys(IMAGE_COLUMNS[1:], str)
        )
        size_names = tuple(values["size_names"].tolist())
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected the counts of a fold; {CURE}") from error
    facts = {name.removeprefix("fact_"): array for name, array in values.items() if name.startswith("fact_")}
    if facts[CONFUSION].shape[1:] != (n_classes, n_classes):
        raise InputError(
            f"{path}: counts of {facts[CONFUSION].shape[1]} classes; expected {n_classes} as in dataset.json; {CURE}"
        )
    return Counts(dataset, architecture, images, facts, unit, size_names)


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
    return Counts(first.dataset, first.architecture, images, facts, first.unit, first.size_names)


def alike(counts: Counts) -> tuple[object, ...]:
    """What has to be the same in the counts of all folds of an architecture."""
    return tuple(sorted(counts.facts)), counts.unit, counts.size_names
