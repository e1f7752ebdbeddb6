"""Regions computed slowly, by their definition alone, with SciPy's filters and loops over whole patches."""

import numpy as np
from scipy import ndimage

CROSS = ndimage.generate_binary_structure(2, 1)


def gaussian_parts(sigma, reach):
    """Weights in 4096ths: cumulative sums of pairs from the middle outwards, rounded to even numbers of parts."""
    density = [np.exp(-0.5 * (far / sigma) ** 2) for far in range(reach + 1)]
    total = density[0] + 2 * sum(density[1:])
    sums = [np.rint((density[0] + 2 * sum(density[1 : far + 1])) / total * 2048) for far in range(reach + 1)]
    outer = [int(sums[far] - sums[far - 1]) for far in range(1, reach + 1)]
    return np.array([*outer[::-1], 2 * int(sums[0]), *outer], np.int64)


def smoothed(plane, plan):
    side = 2 * plan.kernel_reach + 1
    if plan.kernel == "gaussian":
        parts = gaussian_parts(plan.sigma, plan.kernel_reach)
        rows = ndimage.correlate1d(plane.astype(np.int64), parts, axis=1)
        return ndimage.correlate1d(np.rint(rows / 256).astype(np.int64), parts, axis=0)
    if plan.kernel == "mean":
        return ndimage.correlate(plane.astype(np.int64), np.ones((side, side), np.int64))
    return ndimage.median_filter(plane, side) if plan.kernel == "median" else plane


def disc(radius_squared):
    far = int(radius_squared**0.5)
    return np.array([[y * y + x * x <= radius_squared for x in range(-far, far + 1)] for y in range(-far, far + 1)])


def opened(classes, values, structure):
    loose = np.zeros(classes.shape, bool)
    for k in range(1, len(values)):
        loose |= (classes == k) & ~ndimage.binary_opening(classes == k, structure)
    result = classes.copy()
    for place in np.argwhere(loose):
        ranked = sorted(range(len(values)), key=lambda k: (-int(values[(k, *place)]), k))
        result[tuple(place)] = next(k for k in ranked if k != classes[tuple(place)])
    return result


def closed(classes, values, structure):
    gained = [ndimage.binary_closing(classes == k, structure) & (classes == 0) for k in range(len(values))]
    gained[0][:] = False
    result = classes.copy()
    for place in np.argwhere(np.any(gained, axis=0)):
        candidates = [k for k in range(len(values)) if gained[k][tuple(place)]]
        result[tuple(place)] = min(candidates, key=lambda k: (-int(values[(k, *place)]), k))
    return result


def patches(classes, which):
    """Masks of the patches of one class."""
    labels, count = ndimage.label(classes == which, CROSS)
    return [labels == number for number in range(1, count + 1)]


def borders(classes, mask, allowed):
    """How many pixel edges the patch shares with each allowed class; `allowed` is a mask of pixels."""
    counts = np.zeros(256, int)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        moved = np.roll(mask, step, axis)
        edge = [slice(None)] * 2
        edge[axis] = 0 if step == 1 else -1
        moved[tuple(edge)] = False
        np.add.at(counts, classes[moved & ~mask & allowed], 1)
    return counts


def is_open(classes, mask):
    at_edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return at_edge or (ndimage.binary_dilation(mask, CROSS) & (classes == 255)).any()


def filled(classes, largest_px):
    result = classes.copy()
    for mask in patches(classes, 0):
        if mask.sum() <= largest_px and not is_open(classes, mask):
            result[mask] = borders(classes, mask, (classes > 0) & (classes < 255)).argmax()
    return result


def given_away(classes, least_px):
    classes = classes.copy()
    while True:
        small = [mask for k in range(1, 255) if (classes == k).any() for mask in patches(classes, k)]
        small = [mask for mask in small if mask.sum() < least_px]
        allowed = (classes != 255) & ~np.any([np.zeros(classes.shape, bool), *small], axis=0)
        votes = [borders(classes, mask, allowed) for mask in small]
        if not any(vote.any() for vote in votes):
            for mask in small:
                classes[mask] = 0
            return classes
        for mask, vote in zip(small, votes, strict=True):
            if vote.any():
                classes[mask] = vote.argmax()


def without_small(classes, least_px):
    labels, count = ndimage.label((classes > 0) & (classes < 255), CROSS)
    areas = ndimage.sum_labels(np.ones(classes.shape), labels, np.arange(count + 1))
    return np.where((labels > 0) & (areas < least_px)[labels], 0, classes).astype(np.uint8)


def regions(probabilities, plan, inside=None, outside=0):
    """Class regions by their definition."""
    # Twice the halo: SciPy's own treatment of borders must not reach the image.
    halo = 2 * plan.halo_px + 1
    planes = np.pad(probabilities.transpose(2, 0, 1), [(0, 0), (halo, halo), (halo, halo)], "edge")
    values = np.stack([smoothed(plane, plan) for plane in planes])
    classes = values.argmax(axis=0).astype(np.uint8)
    if plan.opening_squared:
        classes = opened(classes, values, disc(plan.opening_squared))
    if plan.closing_squared:
        classes = closed(classes, values, disc(plan.closing_squared))
    classes = classes[halo:-halo, halo:-halo].copy()
    if inside is not None:
        classes[~inside] = 255
    classes = filled(classes, plan.hole_px) if plan.hole_px else classes
    classes = given_away(classes, plan.min_region_px) if plan.min_region_px else classes
    classes = without_small(classes, plan.min_area_px) if plan.min_area_px else classes
    return np.where(classes == 255, outside, classes).astype(np.uint8) if inside is not None else classes
