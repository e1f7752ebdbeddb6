"""Reader of any folder of images with a mask each, whose grey values or colours stand for classes."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histoloom.errors import InputError
from histoloom.formats.images import SUFFIXES, read_image
from histoloom.grouping import group_of
from histoloom.plugins import suggestion
from histoloom.prepare.reading.class_codes import UNLISTED, ClassCodes, class_codes
from histoloom.prepare.reading.class_masks import read_class_mask
from histoloom.prepare.reading.image_table import ImageRow, match_rows, read_image_table
from histoloom.prepare.reading.nuclei import numbered, read_nuclei
from histoloom.prepare.reading.pairs import Pair, pair_by_stem
from histoloom.sample import Dataset, Sample

MASK_SUFFIXES = (".png", *(suffix for suffix in SUFFIXES if suffix != ".png"))  # the usual one first, for messages
UNKNOWN_PATIENTS = (
    "patients are unknown: each image is its own group, so images of one patient may lie in both training and test "
    "parts; name the patients with the option 'group' or 'index'"
)


class Known(NamedTuple):
    """What is known of an image beside its pixels (see sample.Sample)."""

    group: str
    stratum: str
    mpp: float | None
    fold: int | None


def folder(
    root: Path,
    *,
    images: str = "images",
    masks: str = "masks",
    mask_suffix: str = "",
    classes: Sequence[str] = ("background=0", "necrosis=255"),
    unlisted: str = "refuse",
    nuclei: str = "",
    mpp: int | float = 0.0,  # 0 = not known
    group: str = "name",
    stratum: str = "",
    index: str = "",
    licence: str = "not stated",
    citation: str = "not stated",
    note: str = "",
) -> Dataset:
    """Pair each image with the mask of its name, and turn the mask's codes into classes.

    - `images`, `masks`: folders under `root`, "." for itself; masks may be named <image><mask_suffix>, as "_mask".
      Suffixes may differ (.jpg beside .png). `nuclei`: folder of maps with one grey (8, 16 or 32 bit) for each nucleus,
      made 1 to n and counted, "" for none; a map of one value in several places is refused: it is a mask.
    - `classes`: entries "name=code" with a grey value, or "name=#rrggbb" or "name=r,g,b" for coloured masks; a palette
      counts by its index or its colour, 1-bit greys are 0 and 1. Several codes of one name become one class; codes of
      the name "ignore" become 255: they count in no loss and no score. `unlisted` says what becomes of other values:
      refuse, ignore or background.
    - Class 0 must be "background": it is learnt, but Dice and IoU losses, means over classes, "foreground" and the
      baselines leave it out. Where a dataset has none, name so the tissue that is not sought. BCSS, whose 0 is outside
      the region, 7 excluded, 15 undetermined and 2 stroma, for tumour and necrosis against all else:
      {classes: [ignore=0, ignore=7, ignore=15, background=2, tumour=1, tumour=19, tumour=20, necrosis=4],
      unlisted: background, mpp: 0.25, group: tcga_participant}.
    - `mpp` in micrometres per pixel; `group` and `stratum`: patterns for histoloom.grouping.group_of on the image's
      name. `index`: a CSV under `root` with a column name (the image's, without suffix) and any of group, stratum, mpp
      and fold; its cells, where not empty, win over patterns and `mpp`.

    JPEG masks are refused, and so are PNG copies of them that show it. With `unlisted` not refuse, each sample counts
    its unlisted pixels. `problems` name files without partner, names that the patterns do not match, and images and
    rows of `index` that miss each other. Raises InputError for missing folders and unknown settings, and with the
    sample for masks of another size, kind or value.

    Source: codes of BCSS: Amgad et al. 2019, Bioinformatics 35:3461, table gtruth_codes.
    """
    codes = class_codes(classes)
    if unlisted not in UNLISTED:
        raise InputError(f"unlisted: unknown word '{unlisted}'; {suggestion(unlisted, list(UNLISTED))}")
    if not 0 <= mpp < float("inf"):
        raise InputError(f"mpp: {mpp}; expected micrometres per pixel, such as 0.25, or 0 for not known; mend it")
    pictures, truths = _inside(root, "images", images), _inside(root, "masks", masks)
    pairs, problems = pair_by_stem(pictures, truths, SUFFIXES, MASK_SUFFIXES, annotation_ending=mask_suffix)
    nucleus_maps, nucleus_problems = _nucleus_maps(root, pairs, truths, mask_suffix, nuclei)
    rows, row_problems = _rows(root, pairs, pictures, index)
    complete = [pair for pair in pairs if pair.stem in nucleus_maps and pair.stem in rows]
    known, name_problems = _known(complete, rows, group, stratum, float(mpp) or None)
    is_warned = group == "name" and any(row is None or row.group is None for row in rows.values())
    return Dataset(
        classes=codes.classes,
        items=[
            partial(_sample, root, pair, nucleus_maps[pair.stem], known[pair.stem], codes, unlisted)
            for pair in complete
            if pair.stem in known
        ],
        licence=licence,
        citation=citation,
        facts={"codes": codes.listed(), "unlisted": unlisted},
        warnings=(*((UNKNOWN_PATIENTS,) if is_warned else ()), *((note,) if note else ())),
        problems=tuple(dict.fromkeys((*problems, *nucleus_problems, *row_problems, *name_problems))),
    )


def _sample(root: Path, pair: Pair, nucleus_map: Path | None, known: Known, codes: ClassCodes, unlisted: str) -> Sample:
    image = read_image(pair.image)
    mask, unlisted_px = read_class_mask(pair.annotation, codes, unlisted)
    _check_size(pair.annotation, mask, pair.image, image)
    instances, counts = None, {}
    if nucleus_map:
        instances, counts = numbered(read_nuclei(nucleus_map, pair.image, image.shape[:2]))
    return Sample(
        pair.stem,
        image,
        mask,
        instances,
        **known._asdict(),
        source=pair.image.relative_to(root).as_posix(),
        counts=counts if unlisted == "refuse" else counts | {"unlisted_px": unlisted_px},
    )


def _check_size(path: Path, mask: np.ndarray, image_path: Path, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    if mask.shape == (height, width):
        return
    is_turned = mask.shape == (width, height)
    found = f"mask is {mask.shape[1]}x{mask.shape[0]} px (width x height)"
    raise InputError(
        f"{path}: {found}, its image {image_path.name} {width}x{height}; expected one size; "
        + ("looks transposed: exchange its rows and columns" if is_turned else "export both again at one downsample")
    )


def _inside(root: Path, option: str, name: str) -> Path:
    """A place under `root`; nothing outside, since only what lies in `root` is watched for changes."""
    place = root / name
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected images and masks in it; mend 'root'")
    if not Path(os.path.normpath(place)).is_relative_to(os.path.normpath(root)):  # links to elsewhere are followed
        raise InputError(f"{option}: '{name}' lies outside {root}; expected a place in it; set 'root' higher up")
    if option != "index" and not place.is_dir():
        there = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir()))
        raise InputError(
            f"{place}: no such folder; expected the {option} in it (the folders beside it are: {there or 'none'}); set "
            f"the option '{option}', or mend 'root'"
        )
    return place


def _nucleus_maps(
    root: Path, pairs: Sequence[Pair], masks: Path, mask_suffix: str, nuclei: str
) -> tuple[dict[str, Path | None], tuple[str, ...]]:
    if not nuclei:
        return dict.fromkeys((pair.stem for pair in pairs), None), ()
    # Paired with the masks: in a folder of images and masks, those alone can be told by their ending.
    maps = _inside(root, "nuclei", nuclei)
    found, problems = pair_by_stem(masks, maps, MASK_SUFFIXES, MASK_SUFFIXES, image_ending=mask_suffix)
    by_mask = {pair.image: pair.annotation for pair in found}
    return {pair.stem: by_mask[pair.annotation] for pair in pairs if pair.annotation in by_mask}, problems


def _rows(
    root: Path, pairs: Sequence[Pair], images: Path, index: str
) -> tuple[Mapping[str, ImageRow | None], tuple[str, ...]]:
    if not index:
        return dict.fromkeys((pair.stem for pair in pairs), None), ()
    table = _inside(root, "index", index)
    return match_rows(table, read_image_table(table), {pair.stem: pair.image for pair in pairs}, images)


def _known(
    pairs: Sequence[Pair], rows: Mapping[str, ImageRow | None], group: str, stratum: str, mpp: float | None
) -> tuple[dict[str, Known], tuple[str, ...]]:
    known, errors = {}, []
    for pair in pairs:
        try:
            known[pair.stem] = _known_of(pair.stem, rows[pair.stem], group, stratum, mpp)
        except InputError as error:
            errors.append(error)
    if errors and not known:  # no name matches: the pattern is wrong, not the names
        raise errors[0]
    return known, tuple(map(str, errors))


def _known_of(name: str, row: ImageRow | None, group: str, stratum: str, mpp: float | None) -> Known:
    row = row or ImageRow()
    return Known(
        row.group or group_of(name, group),
        row.stratum or (group_of(name, stratum) if stratum else ""),
        row.mpp or mpp,
        row.fold,
    )
