"""Names that stand for several classes in tables, and which a dataset's own classes therefore cannot have."""

from collections.abc import Sequence

from histoloom.errors import InputError

FOREGROUND = "foreground"  # all classes but background merged into one; of nuclei, all as one class
MEAN = "mean"  # mean over the classes but background
ALL = "all"  # one number for all classes together


def check_classes(classes: Sequence[str]) -> None:
    """Refuse class names that stand for merged classes in the tables; two classes are their own foreground."""
    taken = {MEAN, ALL} if len(classes) == 2 else {MEAN, ALL, FOREGROUND}
    if wrong := sorted(taken.intersection(classes)):
        raise InputError(
            f"class '{wrong[0]}': stands for several classes in the tables; expected another name; "
            "rename it in the dataset's options"
        )
