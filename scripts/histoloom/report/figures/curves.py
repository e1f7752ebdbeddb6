"""Learning curves: losses and validation score by epoch with their spread over folds, a row per architecture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from histoloom.report.figures.panel_rows import drawable, shortened
from histoloom.report.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, house_style

ROW_HEIGHT_IN, WIDTH_IN, LEGEND_IN = 2.5, 9.0, 0.75
COLOURS = {"train_loss": BLUE, "val_loss": ORANGE, "val_score": GREEN}
DASHES = {"train_loss": "-", "val_loss": "--", "val_score": "-"}  # so that grey prints can be read too
BAND_ALPHA = 0.18
NAMES = {"train_loss": "training loss", "val_loss": "validation loss", "val_score": "validation score"}


@dataclass(frozen=True)
class Curve:
    """The history of one fold; `best` is the epoch whose weights were kept, None where none was."""

    epochs: Int[np.ndarray, " epochs"]
    train_loss: Float[np.ndarray, " epochs"]
    val_loss: Float[np.ndarray, " epochs"]
    val_score: Float[np.ndarray, " epochs"]
    best: int | None


def curve(history: Sequence[Mapping[str, str]]) -> Curve:
    """Read the rows of a history.csv; an empty cell becomes NaN, which is drawn as a gap."""
    columns = {name: np.array([float(row[name] or "nan") for row in history]) for name in NAMES}
    marked = [int(row["epoch"]) for row in history if row["best"] == "1"]
    epochs = np.array([int(row["epoch"]) for row in history], dtype=np.int64)
    return Curve(epochs=epochs, best=marked[-1] if marked else None, **columns)


def spread(curves: Sequence[Curve], quantity: str) -> Float[np.ndarray, "3 epochs"]:
    """Mean, least and most over folds, for the epochs that all folds reached: beyond, folds that stopped make jumps."""
    shared = min(len(one.epochs) for one in curves)
    values = np.stack([getattr(one, quantity)[:shared] for one in curves])
    return np.stack([values.mean(axis=0), values.min(axis=0), values.max(axis=0)])


def draw_curves(architectures: Mapping[str, Sequence[Curve]]) -> Figure:
    """Draw losses (left) and validation score (right): folds thin, their mean thick on a band from least to most.

    Diamonds are the epochs whose weights were kept. All rows share their axes, so architectures can be compared by eye.
    """
    height = ROW_HEIGHT_IN * len(architectures) + LEGEND_IN
    has_folds = any(len(curves) > 1 for curves in architectures.values())
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        panels = figure.subplots(len(architectures), 2, sharex=True, sharey="col", squeeze=False)
        for row, (architecture, curves) in zip(panels, architectures.items(), strict=True):
            _draw_losses(row[0], architecture, curves)
            _draw_scores(row[1], architecture, curves)
        for panel in panels[-1]:
            panel.set_xlabel("epoch")
        figure.legend(handles=_legend(has_folds), loc="outside lower center", ncols=4 if has_folds else 2)
    return figure


def _draw_losses(panel: Axes, architecture: str, curves: Sequence[Curve]) -> None:
    for quantity in ("train_loss", "val_loss"):
        _draw_quantity(panel, curves, quantity)
    _name(panel, f"{shortened(architecture)}: loss", "loss")


def _draw_scores(panel: Axes, architecture: str, curves: Sequence[Curve]) -> None:
    _draw_quantity(panel, curves, "val_score")
    for one in curves:
        at = one.epochs == one.best
        panel.plot(one.epochs[at], one.val_score[at], ls="", marker="D", ms=4.5, mfc="white", mec=INK, zorder=5)
    folds = f"{len(curves)} folds" if len(curves) > 1 else "1 fold"
    _name(panel, f"{shortened(architecture)}: validation score, {folds}", "score")


def _name(panel: Axes, title: str, quantity: str) -> None:
    panel.set_title(drawable(title), loc="left", weight="bold")
    panel.set_ylabel(quantity)
    panel.grid(True, axis="y")
    panel.set_axisbelow(True)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_quantity(panel: Axes, curves: Sequence[Curve], quantity: str) -> None:
    colour, few = COLOURS[quantity], len(curves[0].epochs) < 3
    mean, least, most = spread(curves, quantity)
    epochs = curves[0].epochs[: len(mean)]
    if len(curves) > 1:
        panel.fill_between(epochs, least, most, color=colour, alpha=BAND_ALPHA, lw=0, zorder=1.5)
        for one in curves:
            panel.plot(one.epochs, getattr(one, quantity), color=colour, lw=0.7, alpha=0.6, zorder=2)
    panel.plot(epochs, mean, color=colour, ls=DASHES[quantity], lw=2.2, marker="." if few else "", zorder=3)


def _legend(has_folds: bool) -> list[Artist]:
    lines: list[Artist] = [Line2D([], [], color=COLOURS[q], ls=DASHES[q], lw=2.2, label=NAMES[q]) for q in NAMES]
    kept = Line2D([], [], ls="", marker="D", ms=4.5, mfc="white", mec=INK, label="epoch whose weights were kept")
    if not has_folds:
        return [*lines, kept]
    folds = [
        Line2D([], [], color=MUTED, lw=2.2, label="thick: mean over folds"),
        Line2D([], [], color=MUTED, lw=0.7, alpha=0.6, label="thin: one fold"),
        Patch(facecolor=MUTED, alpha=BAND_ALPHA, lw=0, label="band: least to most of all folds"),
    ]
    return [*lines, kept, *folds]
