"""The facts that are stored of each prediction: counts of one image, from which every score is derived.

Each is an array of rows and columns. Row 0 stands for all foreground or all nuclei as one class, row c for class c;
a confusion matrix has a row for each true class, background too, and `sizes` one for each range of nucleus areas.
"""

from dataclasses import dataclass

REGIONS, NUCLEI, PROBABILITIES = "regions", "nuclei", "probabilities"
ANY = 0  # the row of all classes but background as one; background has no row of its own
CONFUSION, PAIRS, SIZES = "confusion", "pairs", "sizes"
BYTES = 256  # values of a stored probability
IOU_THRESHOLDS = tuple(hundredths / 100 for hundredths in range(50, 100, 5))


@dataclass(frozen=True)
class Fact:
    """What a fact holds: its columns, what it is counted from, and whether images may be added up."""

    columns: tuple[str, ...] | None  # None: as many as there are classes
    needs: str
    adds_up: bool = True


FACTS = {
    CONFUSION: Fact(None, REGIONS),
    "boundary": Fact(("points", "near", "distance", "images"), REGIONS),
    "hausdorff": Fact(("distance",), REGIONS, adds_up=False),
    "probabilities": Fact(
        tuple(f"{side}_{byte}" for side in ("other", "class") for byte in range(BYTES)), PROBABILITIES
    ),
    PAIRS: Fact(("tp", "fp", "fn", "iou"), NUCLEI),
    SIZES: Fact(("tp", "fp", "fn", "iou"), NUCLEI),
    "aggregated": Fact(("shared", "union", "shared_plus", "union_plus"), NUCLEI),
    "object_overlap": Fact(("truth_dice", "truth_area", "predicted_dice", "predicted_area"), NUCLEI),
    "thresholds": Fact(("truths", "predictions", *(f"tp_{round(100 * at)}" for at in IOU_THRESHOLDS)), NUCLEI),
    "centroids": Fact(("tp", "fp_class", "fn_class", "fp", "fn"), NUCLEI),
    "errors": Fact(("truths", "predictions", "merged", "split"), NUCLEI),
}


def shape(name: str, n_classes: int, n_sizes: int) -> tuple[int, int]:
    """Rows and columns of a fact, for a dataset of `n_classes` classes and `n_sizes` ranges of nucleus areas.

    >>> shape("confusion", 3, 4), shape("pairs", 3, 4), shape("sizes", 3, 4)
    ((3, 3), (3, 4), (4, 4))
    """
    columns = FACTS[name].columns
    return n_sizes if name == SIZES else n_classes, n_classes if columns is None else len(columns)
