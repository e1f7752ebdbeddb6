"""Reader of QuPath: annotations as GeoJSON on images or slides, and the labelled tiles that TileExporter writes."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from histoloom.errors import InputError
from histoloom.formats import shapes, slides
from histoloom.grouping import group_of
from histoloom.plugins import suggestion
from histoloom.prepare.reading.annotated_slides import Survey, read_window, survey
from histoloom.prepare.reading.class_map import BACKGROUND, DROPPED, NOTHING, class_map, study_class, study_classes
from histoloom.prepare.reading.drawn_layers import NUCLEI, Cutting
from histoloom.prepare.reading.exported_tiles import find_tiles, holds_tiles, label_names, overlapping, read_tile
from histoloom.prepare.reading.pairs import Pair, pair_by_stem
from histoloom.sample import Dataset

REGION = "region"  # the word for group: each window by itself
NO_BACKGROUND = (
    "nothing is annotated as background: class 0 has no pixels, since what nobody annotated is unknown and no "
    "background; map a class of tissue that is not sought to 'background' where a score is to count false alarms"
)
ONE_SLIDE = (
    "each window is its own group: windows of one slide are not independent, so scores are those of a pilot and say "
    "nothing about new slides; group by slide or patient as soon as there are several"
)


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
    max_objects: int = 1_000_000,
    licence: str = "not stated",
    citation: str = "not stated",
    note: str = "",
) -> Dataset:
    """Read images or slides under `root` with a GeoJSON of the same stem each, or TileExporter's tiles and labels.

    Images lie in `root`, or in images/ where it holds none. Annotations lie in the sub-folder `annotations` and are
    named <stem><annotation_ending>.geojson, .json, or either with .gz. They are painted in file order, later ones on
    top; where nothing is drawn nothing is known (255). Pixels in the options are working pixels, of `downsample`
    full-resolution pixels a side.

    - `classes`: entries "class in QuPath=class of the study": several of one name merge; "ignore" on the right drops to
      255, "background" makes class 0. Empty: the classes as found, in order of name. Classes that end in * are none to
      learn: Ignore* paints 255, Region* and others nothing. A class that the map lacks makes its file a problem.
    - A slide is cut into windows of a fixed grid, `region_px` a side; those with an annotated pixel are the samples,
      <stem>_x<column>_y<row> by the full-resolution place of their corner. A smaller image is one sample. `margin_px`
      shows more image around a window, with 255 there, so that no annotated pixel lies in two samples.
    - `group`, `stratum`: patterns for histoloom.grouping.group_of on the stem (on a tile's slide); "name" is the slide,
      "region" each window by itself, for a pilot on one slide only.
    - Lines are drawn `line_px` wide (0: not at all). Points, objects without class, and of other planes are counted.
    - `nuclei: detections` makes detections and cells (their nuclei) into instances, painted over the annotations; one
      without class has the class "nucleus". Region* then means "searched for nuclei": it paints background, below all
      else, and outside annotations only the nuclei themselves are known. With "none", detections are left out.
    - `mpp` in micrometres per full-resolution pixel; `max_objects` a file may hold.
    - Tiles: `name [d=2,x=0,y=0,w=1024,h=1024].tif`, labels of the same name in `annotations`, labels/ or beside them.
      Classes are the label's numbers ("1=tumour"), or the names that <slide>-tiles.json gives them; 0 is 255 unless
      mapped. Tiles are taken as they are: no option in working pixels applies.

    Raises InputError for a missing folder and unusable settings. `problems` name files that cannot be read or paired,
    lie on no image, or hold a class that the map lacks.

    Source: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
    """
    targets = class_map(classes)
    cutting = Cutting(tuple(targets.items()), nuclei, downsample, region_px, margin_px, line_px, mpp, max_objects)
    _check(cutting, group)
    folder = _images_folder(root)
    terms = {"licence": licence, "citation": citation}
    if holds_tiles(folder, root / annotations):
        return _tiles(root, folder, annotations, annotation_ending, targets, group, stratum, mpp, note, terms)
    pairs, unpaired = pair_by_stem(
        folder, _existing(root / annotations), slides.SUFFIXES, shapes.SUFFIXES, annotation_ending=annotation_ending
    )
    surveys, unread = _surveys(pairs, cutting)
    problems = (*unpaired, *unread)
    if not surveys:
        more = [f"(and {len(problems) - 3} more files)"] if len(problems) > 3 else []
        none = f"{folder}: holds no image or slide; expected some, with annotations; mend 'root'"
        raise InputError("\n".join([*problems[:3], *more]) or none)
    found = {name for one in surveys.values() for name in one.names}
    names = study_classes(targets, found)
    groups = {pair.stem: ("" if group == REGION else group_of(pair.stem, group)) for pair in surveys}
    strata = {pair.stem: (group_of(pair.stem, stratum) if stratum else "") for pair in surveys}
    has_background = any(BACKGROUND in one.targets for one in surveys.values())
    return Dataset(
        classes=names,
        items=[
            partial(read_window, root, pair, window, cutting, names, groups[pair.stem], strata[pair.stem])
            for pair, one in surveys.items()
            for window in one.windows
        ],
        facts=_facts(cutting, targets, found) | dict(sum((one.counts for one in surveys.values()), Counter())),
        warnings=_warnings(note, has_background=has_background, by_region=group == REGION),
        problems=problems,
        **terms,
    )


def _tiles(
    root: Path,
    folder: Path,
    annotations: str,
    ending: str,
    targets: dict[str, str],
    group: str,
    stratum: str,
    mpp: int | float,
    note: str,
    terms: dict[str, str],
) -> Dataset:
    has_labels_folder = annotations == "." and (root / "labels").is_dir()
    labels = root / "labels" if has_labels_folder else folder if annotations == "." else _existing(root / annotations)
    tiles, problems = find_tiles(folder, labels, ending)
    numbers = label_names(root)
    if not targets and not numbers:
        raise InputError(
            f"{labels}: labels are numbers without names; expected a class for each; give them as in "
            "classes: [0=ignore, 1=tumour, 2=stroma], or export with TileExporter.exportJson(true)"
        )
    if group == REGION and (twice := overlapping(tiles)):
        raise InputError(
            f"group: 'region', but {twice[0].image.name} and {twice[1].image.name} overlap; expected tiles apart; "
            "export with overlap(0), or group by slide"
        )
    found = set(numbers.values()) or set(targets)
    names = study_classes(targets, found)
    has_background = BACKGROUND in {study_class(name, targets) for name in found}
    return Dataset(
        classes=names,
        items=[
            partial(
                read_tile,
                root,
                tile,
                numbers,
                targets,
                names,
                mpp,
                "" if group == REGION else group_of(tile.slide, group),
                group_of(tile.slide, stratum) if stratum else "",
            )
            for tile in tiles
        ],
        facts={"class_map": _mapped(targets, found)},
        warnings=_warnings(note, has_background=has_background, by_region=group == REGION),
        problems=problems,
        **terms,
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
    for name, least in {"downsample": 1, "region_px": 32, "margin_px": 0, "max_objects": 1}.items():
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
    holds_image = any(path.name.lower().endswith(slides.SUFFIXES) for path in root.iterdir() if path.is_file())
    return root / "images" if not holds_image and (root / "images").is_dir() else root


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; expected images or slides with their annotations; mend 'root' or 'annotations'"
        )
    return folder


def _warnings(note: str, *, has_background: bool, by_region: bool) -> tuple[str, ...]:
    return tuple(filter(None, (note, "" if has_background else NO_BACKGROUND, ONE_SLIDE if by_region else "")))


def _mapped(targets: dict[str, str], found: set[str]) -> str:
    words = {DROPPED: "left out", NOTHING: "paints nothing"}
    pairs = targets or {name: study_class(name, targets) or NOTHING for name in sorted(found)}
    return ", ".join(f"{name}: {words.get(target, target)}" for name, target in pairs.items())


def _facts(cutting: Cutting, targets: dict[str, str], found: set[str]) -> dict[str, str | int | float]:
    facts = {name: getattr(cutting, name) for name in ("downsample", "region_px", "margin_px", "line_px", "nuclei")}
    return facts | {"class_map": _mapped(targets, found)}
