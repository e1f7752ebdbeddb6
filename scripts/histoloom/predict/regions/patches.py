"""Patches of equal class found strip by strip, and which of them touch: all that steps on whole regions need."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Int32, Int64, UInt8

from histoloom.predict.regions.patch_graph import PatchGraph, unique_edges
from histoloom.sample import IGNORE

STRIP_PX = 1 << 22  # pixels labelled at once


def label_patches(
    classes: UInt8[np.ndarray, "rows columns"],
) -> tuple[Int32[np.ndarray, "rows columns"], UInt8[np.ndarray, " patches"]]:
    """Patches of one class joined by pixel edges: their numbers from 1, and the class of each; 255 is patch 0.

    >>> label_patches(np.array([[4, 4, 0], [255, 255, 4]], np.uint8))
    (array([[2, 2, 1],
           [0, 0, 3]], dtype=int32), array([255,   0,   4,   4], dtype=uint8))
    """
    labels, of_patch = np.zeros(classes.shape, np.int32), [np.array([IGNORE], np.uint8)]
    before = 0
    for index in np.flatnonzero(cv2.calcHist([classes], [0], None, [IGNORE], [0, IGNORE])):
        mask = (classes == index).view(np.uint8)
        count, found = cv2.connectedComponents(mask, connectivity=4, ltype=cv2.CV_32S)
        labels += found
        np.add(labels, before, out=labels, where=mask.view(bool))  # OpenCV takes an array of 4 x 1 for a scalar
        of_patch.append(np.full(count - 1, index, np.uint8))
        before += count - 1
    return labels, np.concatenate(of_patch)


def strips(classes: UInt8[np.ndarray, "rows columns"]) -> Iterator[UInt8[np.ndarray, "_ columns"]]:
    """The map in views of whole rows, few enough to be labelled at once."""
    rows = max(STRIP_PX // classes.shape[1], 1)
    yield from (classes[first : first + rows] for first in range(0, len(classes), rows))


@dataclass
class PatchScan:
    """Gathers the patches of a map given in rows from the top; memory grows with patches, not with pixels.

    Patch 0 is what is not looked at (255) and what lies beyond the image. The others are numbered strip by strip, from
    `starts[strip]`; the parts of a patch that goes through several strips are neighbours of one class.
    """

    starts: list[int] = field(default_factory=lambda: [1])
    _classes: list[np.ndarray] = field(default_factory=lambda: [np.array([IGNORE], np.uint8)])
    _areas: list[np.ndarray] = field(default_factory=lambda: [np.zeros(1, np.int64)])
    _edges: list[np.ndarray] = field(default_factory=lambda: [np.empty((0, 2), np.int64)])
    _lengths: list[np.ndarray] = field(default_factory=lambda: [np.empty(0, np.int64)])
    _last_row: np.ndarray | int = 0  # the numbers of its patches; above the first row lies patch 0

    def add(self, classes: UInt8[np.ndarray, "rows columns"]) -> None:
        """Take the next rows."""
        for strip in strips(classes):
            labels, of_patch = label_patches(strip)
            self._note(self._numbers(_touching(strip, labels)))
            for column in (labels[:, 0], labels[:, -1]):
                self._note(_pairs(0, self._numbers(column)))
            self._note(_pairs(self._last_row, self._numbers(labels[0])))
            self._last_row = self._numbers(labels[-1])
            self._classes.append(of_patch[1:])
            self._areas.append(np.bincount(labels.ravel(), minlength=len(of_patch))[1:])
            self.starts.append(self.starts[-1] + len(of_patch) - 1)

    def graph(self) -> PatchGraph:
        """All patches of all rows given; below the last one lies patch 0."""
        self._note(_pairs(0, self._last_row))
        edges, lengths = unique_edges(np.concatenate(self._edges), np.concatenate(self._lengths))
        return PatchGraph(np.concatenate(self._classes), np.concatenate(self._areas), edges, lengths)

    def _numbers(self, labels: Int32[np.ndarray, "*any"] | Int64[np.ndarray, "*any"]) -> Int64[np.ndarray, "*any"]:
        return np.where(labels > 0, labels.astype(np.int64) + (self.starts[-1] - 1), 0)

    def _note(self, pairs: Int64[np.ndarray, "pairs 2"]) -> None:
        edges, lengths = unique_edges(pairs)
        self._edges.append(edges)
        self._lengths.append(lengths)


def _pairs(these: Int64[np.ndarray, " pixels"] | int, others: Int64[np.ndarray, " pixels"]) -> np.ndarray:
    return np.stack(np.broadcast_arrays(these, others), axis=1).astype(np.int64)


def _touching(
    classes: UInt8[np.ndarray, "rows columns"], labels: Int32[np.ndarray, "rows columns"]
) -> Int32[np.ndarray, "pairs 2"]:
    # Neighbours of one class are of one patch, so only class borders are looked up.
    flat, patch, width = np.ascontiguousarray(classes).ravel(), labels.ravel(), classes.shape[1]
    beside = flat[1:] != flat[:-1]
    beside[width - 1 :: width] = False  # a row's last pixel is no neighbour of the next row's first
    left, upper = np.flatnonzero(beside), np.flatnonzero(flat[width:] != flat[:-width])
    pairs = [np.stack([patch[at], patch[at + step]], axis=1) for at, step in ((left, 1), (upper, width))]
    return np.concatenate(pairs)
