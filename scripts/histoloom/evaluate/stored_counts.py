"""The tables of counts as they are read again: arrays of what each architecture got right, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from histoloom.errors import InputError
from histoloom.evaluate.counts import ANY, PAIR_COLUMNS


@dataclass(frozen=True)
class Counts:
    """The stored facts of one architecture on one dataset: one entry for each image and fold that predicted it.

    `pairs[i, 0]` takes all nuclei as one class, `pairs[i, c]` those of class c; all zero where truth has no nuclei.
    """

    dataset: str
    architecture: str
    images: pd.DataFrame  # fold, name, group, stratum
    confusion: Int64[np.ndarray, "images classes classes"]
    pairs: Float64[np.ndarray, "images classes 4"]


def read_counts(paths: Sequence[Path], n_classes: int) -> list[Counts]:
    """Read the counts of all folds and architectures of one dataset, architectures in the order of the files.

    Raises InputError for tables of several datasets, an image counted twice by one fold, or other classes.
    """
    text = dict.fromkeys(("dataset", "architecture", "name", "group", "stratum", "kind", "truth", "predicted"), str)
    tables = [pd.read_csv(_existing(path), dtype=text, keep_default_na=False).assign(path=str(path)) for path in paths]
    table = pd.concat(tables, ignore_index=True)
    datasets = table["dataset"].unique()
    if len(datasets) != 1:
        raise InputError(
            f"{paths[0]}: counts of {len(datasets)} datasets ({', '.join(datasets)}); expected one dataset with at "
            "least one image; give the counts of one dataset"
        )
    return [_architecture_counts(part, n_classes) for _, part in table.groupby("architecture", sort=False)]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such table; expected counts from evaluate_predictions.py; run the workflow again")
    return path


def _architecture_counts(table: pd.DataFrame, n_classes: int) -> Counts:
    double = table.duplicated(["fold", "name", "kind", "truth", "predicted"])
    if double.any():
        row = table[double].iloc[0]
        raise InputError(f"{row.path}: image '{row['name']}' is counted twice in fold {row.fold}; expected once")
    images = table[["fold", "name", "group", "stratum"]].drop_duplicates(["fold", "name"]).reset_index(drop=True)
    position = pd.MultiIndex.from_frame(images[["fold", "name"]])
    table = table.assign(image=position.get_indexer(pd.MultiIndex.from_frame(table[["fold", "name"]])))
    classes = {str(number): number for number in range(n_classes)}
    nuclei = {ANY: 0, **{str(number): number for number in range(1, n_classes)}}
    facts = {name: number for number, name in enumerate(PAIR_COLUMNS)}
    return Counts(
        dataset=table["dataset"].iloc[0],
        architecture=table["architecture"].iloc[0],
        images=images,
        confusion=_cells(table[table["kind"] == "pixels"], len(images), classes, classes).astype(np.int64),
        pairs=_cells(table[table["kind"] == "pairs"], len(images), nuclei, facts),
    )


def _cells(
    table: pd.DataFrame, images: int, rows: dict[str, int], columns: dict[str, int]
) -> Float64[np.ndarray, "images rows columns"]:
    unknown = table[~(table["truth"].isin(rows.keys()) & table["predicted"].isin(columns.keys()))]
    if len(unknown):
        row = unknown.iloc[0]
        raise InputError(
            f"{row.path}: {row.kind} of truth '{row.truth}', predicted '{row.predicted}'; expected {len(rows)} classes "
            "as in dataset.json; delete the file and run the workflow again"
        )
    cells = np.zeros((images, len(rows), len(columns)))
    cells[table["image"], table["truth"].map(rows), table["predicted"].map(columns)] = table["value"]
    return cells
