"""What of a QuPath file is painted, and in which order: annotations, and nuclei where the study is of nuclei."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import shapely

from histoloom.errors import InputError
from histoloom.formats.shapes import LINES, POINTS, Shape, read_shapes
from histoloom.prepare.reading.class_map import BACKGROUND, DROPPED, NOTHING, study_class

NUCLEI = ("none", "detections")
NUCLEUS = "nucleus"  # the class of a detection without class
FRAME = "region*"
NUCLEUS_KINDS = ("detection", "cell")
OTHER_KINDS = ("tile", "tmaCore")


@dataclass(frozen=True)
class Cutting:
    """The options of the reader that say what is painted and how slides are cut; see datasets/qupath.py."""

    entries: tuple[tuple[str, str], ...]  # class in QuPath, class of the study
    nuclei: str
    downsample: int
    region_px: int
    margin_px: int
    line_px: int | float
    mpp: int | float

    @property
    def searches_nuclei(self) -> bool:
        """Whether detections and cells become instances."""
        return self.nuclei != "none"

    @property
    def targets(self) -> dict[str, str]:
        """The class of the study of each class in QuPath."""
        return dict(self.entries)


@dataclass(frozen=True)
class Layers:
    """What is painted, in that order: geometries, their classes of the study, which are nuclei, and where they lie."""

    geometries: Sequence[shapely.Geometry]
    targets: Sequence[str]
    is_nucleus: Sequence[bool]
    tree: shapely.STRtree
    names: frozenset[str]
    counts: Counter


def read_layers(path: Path, cutting: Cutting) -> Layers:
    """Read an annotation and sort what is painted: Region* in a study of nuclei, annotations, nuclei.

    Raises InputError for a bad file, a class that the map lacks, and where nothing is painted.
    """
    drawing = read_shapes(path)
    counts = drawing.counts.copy()
    found: Counter = Counter()
    painted = {"frames": [], "annotations": [], "nuclei": []}
    for shape in drawing.shapes:
        if (role := _role(shape, cutting, counts)) is None:
            continue
        name = shape.class_name or NUCLEUS
        found[name] += 1
        is_frame = cutting.searches_nuclei and role == "annotations" and name.lower() == FRAME
        target = BACKGROUND if is_frame else study_class(name, cutting.targets)
        if target != NOTHING:
            painted["frames" if is_frame else role].append((_area(shape, cutting), target))
    _refuse_unknown(path, found, cutting.targets)
    layers = [*painted["frames"], *painted["annotations"], *painted["nuclei"]]
    if not layers:
        listed = ", ".join(f"{key} {count}" for key, count in counts.items() if count) or "no object"
        raise InputError(
            f"{path}: nothing in it is painted ({listed}); expected annotations with a class; give them classes in "
            "QuPath, or see the options nuclei and line_px"
        )
    geometries = [geometry for geometry, _ in layers]
    is_nucleus = [False] * (len(layers) - len(painted["nuclei"])) + [True] * len(painted["nuclei"])
    tree = shapely.STRtree(geometries)
    return Layers(geometries, [target for _, target in layers], is_nucleus, tree, frozenset(found), counts)


def _role(shape: Shape, cutting: Cutting, counts: Counter) -> str | None:
    """Whether a shape is painted among "annotations" or "nuclei", or is left out; each is counted."""
    if shape.geometry.geom_type in POINTS:
        counts["points"] += len(shape.geometry.geoms)
        return None
    is_line = shape.geometry.geom_type in LINES
    if shape.kind in OTHER_KINDS:
        key = "other_objects"
    elif shape.kind in NUCLEUS_KINDS:
        key = "detections_left_out" if is_line or not cutting.searches_nuclei else "nuclei"
    elif is_line and not cutting.line_px:
        key = "lines_left_out"
    else:
        key = "annotations" if shape.class_name else "unclassified"
    counts[key] += 1
    return key if key in ("annotations", "nuclei") else None


def _area(shape: Shape, cutting: Cutting) -> shapely.Geometry:
    if shape.geometry.geom_type not in LINES:
        return shape.geometry
    return shape.geometry.buffer(cutting.line_px * cutting.downsample / 2)


def _refuse_unknown(path: Path, found: Counter, targets: Mapping[str, str]) -> None:
    if unknown := [name for name in found if study_class(name, targets) is None]:
        listed = ", ".join(f"'{name}' ({found[name]} objects)" for name in sorted(unknown)[:5])
        raise InputError(
            f"{path}: {len(unknown)} classes that the option classes does not map: {listed}; expected "
            f"{', '.join(targets)}; add '{sorted(unknown)[0]}=<class of the study>' or '...={DROPPED}' to classes"
        )
