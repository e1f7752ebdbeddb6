"""Probabilities and maps of many touching nuclei of all sizes, made from ellipses and a seed."""

import cv2
import numpy as np

from histoloom.predict.probabilities import quantised_maps
from histoloom.train.data.instance_maps import instance_maps


def made_ids(shape, seed, spacing_px=22):
    """Ellipses about a jittered grid, later ones on top: ids from 1, 0 between them."""
    rng = np.random.default_rng(seed)
    ids = np.zeros(shape, np.int32)
    places = [(y, x) for y in range(0, shape[0], spacing_px) for x in range(0, shape[1], spacing_px)]
    for number, place in enumerate(places, start=1):
        row, column = place + rng.normal(0, spacing_px / 5, 2)
        size = rng.lognormal(np.log(spacing_px / 2.4), 0.3)
        axes = size * rng.uniform(0.75, 1.3, 2)
        cv2.ellipse(ids, ((column, row), tuple(2 * axes), float(rng.uniform(0, 180))), number, -1)
    return ids


def made_probabilities(ids, seed, classes=3):
    """Rough-edged foreground of the nuclei, each of one class; bytes that sum to 255."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.normal(0, 110, ids.shape).astype(np.float32), (0, 0), 2)
    foreground = np.clip(cv2.GaussianBlur((ids > 0) * np.float32(255), (0, 0), 1.2) + rough, 0, 255)
    of_nucleus = rng.integers(1, classes, ids.max() + 1)[ids]
    shares = np.where(of_nucleus[..., None] == np.arange(1, classes), 0.8, 0.2 / max(classes - 2, 1))
    others = np.floor(foreground[..., None] * shares).astype(np.uint8)
    return np.concatenate([255 - others.sum(axis=2, keepdims=True, dtype=np.uint8), others], axis=2)


def made_maps(ids, seed):
    """Horizontal and vertical maps of the nuclei, with the noise of a network."""
    rng = np.random.default_rng(seed)
    exact = np.moveaxis(instance_maps(ids), 0, -1)
    return quantised_maps(np.clip(exact + rng.normal(0, 0.05, exact.shape), -1, 1).astype(np.float32))
