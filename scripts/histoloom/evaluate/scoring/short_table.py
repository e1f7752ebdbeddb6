"""The few lines that a terminal shows of a summary: a row for each score, a column for each model."""

from collections.abc import Iterable, Sequence

from histoloom.class_names import ALL, FOREGROUND, MEAN
from histoloom.evaluate.tables.summary import SUMMARY_COLUMNS

METRIC, CLASS, ARCHITECTURE, LOW = (SUMMARY_COLUMNS.index(name) for name in ("metric", "class", "architecture", "low"))
MEAN_PLACE, IMAGES = SUMMARY_COLUMNS.index("mean"), SUMMARY_COLUMNS.index("images")


SHOWN = (  # names as in summary.csv, of which those that are there are shown
    "dice",
    "iou",
    "nsd",
    "hd95",
    "ece",
    "auroc",
    "pq",
    "pq@pannuke",
    "pq@pooled",
    "dq",
    "sq",
    "aji",
    "aji_plus",
    "detection_f1",
    "class_f1",
)


def short_table(rows: Iterable[Sequence], classes: Sequence[str], metrics: Sequence[str] = SHOWN) -> str:
    """Mean, 95 % interval and number of images of some metrics, for merged classes and for their mean.

    `rows` are those of summary.csv, of any models; where none of `metrics` is among them, all are shown. With one class
    beside the background both are the same, and one is shown.
    """
    rows = list(rows)
    present = list(dict.fromkeys(row[METRIC] for row in rows))
    metrics = [name for name in metrics if name in present] or present
    shown = (FOREGROUND, ALL) if len(classes) == 2 else (FOREGROUND, MEAN, ALL)
    kept = [row for row in rows if row[METRIC] in metrics and row[CLASS] in shown]
    models = list(dict.fromkeys(row[ARCHITECTURE] for row in kept))
    cells = {(row[METRIC], row[CLASS], row[ARCHITECTURE]): _cell(row) for row in kept}
    scores = dict.fromkeys((metric, row[CLASS]) for metric in metrics for row in kept if row[METRIC] == metric)
    lines = [("score", "class", *models)]
    lines += [(*score, *(cells.get((*score, model), "") for model in models)) for score in scores]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(row: Sequence) -> str:
    if row[MEAN_PLACE] is None:
        return "undefined"
    interval = f" [{row[LOW]:.4f}, {row[LOW + 1]:.4f}]" if row[LOW] is not None else ""
    return f"{row[MEAN_PLACE]:.4f}{interval} n={row[IMAGES]}"
