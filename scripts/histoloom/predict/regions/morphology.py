"""Opening and closing of a map of several classes: who gets the pixels that a class loses, and which it may gain."""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Num, UInt8

from histoloom.predict.regions.settings import reach


def most_probable(values: Num[np.ndarray, "classes rows columns"]) -> UInt8[np.ndarray, "rows columns"]:
    """The class with the largest value at each pixel, the first of equals.

    >>> most_probable(np.array([[[5, 4, 0]], [[5, 6, 3]], [[5, 0, 3]]], np.uint8))
    array([[0, 1, 1]], dtype=uint8)
    """
    best, classes = values[0], np.zeros(values.shape[1:], np.uint8)
    for index, plane in enumerate(values[1:], start=1):
        # A later class that is more probable has the higher index, so the larger index wins.
        np.maximum(classes, (plane > best).view(np.uint8) * np.uint8(index), out=classes)
        best = np.maximum(best, plane)
    return classes


def disc(radius_squared: int) -> UInt8[np.ndarray, "side side"]:
    """1 where a pixel's centre is at most the radius from that of the middle one.

    >>> disc(2)
    array([[1, 1, 1],
           [1, 1, 1],
           [1, 1, 1]], dtype=uint8)
    """
    far = reach(radius_squared)
    rows, columns = np.mgrid[-far : far + 1, -far : far + 1]
    return (rows**2 + columns**2 <= radius_squared).astype(np.uint8)


def opened(
    classes: UInt8[np.ndarray, "rows columns"],
    values: Num[np.ndarray, "channels rows columns"],
    radius_squared: int,
) -> UInt8[np.ndarray, "rows columns"]:
    """Take from each class but background what no disc within the class reaches.

    All classes are opened at once, as they are. A pixel taken goes to the other class, background included, whose
    value is the largest there, the first of equals. Right are the pixels further from the edge than two radii.
    Source: Serra 1982, Image analysis and mathematical morphology (opening).
    """
    within = disc(radius_squared)
    loose = np.zeros(classes.shape, bool)
    for _, mask in _foreground_classes(classes, len(values)):
        loose |= cv2.dilate(cv2.erode(mask, within), within) < mask
    rows, columns = np.nonzero(loose)
    others = values[:, rows, columns].astype(np.int64)
    others[classes[rows, columns], np.arange(len(rows))] = -1
    changed = classes.copy()
    changed[rows, columns] = others.argmax(axis=0)
    return changed


def closed(
    classes: UInt8[np.ndarray, "rows columns"],
    values: Num[np.ndarray, "channels rows columns"],
    radius_squared: int,
) -> UInt8[np.ndarray, "rows columns"]:
    """Give to each class the background that no disc without any pixel of that class reaches.

    All classes are closed at once, as they are; none takes a pixel from another one but background. Where several
    would gain a pixel, the one of the largest value does, the first of equals. Right are the pixels further from the
    edge than two radii.
    Source: Serra 1982, Image analysis and mathematical morphology (closing).
    """
    within, background = disc(radius_squared), classes == 0
    changed, largest = classes.copy(), np.full(classes.shape, -1, np.int64)
    for index, mask in _foreground_classes(classes, len(values)):
        gained = cv2.erode(cv2.dilate(mask, within), within).view(bool) & background
        places = _those_above(gained, values[index], largest)
        changed[places] = index
        largest[places] = values[index][places]
    return changed


def _foreground_classes(
    classes: UInt8[np.ndarray, "rows columns"], count: int
) -> Iterator[tuple[int, UInt8[np.ndarray, "rows columns"]]]:
    for index in range(1, count):
        mask = (classes == index).view(np.uint8)
        if mask.any():
            yield index, mask


def _those_above(
    where: Bool[np.ndarray, "rows columns"],
    values: Num[np.ndarray, "rows columns"],
    largest: Num[np.ndarray, "rows columns"],
) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(where)
    is_above = values[rows, columns] > largest[rows, columns]
    return rows[is_above], columns[is_above]
