"""Reader of BreCaHAD: breast cancer images with a point on each nucleus, made into discs of a stated radius."""

import json
import math
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int32

from histoloom.errors import InputError
from histoloom.formats.images import SUFFIXES, read_image
from histoloom.formats.whole import read_whole
from histoloom.plugins import suggestion
from histoloom.prepare.reading.pairs import Pair, find_folder, pair_by_stem
from histoloom.sample import Dataset, Sample

KINDS = ("mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor", "lumen", "non_lumen")
CASE_NAME = re.compile(r"case_(\d+)-\d+", re.IGNORECASE)


def brecahad(
    root: Path,
    *,
    radius_px: int | float = 20,  # median tumour box is 36 px wide, an equivalent radius of 20.6 px
    points: Sequence[str] = ("mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor"),
    licence: str = "CC BY 4.0",
    citation: str = "Aksac et al., BMC Research Notes 12:82 (2019), doi 10.6084/m9.figshare.7379186.v3",
    note: str = "",
) -> Dataset:
    """Read images/ and groundTruth/ under `root`; class "nucleus" is a disc of `radius_px` around each of `points`.

    Default are the five kinds of nuclei; lumina are spaces between them. A pixel within reach of several points belongs
    to the nearest, so touching nuclei stay apart. The group is the case: fields of view of one case overlap. The radius
    is part of what a score means, so `facts` hold it; each sample counts its points of each kind. `licence`, `citation`
    and `note` (a warning carried into the report) are for other data kept in this layout.
    `problems` name images without annotation and the reverse. Raises InputError for a missing folder and unknown kinds,
    and with the sample for points outside [0, 1].

    Source: Aksac et al. 2019, BMC Research Notes 12:82.
    """
    kinds = _chosen(points)
    if radius_px < 1:
        raise InputError(f"radius_px: {radius_px}; expected at least 1 pixel; 20 is half a tumour nucleus of BreCaHAD")
    pairs, problems = find_pairs(root)
    return Dataset(
        classes=("background", "nucleus"),
        items=[partial(_sample, root, pair, kinds, radius_px) for pair in pairs],
        licence=licence,
        citation=citation,
        facts={"radius_px": radius_px, "points": ", ".join(kinds)},
        warnings=(note,) if note else (),
        problems=problems,
    )


def find_pairs(root: Path) -> tuple[list[Pair], tuple[str, ...]]:
    """Images with their annotations, matched by name in upper or lower case, and what finds no partner or no case.

    Raises InputError for a missing folder.
    """
    images = find_folder(root, ["images"], "BreCaHAD's images")
    annotations = find_folder(root, ["groundTruth"], "BreCaHAD's points")
    pairs, problems = pair_by_stem(images, annotations, SUFFIXES, (".json",))
    nameless = tuple(
        f"{pair.image}: no case in its name; expected Case_<n>-<mm>{pair.image.suffix}; rename the file"
        for pair in pairs
        if not CASE_NAME.fullmatch(pair.stem)
    )
    return [pair for pair in pairs if CASE_NAME.fullmatch(pair.stem)], (*problems, *nameless)


def read_points(path: Path) -> dict[str, Float[np.ndarray, "points 2"]]:
    """Normalised (y, x) of each kind of point in a BreCaHAD annotation; a kind that the file lacks has no points.

    Raises InputError for what is no JSON object of the seven kinds, and for points outside [0, 1].
    """
    try:
        values = json.loads(read_whole(path))
    except (ValueError, RecursionError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else error
        raise InputError(
            f"{path}: is not JSON ({reason}); expected BreCaHAD's points; export the file again"
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds a {type(values).__name__}; expected an object of {', '.join(KINDS)}; mend it")
    for key in values:
        if key not in KINDS:
            raise InputError(f"{path}: unknown key '{key}'; {suggestion(key, list(KINDS))}; rename it")
    return {kind: _coordinates(path, kind, values.get(kind, [])) for kind in KINDS}


def discs(
    points: Float[np.ndarray, "points 2"], height: int, width: int, radius_px: int | float
) -> Int32[np.ndarray, "{height} {width}"]:
    """For each pixel the number, 1 to n, of the nearest point within `radius_px`; 0 = none.

    `points` are (row, column) in pixels, 0.5 the centre of the first. A pixel belongs to a disc when its centre is at
    most `radius_px` from the point, and to the earlier of two points that are equally near.

    >>> discs(np.array([[0.5, 1.5], [0.5, 4.5]]), 1, 6, 2)
    array([[1, 1, 1, 2, 2, 2]], dtype=int32)
    """
    ids = np.zeros((height, width), np.int32)
    nearest = np.full((height, width), np.inf)
    for number, (row, column) in enumerate(points, start=1):
        # A window around the point, so that time grows with the discs and not with points times pixels.
        rows = np.arange(max(0, math.floor(row - radius_px)), min(height, math.ceil(row + radius_px)))
        columns = np.arange(max(0, math.floor(column - radius_px)), min(width, math.ceil(column + radius_px)))
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        squared = (rows[:, None] + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2
        is_nearest = (squared <= radius_px**2) & (squared < nearest[window])
        ids[window][is_nearest] = number
        nearest[window][is_nearest] = squared[is_nearest]
    return ids


def _sample(root: Path, pair: Pair, kinds: list[str], radius_px: int | float) -> Sample:
    image = read_image(pair.image)
    points = read_points(pair.annotation)
    height, width = image.shape[:2]
    chosen = np.concatenate([points[kind] for kind in kinds]) * (height, width)
    instances = discs(chosen, height, width, radius_px)
    hidden = len(chosen) - len(np.unique(instances[instances > 0]))
    return Sample(
        pair.stem,
        image,
        (instances > 0).astype(np.uint8),
        instances,
        None,
        f"case_{CASE_NAME.fullmatch(pair.stem)[1]}",
        "breast",
        source=pair.image.relative_to(root).as_posix(),
        counts={f"points_{kind}": len(points[kind]) for kind in KINDS} | {"hidden_nuclei": hidden},
    )


def _chosen(points: Sequence[str]) -> list[str]:
    chosen = [points] if isinstance(points, str) else list(points)
    for kind in chosen:
        if kind not in KINDS:
            raise InputError(f"points: unknown kind '{kind}'; {suggestion(str(kind), list(KINDS))}")
    if not chosen:
        raise InputError(f"points: empty; expected at least one of {', '.join(KINDS)}; name the kinds to learn")
    return sorted(set(chosen), key=KINDS.index)


def _coordinates(path: Path, kind: str, entries: object) -> Float[np.ndarray, "points 2"]:
    if not isinstance(entries, list):
        raise InputError(f"{path}: '{kind}' is a {type(entries).__name__}; expected a list of {{x, y}}; mend it")
    return np.array([_point(path, f"'{kind}' point {index}", entry) for index, entry in enumerate(entries)]).reshape(
        -1, 2
    )


def _point(path: Path, subject: str, entry: object) -> tuple[float, float]:
    pair = tuple(entry.get(axis) for axis in ("y", "x")) if isinstance(entry, dict) else ()
    if len(pair) != 2 or not all(type(value) in (int, float) for value in pair):
        raise InputError(f'{path}: {subject} is {str(entry)[:80]}; expected {{"x": number, "y": number}}; mend it')
    if not all(0 <= value <= 1 for value in pair):
        raise InputError(
            f"{path}: {subject} lies at x {pair[1]}, y {pair[0]}; expected both in [0, 1]; divide x by the image's "
            "width and y by its height"
        )
    return float(pair[0]), float(pair[1])
