"""Results of a made-up slide for tests: class maps whose regions border on each other, and nuclei of known shape."""

from pathlib import Path

import cv2
import numpy as np

from histoloom.formats.polygons import label_polygons
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.export.qupath_objects import Origin
from histoloom.slides.nuclei.table import NucleiTable

NAMES = ("background", "Tumor", "gland: inner", "Stroma")
MPP, SLIDE_MPP = 0.5, 0.25
SLIDE = 'odd "slide" µ/肿.svs'


def stored(folder: Path, values: np.ndarray, names=NAMES) -> BandStore:
    values = values[..., None] if values.ndim == 2 else values
    facts = {"classes": list(names), "slide": SLIDE, "slide_mpp": SLIDE_MPP}
    store = BandStore.create(folder, Grid(*values.shape, "uint8", MPP, facts))
    for band in range(store.grid.bands):
        store.write(band, values[slice(*store.grid.rows(band))])
    return store


def blobs(height: int, width: int, seed: int = 0, smooth_px: float = 9) -> np.ndarray:
    """Smooth regions of the three classes that border on each other and on background, with holes and islands."""
    rng = np.random.default_rng(seed)
    heights = [cv2.GaussianBlur(rng.random((height, width)), (0, 0), smooth_px) for _ in NAMES]
    return np.argmax(heights, axis=0).astype(np.uint8)


def origin(shape: tuple[int, int], factor: float = MPP / SLIDE_MPP) -> Origin:
    return Origin(SLIDE, "a/b", NAMES, *shape, MPP, factor)


def nuclei_of(labels: np.ndarray, kinds: np.ndarray) -> NucleiTable:
    """A table of labels 1 to n, of one part each."""
    rings = label_polygons(labels)
    n = int(labels.max())
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    places = [np.bincount(labels.ravel(), at.ravel(), n + 1)[1:] / areas for at in np.indices(labels.shape)]
    starts = np.searchsorted(rings.label, np.arange(1, n + 2)).astype(np.int64)
    means = np.linspace(0.5, 1, n).astype(np.float32)
    return NucleiTable(kinds, areas.astype(np.int32), *places, means, starts, rings.start, rings.vertices)


def discs(height: int, width: int) -> np.ndarray:
    labels = np.zeros((height, width), np.int32)
    for number, (row, column) in enumerate(np.argwhere(np.ones((height // 30, width // 30))).tolist(), start=1):
        cv2.ellipse(labels, (column * 30 + 14, row * 30 + 14), (12, 5 + number % 8), number * 20, 0, 360, number, -1)
    return labels
