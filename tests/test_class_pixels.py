"""Pixels are counted by class, whatever the size of a mask."""

import numpy as np

from histoloom import class_pixels as module
from histoloom.class_pixels import class_pixels


def test_pixels_are_counted_over_all_masks_but_those_nobody_annotated():
    masks = [np.array([[0, 0, 1], [255, 1, 0]], np.uint8), np.full((2, 5), 3, np.uint8)]
    assert class_pixels(masks, 5).tolist() == [3, 2, 0, 10, 0]
    assert class_pixels([], 2).tolist() == [0, 0]


def test_a_large_mask_is_counted_block_by_block(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_PX", 7)
    mask = np.arange(60, dtype=np.uint8).reshape(6, 10) % 4
    assert class_pixels([mask[:, ::2], mask], 4).tolist() == [15 + 15, 15, 15 + 15, 15]
