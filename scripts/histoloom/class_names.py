"""Classes that a dataset cannot have: names that stand for several classes in tables, and more than masks can hold."""

from collections.abc import Sequence

from histoloom.errors import InputError
from histoloom.sample import IGNORE, PSEUDO

FOREGROUND = "foreground"  # all classes but background merged into one; of nuclei, all as one class
MEAN = "mean"  # mean over the classes but background
ALL = "all"  # one number for all classes together


def check_classes(classes: Sequence[str]) -> None:
    """Refuse class names that stand for merged classes in the tables; two classes are their own foreground.

    Refuses too many classes, too: PSEUDO + class, what a model labelled, has to be told from classes and from IGNORE.
    """
    if len(classes) > IGNORE - PSEUDO:
        raise InputError(
            f"classes: {len(classes)} of them; expected at most {IGNORE - PSEUDO}, since masks keep the values from "
            f"{PSEUDO} on for pixels that a model labelled;\nmerge classes in the dataset's options"
        )
    taken = {MEAN, ALL} if len(classes) == 2 else {MEAN, ALL, FOREGROUND}
    if wrong := sorted(taken.intersection(classes)):
        raise InputError(
            f"class '{wrong[0]}': stands for several classes in the tables; expected another name; "
            "rename it in the dataset's options"
        )
