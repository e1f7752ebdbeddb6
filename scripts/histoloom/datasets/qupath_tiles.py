"""Reader of the tiles and label images that QuPath's TileExporter writes."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from histoloom.errors import InputError
from histoloom.formats.images import SUFFIXES
from histoloom.prepare.reading.class_map import BACKGROUND, class_map, described, study_class, study_classes
from histoloom.prepare.reading.drawn_groups import REGION, cautions, group_and_stratum
from histoloom.prepare.reading.exported_tiles import Tile, find_tiles, label_names, overlapping, read_tile
from histoloom.sample import Dataset


def qupath_tiles(
    root: Path,
    *,
    labels: str = "",
    label_ending: str = "",
    classes: Sequence[str] = (),
    group: str = "name",
    stratum: str = "",
    mpp: int | float = 0.0,  # 0 = not known
    licence: str = "not stated",
    citation: str = "not stated",
    note: str = "",
) -> Dataset:
    """Read tiles `name [d=2,x=0,y=0,w=1024,h=1024].png` under `root`, each with a label image of its name.

    Tiles lie in `root`, or in images/ where it holds none; labels in the sub-folder `labels`, or by default in labels/
    or beside the tiles, named <tile><label_ending>.png. Tiles are taken at the resolution at which they were exported.

    - `classes`: entries "label=class of the study", where a label is its number ("1=tumour") or the name that
      <slide>-tiles.json gives it: several of one name merge; "ignore" on the right drops to 255, "background" makes
      class 0. Empty: the names in those files. Number 0, where nothing is drawn, is 255 unless mapped; so are names
      that end in *.
    - `group`, `stratum`: patterns for histoloom.grouping.group_of on the slide's name; "name" is the slide, "region"
      each tile by itself, for a pilot on one slide only.
    - `mpp` in micrometres per full-resolution pixel; a tile's is d times as large.

    Raises InputError for a missing folder and unusable settings, and with the sample where the size contradicts the
    name or a label has no class. `problems` name tiles without labels, the reverse, and names without a region.

    Source: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
    """
    targets = class_map(classes)
    if not 0 <= mpp < 10_000:
        raise InputError(f"mpp: {mpp}; expected 0 or more, below 10000; mend the option")
    folder = _tiles_folder(root)
    tiles, problems = find_tiles(folder, _labels_folder(root, folder, labels), label_ending)
    if not tiles:
        none = f"{folder}: holds no tile of QuPath's TileExporter; expected some, with labels; mend 'root' or 'labels'"
        more = [f"(and {len(problems) - 2} more files)"] if len(problems) > 2 else []
        raise InputError("\n".join([none, *problems[:2], *more]))
    numbers = label_names(root)
    _check(tiles, numbers, targets, group)
    found = set(numbers.values()) or set(targets)
    names = study_classes(targets, found)
    return Dataset(
        classes=names,
        items=[
            partial(read_tile, root, tile, numbers, targets, names, mpp, *group_and_stratum(tile.slide, group, stratum))
            for tile in tiles
        ],
        licence=licence,
        citation=citation,
        facts={"class_map": described(targets, found)},
        warnings=cautions(note, group, has_background=BACKGROUND in {study_class(name, targets) for name in found}),
        problems=problems,
    )


def _check(tiles: Sequence[Tile], numbers: Mapping[int, str], targets: Mapping[str, str], group: str) -> None:
    if not targets and not numbers:
        raise InputError(
            f"{tiles[0].labels.parent}: labels are numbers without names; expected a class for each; give them as in "
            "classes: [0=ignore, 1=tumour, 2=stroma], or export with TileExporter.exportJson(true)"
        )
    if group == REGION and (twice := overlapping(tiles)):
        raise InputError(
            f"group: 'region', but {twice[0].image.name} and {twice[1].image.name} overlap; expected tiles apart; "
            "export with overlap(0), or group by slide"
        )


def _tiles_folder(root: Path) -> Path:
    holds_image = any(path.name.lower().endswith(SUFFIXES) for path in _existing(root).iterdir() if path.is_file())
    return root / "images" if not holds_image and (root / "images").is_dir() else root


def _labels_folder(root: Path, tiles: Path, labels: str) -> Path:
    if labels:
        return _existing(root / labels)
    return root / "labels" if (root / "labels").is_dir() else tiles


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected exported tiles or labels; mend 'root' or 'labels'")
    return folder
