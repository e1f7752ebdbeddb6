"""Reader of BreCaHAD: breast cancer images with a point on each nucleus, made into discs of a stated radius."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int32

from histoloom.errors import InputError
from histoloom.images import SUFFIXES, read_image
from histoloom.plugins import suggestion
from histoloom.sample import Dataset, Sample

KINDS = ("mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor", "lumen", "non_lumen")
CASE_NAME = re.compile(r"case_(\d+)-\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """An image and its annotation, with the case they belong to."""

    name: str
    case: str
    image: Path
    annotation: Path


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
    is part of what a score means, so `facts` hold it, with the number of points of each kind. `licence`, `citation` and
    `note` (a warning carried into the report) are for other data kept in this layout.
    Raises InputError for an image without annotation and the reverse, points outside [0, 1], and unknown kinds.

    Source: Aksac et al. 2019, BMC Research Notes 12:82.
    """
    kinds = _chosen(points)
    if radius_px < 1:
        raise InputError(f"radius_px: {radius_px}; expected at least 1 pixel; 20 is half a tumour nucleus of BreCaHAD")
    pairs = find_pairs(root)
    facts = {"radius_px": radius_px, "points": ", ".join(kinds)}
    return Dataset(
        classes=("background", "nucleus"),
        length=len(pairs),
        read=lambda: _samples(root, pairs, kinds, radius_px, facts),
        licence=licence,
        citation=citation,
        facts=facts,
        warnings=(note,) if note else (),
    )


def find_pairs(root: Path) -> list[Pair]:
    """Images with their annotations, matched by name in upper or lower case, in order of that name.

    Raises InputError for a missing folder, a name that is no "Case_<n>-<mm>", a name twice, or a file without partner.
    """
    images = _by_name(_folder(root, "images"), SUFFIXES)
    annotations = _by_name(_folder(root, "groundTruth"), (".json",))
    for key in sorted(images.keys() ^ annotations.keys()):
        has_image = key in images
        raise InputError(
            f"{(images if has_image else annotations)[key]}: has no {'annotation' if has_image else 'image'}; expected "
            + (f"groundTruth/{images[key].stem}.json" if has_image else f"images/{annotations[key].stem}.tif")
            + " beside it; add that file or remove this one"
        )
    if not images:
        raise InputError(f"{root}: its images/ is empty; expected Case_<n>-<mm>.tif; unpack BreCaHAD again")
    return [
        Pair(path.stem, f"case_{CASE_NAME.fullmatch(key)[1]}", path, annotations[key])
        for key, path in sorted(images.items())
    ]


def read_points(path: Path) -> dict[str, Float[np.ndarray, "points 2"]]:
    """Normalised (y, x) of each kind of point in a BreCaHAD annotation; a kind that the file lacks has no points.

    Raises InputError for what is no JSON object of the seven kinds, and for points outside [0, 1].
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}); expected BreCaHAD's points; export the file again") from error
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


def _samples(root: Path, pairs: list[Pair], kinds: list[str], radius_px: int | float, facts: dict) -> Iterator[Sample]:
    facts.update({f"points_{kind}": 0 for kind in KINDS} | {"hidden_nuclei": 0})
    for pair in pairs:
        image = read_image(pair.image)
        points = read_points(pair.annotation)
        height, width = image.shape[:2]
        chosen = np.concatenate([points[kind] for kind in kinds]) * (height, width)
        instances = discs(chosen, height, width, radius_px)
        for kind in KINDS:
            facts[f"points_{kind}"] += len(points[kind])
        facts["hidden_nuclei"] += len(chosen) - len(np.unique(instances[instances > 0]))
        mask = (instances > 0).astype(np.uint8)
        source = pair.image.relative_to(root).as_posix()
        yield Sample(pair.name, image, mask, instances, None, pair.case, "breast", source=source)


def _chosen(points: Sequence[str]) -> list[str]:
    chosen = [points] if isinstance(points, str) else list(points)
    for kind in chosen:
        if kind not in KINDS:
            raise InputError(f"points: unknown kind '{kind}'; {suggestion(str(kind), list(KINDS))}")
    if not chosen:
        raise InputError(f"points: empty; expected at least one of {', '.join(KINDS)}; name the kinds to learn")
    return sorted(set(chosen), key=KINDS.index)


def _folder(root: Path, name: str) -> Path:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected images/ and groundTruth/ in it; mend 'root'")
    found = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name.lower() == name.lower()]
    if len(found) != 1:
        raise InputError(
            f"{root}: has {len(found)} folders '{name}' (in any case); expected one, beside "
            f"{'groundTruth' if name == 'images' else 'images'}/; unpack BreCaHAD here"
        )
    return found[0]


def _by_name(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        key = path.stem.lower()
        if not CASE_NAME.fullmatch(key):
            raise InputError(f"{path}: no case in its name; expected Case_<n>-<mm>{path.suffix}; rename the file")
        if key in found:
            raise InputError(f"{path}: same case name as {found[key].name}; expected one file; remove one of them")
        found[key] = path
    return found


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
