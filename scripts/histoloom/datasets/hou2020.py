"""Reader of the manual part of Hou et al. 2020: patches of 14 cancer types of TCGA with their nuclei.

The files lie in manual_segmentation_data/ or in the dataset's folder itself: {id}_crop.png is the image,
{id}_labeled_mask_corrected.png its nuclei, and for a few patches {id}_labeled_mask_common0.png to common2.png are the
nuclei as each of three annotators drew them. A text file beside them tells the cancer type, and perhaps the TCGA slide,
of each patch: a table after some lines of prose.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.formats.images import read_image
from histoloom.formats.whole import read_whole
from histoloom.grouping import TCGA_PARTICIPANT
from histoloom.plugins import suggestion
from histoloom.prepare.reading.nuclei import numbered, read_nuclei, second_opinion
from histoloom.prepare.reading.pairs import Pair, pair_by_stem
from histoloom.prepare.reading.tables import rows_by
from histoloom.sample import Dataset, Sample

FOLDER = "manual_segmentation_data"
IMAGE_ENDING = "_crop"
TRUTH_ENDING = "_labeled_mask_corrected"
SECONDS = ("common0", "common1", "common2", "none")
PNG = (".png",)
KEY = "Patch-ID"


@dataclass(frozen=True)
class Patch:
    """A patch with its nuclei, those of the second annotator where there are, its patient and its cancer type."""

    pair: Pair
    second: Path | None
    patient: str
    cancer_type: str


def hou2020(
    root: Path,
    *,
    second: str = "common0",
    mpp: int | float = 0.0,  # 0 = not known: the dataset says 40x, but no micrometres per pixel
    licence: str = "as stated at TCIA, doi 10.7937/TCIA.2019.4A4DKP9U",
    citation: str = "Hou et al., Sci Data 7:185 (2020), doi 10.7937/TCIA.2019.4A4DKP9U",
    note: str = "",
) -> Dataset:
    """Read each {id}_crop.png with its corrected nuclei; class "nucleus" wherever there is one. Ids may have gaps.

    `second` is which of the three annotators gives the second opinion where there is one: "common0", "common1",
    "common2" or "none". The table of patches, a .txt or .csv with a column Patch-ID, gives the stratum by its column
    CancerType, and the group by the TCGA participant (TCGA-xx-xxxx) that a patch's row names; a patch without is a
    group of its own, and a warning says so. `mpp` is in micrometres per pixel. `licence`, `citation` and `note` (a
    warning carried into the report) are for other data kept in this layout.
    `problems` name images without nuclei and the reverse. Raises InputError for a missing folder, several tables or a
    bad one, and with the sample for nuclei of another size than their image.

    Source: Hou et al. 2020, Sci Data 7:185.
    """
    if second not in SECONDS:
        raise InputError(f"second: unknown annotator '{second}'; {suggestion(second, list(SECONDS))}")
    if not (math.isfinite(mpp) and mpp >= 0):
        raise InputError(f"mpp: {mpp}; expected micrometres per pixel, such as 0.25, or 0 where unknown; mend it")
    folder = _folder(root)
    pairs, problems = pair_by_stem(folder, folder, PNG, PNG, image_ending=IMAGE_ENDING, annotation_ending=TRUTH_ENDING)
    opinions = _second_opinions(folder, second)
    table = find_table(root, folder)
    rows = rows_by(table, KEY, ["CancerType"]) if table else {}
    patches = [_patch(pair, opinions.get(pair.stem), rows) for pair in sorted(pairs, key=_by_number)]
    return Dataset(
        classes=("background", "nucleus"),
        items=[partial(_sample, root, patch, mpp) for patch in patches],
        licence=licence,
        citation=citation,
        facts={"second_annotator": second, "table": table.name if table else "none"},
        warnings=(*_unknown(patches, rows), *([note] if note else [])),
        problems=problems,
    )


def find_table(root: Path, folder: Path) -> Path | None:
    """The text file, in the dataset's folder or the one of its images, that has a column Patch-ID.

    Raises InputError where several have one.
    """
    files = {path for place in (root, folder) for path in place.iterdir() if path.suffix.lower() in (".txt", ".csv")}
    found = [path for path in sorted(files) if path.is_file() and KEY.lower().encode() in read_whole(path).lower()]
    if len(found) > 1:
        raise InputError(
            f"{found[0]}: has a column '{KEY}', as {found[1].name} has; expected one table of patches; move one away"
        )
    return found[0] if found else None


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected {FOLDER}/ of Hou et al. in it; unpack it, or mend 'root'")
    inner = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name.lower() == FOLDER]
    for place in (*inner, root):
        if any(path.name.lower().endswith(f"{IMAGE_ENDING}.png") for path in place.iterdir()):
            return place
    raise InputError(f"{root}: no image; expected <id>{IMAGE_ENDING}.png in {FOLDER}/; unpack {FOLDER}.tar.gz here")


def _second_opinions(folder: Path, second: str) -> dict[str, Path]:
    # Most patches have a single annotator, so what finds no partner here is no problem.
    ending = f"_labeled_mask_{second}"
    pairs, _ = pair_by_stem(folder, folder, PNG, PNG, image_ending=IMAGE_ENDING, annotation_ending=ending)
    return {pair.stem: pair.annotation for pair in pairs}


def _by_number(pair: Pair) -> tuple[int, str]:
    return (int(pair.stem) if pair.stem.isdecimal() else 0, pair.stem)


def _patch(pair: Pair, second: Path | None, rows: Mapping[str, Mapping[str, str]]) -> Patch:
    row = rows.get(pair.stem.lower(), {})
    named = re.search(TCGA_PARTICIPANT, " ".join(row.values()).upper())
    return Patch(pair, second, named[0] if named else "", row.get("cancertype", ""))


def _unknown(patches: list[Patch], rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Warnings on patches whose patient or cancer type is not known."""
    if not rows:
        cure = "put the readme with the columns Patch-ID and CancerType beside the images"
        return [f"no table of patches: patients and cancer types are unknown, each patch is its own group; {cure}"]
    warnings = []
    if nameless := sum(not patch.patient for patch in patches):
        warnings.append(
            f"{nameless} of {len(patches)} patches have no TCGA id in the table: patients are unknown, each such patch "
            "is its own group, and patches of one patient may lie in both training and test parts"
        )
    if untyped := sum(not patch.cancer_type for patch in patches):
        warnings.append(f"{untyped} of {len(patches)} patches have no cancer type in the table")
    return warnings


def _sample(root: Path, patch: Patch, mpp: float) -> Sample:
    image = read_image(patch.pair.image)
    instances, counts = numbered(read_nuclei(patch.pair.annotation, patch.pair.image, image.shape[:2]))
    second, second_counts = second_opinion(patch.second, patch.pair.image, instances)
    return Sample(
        patch.pair.stem,
        image,
        (instances > 0).astype(np.uint8),
        instances,
        float(mpp) or None,
        patch.patient or f"patch_{patch.pair.stem}",
        patch.cancer_type.lower(),
        source=patch.pair.image.relative_to(root).as_posix(),
        second_instances=second,
        counts=counts | second_counts,
    )
