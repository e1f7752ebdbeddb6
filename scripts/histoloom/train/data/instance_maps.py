"""The horizontal and vertical maps of nuclei: what a network learns so that touching nuclei can be told apart."""

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64


def instance_maps(instances: Int32[np.ndarray, "height width"]) -> Float32[np.ndarray, "2 height width"]:
    """Where in its nucleus each pixel lies, from -1 (left, top) over 0 (centre of mass) to 1 (right, bottom).

    Channel 0 is horizontal, 1 vertical. Distances from the centre of mass are divided by the farthest one on the same
    side, so every nucleus reaches -1 and 1 whatever its size and shape; one that is a single column or row wide has 0
    there, as has the background. Ids are any above 0, with or without gaps. A nucleus that is cut by the border is
    scaled by the part that is seen, as in HoVer-Net: the network sees no more either.
    Source: Graham et al. 2019, HoVer-Net: simultaneous segmentation and classification of nuclei.

    >>> instance_maps(np.array([[7, 7, 7, 0, 9]], np.int32))[0]
    array([[-1.,  0.,  1.,  0.,  0.]], dtype=float32)
    """
    maps = np.zeros((2, instances.size), np.float32)
    starts, lengths, begins = _runs(instances)
    if len(starts):
        # All is summed over runs of equal pixels in a row, some twenty times fewer than pixels.
        rows, firsts = np.divmod(starts, instances.shape[1])
        counts = np.diff(begins, append=len(starts))
        areas = np.add.reduceat(lengths, begins)
        column_centres = np.add.reduceat(lengths * (2 * firsts + lengths - 1), begins) / (2 * areas)
        row_centres = np.add.reduceat(lengths * rows, begins) / areas
        steps = np.arange(areas.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        pixels = np.repeat(starts, lengths) + steps
        columns = np.repeat(firsts, lengths) + steps
        leftmost, rightmost = np.minimum.reduceat(firsts, begins), np.maximum.reduceat(firsts + lengths - 1, begins)
        maps[0, pixels] = _scaled(columns, areas, column_centres, leftmost, rightmost)
        top, bottom = np.minimum.reduceat(rows, begins), np.maximum.reduceat(rows, begins)
        maps[1, pixels] = np.repeat(_scaled(rows, counts, row_centres, top, bottom), lengths)
    return maps.reshape(2, *instances.shape)


def _runs(
    instances: Int32[np.ndarray, "height width"],
) -> tuple[Int64[np.ndarray, " runs"], Int64[np.ndarray, " runs"], Int64[np.ndarray, " nuclei"]]:
    # Flat index and length of each run of one nucleus in a row, nucleus by nucleus, and where in that list each begins.
    is_start = np.ones(instances.shape, bool)
    np.not_equal(instances[:, 1:], instances[:, :-1], out=is_start[:, 1:])
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=instances.size)
    ids = instances.ravel()[starts]
    order = np.flatnonzero(ids > 0)
    order = order[np.argsort(ids[order], kind="stable")]
    begins = np.flatnonzero(np.diff(ids[order], prepend=0))
    return starts[order], lengths[order], begins


def _scaled(
    places: Int64[np.ndarray, " items"],
    counts: Int64[np.ndarray, " nuclei"],
    centres: Float64[np.ndarray, " nuclei"],
    least: Int64[np.ndarray, " nuclei"],
    greatest: Int64[np.ndarray, " nuclei"],
) -> Float64[np.ndarray, " items"]:
    # `counts` places of each nucleus in turn, measured from its centre in units of its extent on that side.
    offsets = places - np.repeat(centres, counts)
    before, after = (np.divide(1, x, out=np.zeros_like(x), where=x > 0) for x in (centres - least, greatest - centres))
    return np.where(offsets < 0, np.repeat(before, counts), np.repeat(after, counts)) * offsets
