"""Learning curves: losses and validation score by epoch, one row of panels per architecture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from histoloom.report.figures.style import BLUE, GREEN, INK, ORANGE, house_style

ROW_HEIGHT_IN, WIDTH_IN, LEGEND_IN = 2.5, 9.0, 0.75
COLOURS = {"train_loss": BLUE, "val_loss": ORANGE, "val_score": GREEN}
DASHES = {"train_loss": "-", "val_loss": "--", "val_score": "-"}  # so that grey prints can be read too
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


def mean_curve(curves: Sequence[Curve], quantity: str) -> Float[np.ndarray, " epochs"]:
    """Mean over folds, for the epochs that all folds reached: beyond, folds that stopped would make it jump."""
    shared = min(len(one.epochs) for one in curves)
    return np.mean([getattr(one, quantity)[:shared] for one in curves], axis=0)


def draw_curves(architectures: Mapping[str, Sequence[Curve]]) -> Figure:
    """Draw losses (left) and validation score (right): folds thin, their mean thick, kept epochs as diamonds.

    All rows share their axes, so architectures can be compared by eye.
    """
    height = ROW_HEIGHT_IN * len(architectures) + LEGEND_IN
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        panels = figure.subplots(len(architectures), 2, sharex=True, sharey="col", squeeze=False)
        for row, (architecture, curves) in zip(panels, architectures.items(), strict=True):
            _draw_losses(row[0], architecture, curves)
            _draw_scores(row[1], architecture, curves)
        for panel in panels[-1]:
            panel.set_xlabel("epoch")
        figure.legend(handles=_legend(), loc="outside lower center", ncols=3)
    return figure


def _draw_losses(panel: Axes, architecture: str, curves: Sequence[Curve]) -> None:
    for quantity in ("train_loss", "val_loss"):
        _draw_quantity(panel, curves, quantity)
    panel.set_title(f"{architecture}: loss", loc="left", weight="bold")
    panel.set_ylabel("loss")


def _draw_scores(panel: Axes, architecture: str, curves: Sequence[Curve]) -> None:
    _draw_quantity(panel, curves, "val_score")
    kept = [(one.best, one.val_score[one.epochs == one.best][0]) for one in curves if one.best is not None]
    panel.plot(*zip(*kept, strict=True), ls="", marker="D", ms=5, mfc="white", mec=INK, zorder=5) if kept else None
    panel.set_title(f"{architecture}: validation score", loc="left", weight="bold")
    panel.set_ylabel("score")


def _draw_quantity(panel: Axes, curves: Sequence[Curve], quantity: str) -> None:
    style = {"color": COLOURS[quantity], "ls": DASHES[quantity], "marker": "." if len(curves[0].epochs) < 3 else ""}
    for one in curves:
        panel.plot(one.epochs, getattr(one, quantity), lw=0.8, alpha=0.55, **style)
    mean = mean_curve(curves, quantity)
    panel.plot(curves[0].epochs[: len(mean)], mean, lw=2.4, **style)
    panel.grid(True, axis="y")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend() -> list[Line2D]:
    lines = [Line2D([], [], color=COLOURS[q], ls=DASHES[q], lw=2.4, label=NAMES[q]) for q in NAMES]
    thick = Line2D([], [], color=INK, lw=2.4, label="thick: mean over folds")
    thin = Line2D([], [], color=INK, lw=0.8, alpha=0.55, label="thin: one fold")
    kept = Line2D([], [], ls="", marker="D", ms=5, mfc="white", mec=INK, label="epoch whose weights were kept")
    return [*lines, thick, thin, kept]
