"""Reader of CryoNuSeg: nuclei of frozen sections of ten organs, as two people drew them, one of them twice.

The images lie in "tissue images", the nuclei of each annotator in "label masks modify" of the annotator's folder, which
as downloaded holds a folder of its own name once or twice more. Older downloads have the label folders of the first
annotator beside "tissue images". The folder "label masks" is never read: it holds sums of ids where nuclei overlap.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.formats.images import SUFFIXES, read_image
from histoloom.plugins import suggestion
from histoloom.prepare.reading.nuclei import numbered, read_nuclei, second_opinion
from histoloom.prepare.reading.pairs import Pair, find_folder, pair_by_stem
from histoloom.prepare.reading.tables import rows_by
from histoloom.sample import Dataset, Sample

FIRST_ROUND = "biologist"
FOLDERS = {
    FIRST_ROUND: "Annotator 1 (biologist)",
    "biologist_second_round": "Annotator 1 (biologist second round of manual marks up)",
    "bioinformatician": "Annotator 2 (bioinformatician)",
}
COUNTED = {  # where the dataset's table says how many nuclei an annotator drew
    FIRST_ROUND: "nr cells\n(biologist) 1st round of manual mark-ups",
    "biologist_second_round": "nr cells\n(biologist) 2nd round of manual mark-ups",
    "bioinformatician": "nr cells\n(bioinformatician)",
}
LABELS = "label masks modify"
LABEL_SUFFIXES = (".tif", ".tiff", ".png")  # no JPEG: it changes ids
TABLE = "selected_wsis"
TILE_NAME = re.compile(r"[^_]+_(.+)_\d+")  # Human_<Organ>_<nn>
NAMES_SHOWN = 5


@dataclass(frozen=True)
class Tile:
    """A tile with the nuclei of both annotators, and what the dataset's table says of its slide."""

    pair: Pair
    second: Path | None
    patient: str
    mpp: float | None
    stated_nuclei: int


def cryonuseg(
    root: Path,
    *,
    annotator: str = "biologist",
    second: str = "bioinformatician",
    mpp: int | float = 0.0,  # 0 = not known
    licence: str = "as stated at Kaggle, ipateam/segmentation-of-nuclei-in-cryosectioned-he-images",
    citation: str = "Mahbod et al., CryoNuSeg (2021), doi 10.1016/j.compbiomed.2021.104349",
    note: str = "",
) -> Dataset:
    """Read "tissue images" with the nuclei of one annotator as truth, and those of another as second opinion.

    `annotator` and `second` are "biologist" (first round), "biologist_second_round" or "bioinformatician"; `second` may
    be "none". The mask is class "nucleus" wherever there is one. selected_wsis.csv, saved from Selected_WSIs.xlsx,
    tells the patient of each tile, which is the group, and its micrometres per pixel; `mpp` is for tiles of which it
    does not. Tiles that it lacks count as patients of their own: CryoNuSeg has one tile of each. The table's number of
    nuclei is counted beside the one that was read. The stratum is the organ in Human_<Organ>_<nn>.
    `licence`, `citation` and `note` (a warning carried into the report) are for other data kept in this layout.
    `problems` name tiles without labels and the reverse. Raises InputError for missing folders, unknown annotators and
    a bad table, and with the sample for labels of another size than their tile.

    Source: Mahbod et al. 2021, doi 10.1016/j.compbiomed.2021.104349.
    """
    _check_annotators(annotator, second)
    if not (math.isfinite(mpp) and mpp >= 0):
        raise InputError(f"mpp: {mpp}; expected micrometres per pixel, such as 0.25, or 0 where unknown; mend it")
    images = find_folder(root, ["tissue images"], "CryoNuSeg's tiles")
    labels = label_folder(root, annotator)
    if labels is None:
        raise InputError(
            f"{root}: no '{LABELS}' of annotator '{annotator}'; expected {FOLDERS[annotator]}/{LABELS}; unpack "
            "CryoNuSeg here, or choose another 'annotator'"
        )
    pairs, problems = pair_by_stem(images, labels, SUFFIXES, LABEL_SUFFIXES)
    opinions, second_warnings = _second_opinions(root, images, second)
    rows, table_warnings = _table(root)
    tiles = [_tile(root, pair, opinions.get(pair.stem), rows, annotator, mpp) for pair in pairs]
    return Dataset(
        classes=("background", "nucleus"),
        items=[partial(_sample, root, tile) for tile in tiles],
        licence=licence,
        citation=citation,
        facts={"annotator": annotator, "second_annotator": second},
        warnings=(*second_warnings, *table_warnings, *_unlisted(pairs, rows), *([note] if note else [])),
        problems=problems,
    )


def label_folder(root: Path, annotator: str) -> Path | None:
    """The folder "label masks modify" of an annotator, however deep the annotator's folder repeats itself."""
    places = [*_repeats(root, FOLDERS[annotator]), *([root] if annotator == FIRST_ROUND else [])]
    return next((found for place in places if (found := _child(place, LABELS))), None)


def _repeats(root: Path, name: str) -> list[Path]:
    found, place = [], _child(root, name)
    while place:
        found.append(place)
        place = _child(place, name)
    return found


def _child(folder: Path, name: str) -> Path | None:
    """The folder of a name, whatever became of its blanks, brackets and capitals on the way."""
    wanted = _letters(name)
    found = [path for path in sorted(folder.iterdir()) if path.is_dir() and _letters(path.name) == wanted]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"{folder}: has {names}; expected one folder '{name}'; leave only one of them")
    return found[0] if found else None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _check_annotators(annotator: str, second: str) -> None:
    for option, value, choices in (("annotator", annotator, [*FOLDERS]), ("second", second, [*FOLDERS, "none"])):
        if value not in choices:
            raise InputError(f"{option}: unknown annotator '{value}'; {suggestion(value, choices)}")
    if annotator == second:
        raise InputError(f"second: '{second}' is the annotator of the truth too; expected another, or 'none'; mend it")


def _second_opinions(root: Path, images: Path, second: str) -> tuple[dict[str, Path], tuple[str, ...]]:
    if second == "none":
        return {}, ()
    labels = label_folder(root, second)
    if labels is None:
        return {}, (f"no labels of annotator '{second}' in {FOLDERS[second]}/{LABELS}: agreement cannot be told",)
    pairs, problems = pair_by_stem(images, labels, SUFFIXES, LABEL_SUFFIXES)
    warnings = (
        (f"annotator '{second}': {len(problems)} files find no partner, first {problems[0]}",) if problems else ()
    )
    return {pair.stem: pair.annotation for pair in pairs}, warnings


def _table(root: Path) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    files = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_file()}
    if table := files.get(f"{TABLE}.csv"):
        return rows_by(table, "File Name", ["TCGA", "Pixel-Dimensions"]), ()
    workbook = files.get(f"{TABLE}.xlsx")
    found = f"only {workbook.name} is there, which is not read" if workbook else f"no {TABLE}.csv"
    cure = f"save it as {TABLE}.csv in a spreadsheet program" if workbook else "put CryoNuSeg's table here so named"
    return {}, (f"{found}: micrometres per pixel are unknown, and each tile counts as a patient; {cure}",)


def _unlisted(pairs: list[Pair], rows: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    names = [pair.stem for pair in pairs if pair.stem.lower() not in rows]
    if not rows or not names:
        return ()
    shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
    return (f"{len(names)} of {len(pairs)} tiles ({shown}) are not in {TABLE}.csv: each counts as a patient",)


def _tile(
    root: Path, pair: Pair, second: Path | None, rows: Mapping[str, Mapping[str, str]], annotator: str, mpp: float
) -> Tile:
    row = rows.get(pair.stem.lower(), {})
    cell = row.get("pixel-dimensions", "")
    try:
        value = float(cell.replace(",", ".") or mpp)  # a decimal comma, where a spreadsheet wrote one
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(
            f"{root / TABLE}.csv: Pixel-Dimensions of {pair.stem} is '{cell}'; expected micrometres per pixel, such as "
            "0.25, or nothing; mend the table"
        )
    stated = row.get(COUNTED[annotator], "").replace("\r", "")
    return Tile(
        pair,
        second,
        row.get("tcga") or pair.stem,
        value or None,
        int(stated) if re.fullmatch("[0-9]{1,6}", stated) else 0,
    )


def _sample(root: Path, tile: Tile) -> Sample:
    image = read_image(tile.pair.image)
    instances, counts = numbered(read_nuclei(tile.pair.annotation, tile.pair.image, image.shape[:2]))
    second, second_counts = second_opinion(tile.second, tile.pair.image, instances)
    organ = TILE_NAME.fullmatch(tile.pair.stem)
    return Sample(
        tile.pair.stem,
        image,
        (instances > 0).astype(np.uint8),
        instances,
        tile.mpp,
        tile.patient,
        organ[1] if organ else "",
        source=tile.pair.image.relative_to(root).as_posix(),
        second_instances=second,
        counts=counts | second_counts | ({"nuclei_in_table": stated} if (stated := tile.stated_nuclei) else {}),
    )
