"""Reader of QuPath: annotations as GeoJSON on images or slides."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from histoloom.errors import InputError
from histoloom.formats import shapes
from histoloom.formats.slides import slide
from histoloom.plugins import suggestion
from histoloom.prepare.reading.annotated_slides import Survey, read_window, survey
from histoloom.prepare.reading.class_map import BACKGROUND, class_map, described, study_classes
from histoloom.prepare.reading.drawn_groups import REGION, cautions, group_and_stratum
from histoloom.prepare.reading.drawn_layers import NUCLEI, Cutting
from histoloom.prepare.reading.exported_tiles import exported_tile
from histoloom.prepare.reading.pairs import Pair, pair_by_stem
from histoloom.sample import Dataset


def qupath(
    root: Path,
    *,
    annotations: str = ".",
    annotation_ending: str = "",
    classes: Sequence[str] = (),
    group: str = "name",
    stratum: str = "",
    nuclei: str = "none",
    downsample: int = 1,
    region_px: int = 1024,
    margin_px: int = 0,
    line_px: int | float = 1,
    mpp: int | float = 0.0,  # 0 = as the slide's header says
    licence: str = "not stated",
    citation: str = "not stated",
    note: str = "",
) -> Dataset:
    """Read images or slides under `root` with a GeoJSON of the same stem each.

    Images lie in `root`, or in images/ where it holds none. Annotations lie in the sub-folder `annotations` and are
    named <stem><annotation_ending>.geojson, .json, or either with .gz. They are painted in file order, later ones on
    top; where nothing is drawn nothing is known (255). Coordinates count from the corner of what the slide shows in
    QuPath: of its bounds, where the file states them (see formats/slides/slide.py). Pixels in the options are working
    pixels, of `downsample` full-resolution pixels a side.

    - `classes`: entries "class in QuPath=class of the study": several of one name merge; "ignore" on the right drops to
      255, "background" makes class 0. Empty: the classes as found, in order of name. Classes that end in * are none to
      learn: Ignore* paints 255, Region* and others nothing. A class that the map lacks makes its file a problem.
    - A slide is cut into windows of a fixed grid, `region_px` a side; those with an annotated pixel are the samples,
      <stem>_x<column>_y<row> by the full-resolution place of their corner. A smaller image is one sample. `margin_px`
      shows more image around a window, with 255 there, so that no annotated pixel lies in two samples.
    - `group`, `stratum`: patterns for histoloom.grouping.group_of on the stem; "name" is the slide, "region" each
      window by itself, for a pilot on one slide only.
    - Lines are drawn `line_px` wide (0: not at all). Points, objects without class, and of other planes are counted.
    - `nuclei: detections` makes detections and cells (their nuclei) into instances, painted over the annotations; one
      without class has the class "nucleus". Region* then means "searched for nuclei": it paints background, below all
      else, and outside annotations only the nuclei themselves are known. With "none", detections are left out.
    - `mpp` in micrometres per full-resolution pixel.

    Raises InputError for a missing folder, unusable settings, and tiles that QuPath exported (take qupath_tiles).
    `problems` name files that cannot be read or paired, lie on no image, or hold a class that the map lacks.

    Source: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
    """
    targets = class_map(classes)
    cutting = Cutting(tuple(targets.items()), nuclei, downsample, region_px, margin_px, line_px, mpp)
    _check(cutting, group)
    folder = _images_folder(root)
    if tile := exported_tile(folder, root / annotations):
        raise InputError(
            f"{tile}: is a tile that QuPath exported; expected an image or slide with a GeoJSON of its name; set "
            "'reader: qupath_tiles' for tiles and their labels"
        )
    pairs, unpaired = pair_by_stem(
        folder, _existing(root / annotations), slide.SUFFIXES, shapes.SUFFIXES, annotation_ending=annotation_ending
    )
    surveys, unread = _surveys(pairs, cutting)
    problems = (*unpaired, *unread)
    if not surveys:
        more = [f"(and {len(problems) - 3} more files)"] if len(problems) > 3 else []
        none = f"{folder}: holds no image or slide; expected some, with annotations; mend 'root'"
        raise InputError("\n".join([*problems[:3], *more]) or none)
    found = {name for one in surveys.values() for name in one.names}
    names = study_classes(targets, found)
    belonging = {pair: group_and_stratum(pair.stem, group, stratum) for pair in surveys}
    has_background = any(BACKGROUND in one.targets for one in surveys.values())
    return Dataset(
        classes=names,
        items=[
            partial(read_window, root, pair, window, cutting, names, *belonging[pair])
            for pair, one in surveys.items()
            for window in one.windows
        ],
        facts=_facts(cutting, targets, found) | dict(sum((one.counts for one in surveys.values()), Counter())),
        licence=licence,
        citation=citation,
        warnings=cautions(note, group, has_background=has_background),
        problems=problems,
    )


def _surveys(pairs: Sequence[Pair], cutting: Cutting) -> tuple[dict[Pair, Survey], tuple[str, ...]]:
    """What each annotation holds and where, and a message for each that is bad."""
    surveys, problems = {}, []
    for pair in pairs:
        try:
            surveys[pair] = survey(pair, cutting)
        except InputError as error:
            problems.append(str(error))
    return surveys, tuple(problems)


def _check(cutting: Cutting, group: str) -> None:
    if cutting.nuclei not in NUCLEI:
        raise InputError(f"nuclei: unknown word '{cutting.nuclei}'; {suggestion(cutting.nuclei, list(NUCLEI))}")
    for name, least in {"downsample": 1, "region_px": 32, "margin_px": 0}.items():
        value = getattr(cutting, name)
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name}: {value}; expected a whole number, {least} or more; mend the option")
    for name in ("line_px", "mpp"):
        if not 0 <= getattr(cutting, name) < 10_000:
            raise InputError(f"{name}: {getattr(cutting, name)}; expected 0 or more, below 10000; mend the option")
    if group == REGION and cutting.margin_px:
        raise InputError(
            f"margin_px: {cutting.margin_px} with group 'region'; expected 0, so that windows of different folds share "
            "no pixel; set margin_px to 0, or group by slide"
        )


def _images_folder(root: Path) -> Path:
    _existing(root)
    holds_image = any(path.name.lower().endswith(slide.SUFFIXES) for path in root.iterdir() if path.is_file())
    return root / "images" if not holds_image and (root / "images").is_dir() else root


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; expected images or slides with their annotations; mend 'root' or 'annotations'"
        )
    return folder


def _facts(cutting: Cutting, targets: dict[str, str], found: set[str]) -> dict[str, str | int | float]:
    facts = {name: getattr(cutting, name) for name in ("downsample", "region_px", "margin_px", "line_px", "nuclei")}
    return facts | {"class_map": described(targets, found)}
