"""Whether a dataset can have the score that the report is about: asked before anything is trained."""

from collections.abc import Mapping, Sequence

import numpy as np

from histoloom.class_names import FOREGROUND
from histoloom.errors import InputError
from histoloom.evaluate.counting.facts import CONFUSION, FACTS, NUCLEI, shape
from histoloom.evaluate.scores import class_scores, fact
from histoloom.plugins import suggestion
from histoloom.prepared import Description

METRIC, CLASS = "report.headline_metric", "report.headline_class"


def headline_classes(metric: str, classes: Sequence[str]) -> tuple[str, ...]:
    """What a metric can be taken of, in a dataset of these classes: merged classes, their mean, single ones, or all.

    >>> headline_classes("pq", ["background", "nucleus"])
    ('foreground', 'mean', 'nucleus')
    >>> headline_classes("accuracy", ["background", "nucleus"])
    ('all', 'foreground')
    """
    kind = np.int64 if fact(metric) == CONFUSION else np.float64  # as they are counted
    nothing_seen = np.zeros((1, *shape(fact(metric), len(classes), 1)), kind)
    return tuple(class_scores(metric, nothing_seen, classes))


def check_headline(metric: str, class_name: str, description: Description, pixels: Mapping[str, int]) -> None:
    """Refuse a headline of nuclei where a dataset has none, and of a class that it does not have or shows nowhere.

    `pixels` are the annotated ones of each class. Raises InputError.
    """
    if FACTS[fact(metric)].needs == NUCLEI and not description.has_instances:
        raise InputError(
            f"{METRIC}: {metric} is of single nuclei, which dataset '{description.name}' has not; expected a metric "
            "that each dataset of the study can have, such as dice; set another, or study that dataset by itself"
        )
    known = headline_classes(metric, description.classes)
    if class_name not in known:
        raise InputError(
            f"{CLASS}: '{class_name}', of which dataset '{description.name}' has no {metric}; "
            f"{suggestion(class_name, list(known))}; set one that each dataset of the study has"
        )
    annotated = sum(pixels[name] for name in description.classes[1:]) if class_name == FOREGROUND else 1
    if not pixels.get(class_name, annotated):
        raise InputError(
            f"{CLASS}: '{class_name}' has no pixel in any image of dataset '{description.name}'; expected some, else "
            "there is nothing to compare; set another class, or annotate some"
        )
