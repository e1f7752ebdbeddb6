"""What results must hold: files, defined scores, rows and words of tables and pages, and whole animations."""

import csv
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

Check = Callable[[Path], str]


@dataclass(frozen=True)
class Promise:
    """A sentence that is true of the folder results/, and a check that gives what is lacking, "" where nothing is."""

    what: str
    lacking: Check


def files(what: str, pattern: str, count: int = 1) -> Promise:
    """At least `count` files that are not empty, or folders that are not, fit a pattern below results/."""

    def lacking(results: Path) -> str:
        found = [path for path in results.glob(pattern) if _is_filled(path)]
        return "" if len(found) >= count else f"{len(found)} of {count} {pattern}"

    return Promise(what, lacking)


def scores(
    what: str, dataset: str, predictors: Iterable[str], metrics: Iterable[str], classes: Iterable[str] = ("foreground",)
) -> Promise:
    """summary.csv of the dataset has a number for each predictor, metric and class."""
    wanted = [(name, metric, each) for name in predictors for metric in metrics for each in classes]

    def lacking(results: Path) -> str:
        defined = {
            (row["architecture"], row["metric"], row["class"])
            for row in rows_of(results / dataset / "summary.csv")
            if math.isfinite(float(row["mean"] or "nan"))
        }
        return ", ".join(" ".join(each) for each in wanted if each not in defined)

    return Promise(what, lacking)


def above(what: str, dataset: str, predictor: str, metric: str, floor: float) -> Promise:
    """In summary.csv of the dataset the predictor's mean of the metric, of all foreground, is more than `floor`."""

    def lacking(results: Path) -> str:
        wanted = {"architecture": predictor, "metric": metric, "class": "foreground"}
        means = [
            float(row["mean"] or "nan")
            for row in rows_of(results / dataset / "summary.csv")
            if all(row[column] == value for column, value in wanted.items())
        ]
        return (
            "" if means and means[0] > floor else f"{predictor} {metric} {means[0] if means else 'none'}, not > {floor}"
        )

    return Promise(what, lacking)


def rows(what: str, pattern: str, count: int, **cells: str) -> Promise:
    """Every table that fits the pattern, and there is one, has at least `count` rows with such cells."""

    def lacking(results: Path) -> str:
        tables = sorted(results.glob(pattern))
        short = [
            f"{path.relative_to(results)} has {found} of {count} rows"
            for path in tables
            if (found := sum(_has(row, cells) for row in rows_of(path))) < count
        ]
        return ", ".join(short) if tables else f"no {pattern}"

    return Promise(what, lacking)


def words(what: str, path: str, *wanted: str) -> Promise:
    """A text file has all these words, whatever its lines."""

    def lacking(results: Path) -> str:
        text = " ".join((results / path).read_text(encoding="utf-8").split()) if (results / path).is_file() else ""
        return ", ".join(f"'{each}' in {path}" for each in wanted if each not in text)

    return Promise(what, lacking)


def animations(what: str, pattern: str, tiles: int) -> Promise:
    """Every GIF that fits the pattern, and there is one, has a frame for each epoch of its training's history, each of
    so many tiles side by side."""

    def lacking(results: Path) -> str:
        found = sorted(results.glob(pattern))
        short = [f"{path.relative_to(results)} has {said}" for path in found if (said := _cut_short(path, tiles))]
        return ", ".join(short) if found else f"no {pattern}"

    return Promise(what, lacking)


def restarts(what: str, pattern: str) -> Promise:
    """In every history.csv that fits the pattern, and there is one, the learning rate falls and later rises again."""

    def lacking(results: Path) -> str:
        found = sorted(results.glob(pattern))
        never = [f"{path.relative_to(results)} never rises again" for path in found if not _rises_again(path)]
        return ", ".join(never) if found else f"no {pattern}"

    return Promise(what, lacking)


def versions(what: str, dataset: str, architecture: str, times: int, batch_size: int) -> Promise:
    """An epoch of each fold has as many steps as `times` versions of the windows on its training images take."""

    def lacking(results: Path) -> str:
        folds, windows = (rows_of(results / dataset / name) for name in ("folds.csv", "tiles/windows.csv"))
        wrong = []
        for fold in sorted({row["fold"] for row in folds}):
            names = {row["name"] for row in folds if (row["fold"], row["part"]) == (fold, "train")}
            tiles = times * sum(row["name"] in names for row in windows)
            steps = {row["steps"] for row in rows_of(results / dataset / architecture / f"fold{fold}" / "history.csv")}
            if steps != {str(-(-tiles // batch_size))}:
                wrong.append(f"fold {fold}: {', '.join(steps) or 'no'} steps for {tiles} tiles")
        return ", ".join(wrong) if folds else f"no {dataset}/folds.csv"

    return Promise(what, lacking)


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV; none where it is not there."""
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _cut_short(gif: Path, tiles: int) -> str:
    epochs = len(rows_of(gif.parent / "history.csv"))
    with Image.open(gif) as animation, Image.open(gif.parent / "epochs" / "image.png") as strip:
        frames, shown = animation.n_frames, strip.width // strip.height
    return "" if (frames, shown) == (epochs, tiles) else f"{frames} of {epochs} frames, {shown} of {tiles} tiles"


def _rises_again(history: Path) -> bool:
    rates = [float(row["learning_rate"]) for row in rows_of(history)]
    falls = [later < earlier for earlier, later in itertools.pairwise(rates)]
    return True in falls and False in falls[falls.index(True) :]


def _has(row: Mapping[str, str], cells: Mapping[str, str]) -> bool:
    return all(wanted in row.get(column, "") for column, wanted in cells.items())


def _is_filled(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0
