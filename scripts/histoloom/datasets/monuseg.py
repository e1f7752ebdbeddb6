"""Reader of MoNuSeg: tiles of several organs of TCGA, with the outline of each nucleus in Aperio's XML."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int32
from rasterio.features import rasterize

from histoloom.errors import InputError
from histoloom.formats.images import MAX_ID, SUFFIXES, read_image
from histoloom.grouping import group_of
from histoloom.prepare.reading.aperio import Outlines, read_outlines
from histoloom.prepare.reading.nuclei import numbered
from histoloom.prepare.reading.pairs import Pair, find_folder, pair_by_stem
from histoloom.prepare.reading.tables import rows_by
from histoloom.sample import Dataset, Sample

IMAGES, ANNOTATIONS = "Tissue Images", "Annotations"
XML_SUFFIXES = (".xml", ".xml.gz")


def monuseg(
    root: Path,
    *,
    mpp: int | float = 0.0,  # 0 = not known: the dataset says 40x, but micrometres per pixel only in some files
    group: str = "tcga_participant",
    organs_csv: str = "",
    licence: str = "CC BY-NC-SA 4.0",
    citation: str = "Kumar et al., MoNuSeg, IEEE Trans Med Imaging 36:1550 (2017), doi 10.1109/TMI.2017.2677499",
    note: str = "",
) -> Dataset:
    """Read "Tissue Images" and "Annotations" (.xml or .xml.gz), or both from one folder; each region is a nucleus.

    A pixel belongs to the nucleus whose outline holds its centre, and to the later one where outlines overlap. Counted
    are regions of fewer than 3 vertices and negative regions, both left out, outlines cut by the image's border, pixels
    in several outlines, and hidden nuclei: outlines that own no pixel in the end. `mpp` is in micrometres per pixel,
    for files without MicronsPerPixel. `group` is a pattern for histoloom.grouping.group_of on the file's name.
    `organs_csv`, a file in the dataset's folder with the columns name and organ, gives the stratum; a name is that of
    an image, without suffix, or its group.
    `licence`, `citation` and `note` (a warning carried into the report) are for other data kept in this layout.
    `problems` name images without annotation and the reverse. Raises InputError for missing folders and a bad table,
    and with the sample for names that `group` does not match, broken XML, and outlines that lie beside the image.

    Source: Kumar et al. 2017, doi 10.1109/TMI.2017.2677499.
    """
    if not (math.isfinite(mpp) and mpp >= 0):
        raise InputError(f"mpp: {mpp}; expected micrometres per pixel, such as 0.25, or 0 where unknown; mend it")
    pairs, problems = pair_by_stem(*_folders(root), SUFFIXES, XML_SUFFIXES)
    organs = _organs(root, organs_csv)
    return Dataset(
        classes=("background", "nucleus"),
        items=[partial(_sample, root, pair, float(mpp), group, organs) for pair in pairs],
        licence=licence,
        citation=citation,
        facts={"overlaps": "the later region wins", "organs": organs_csv or "not given"},
        warnings=(note,) if note else (),
        problems=problems,
    )


def nuclei_of(
    outlines: Sequence[Sequence[tuple[int | float, int | float]]], height: int, width: int
) -> Int32[np.ndarray, "{height} {width}"]:
    """For each pixel the number, 1 to n, of the last outline that holds its centre; 0 = none.

    Outlines are (x, y) in pixels, origin at the top left corner of the first pixel; they may reach over the border.
    GDAL's rasteriser draws them all in one call, by the centres of pixels and in order; cv2.fillPoly would add the
    pixels under the outline, and so make each nucleus about half a pixel too large all round.

    >>> nuclei_of([[(0, 0), (3, 0), (3, 1), (0, 1)], [(2, 0), (4, 0), (4, 1), (2, 1)]], 1, 4).tolist()
    [[1, 1, 2, 2]]
    """
    ids = np.zeros((height, width), np.int32)
    rings = ({"type": "Polygon", "coordinates": [[*outline, outline[0]]]} for outline in outlines)
    if outlines:
        rasterize(zip(rings, range(1, len(outlines) + 1), strict=True), out=ids)
    return ids


def _folders(root: Path) -> tuple[Path, Path]:
    has_folder = root.is_dir() and any(path.is_dir() and path.name.lower() == IMAGES.lower() for path in root.iterdir())
    if root.is_dir() and not has_folder and any(path.name.lower().endswith(XML_SUFFIXES) for path in root.iterdir()):
        return root, root  # as the test part is packed
    return find_folder(root, [IMAGES], "MoNuSeg's tiles"), find_folder(root, [ANNOTATIONS], "Aperio's XML files")


def _organs(root: Path, name: str) -> dict[str, str]:
    if not name:
        return {}
    path = root / name
    # Outside the dataset's folder a change of it would go unnoticed, and results would not be made anew.
    if not (path.is_file() and path.resolve().is_relative_to(root.resolve())):
        raise InputError(
            f"organs_csv: no file '{name}' in {root}; expected a CSV with columns name, organ; put it there"
        )
    return {key: row["organ"] for key, row in rows_by(path, "name", ["organ"]).items()}


def _sample(root: Path, pair: Pair, mpp: float, group: str, organs: dict[str, str]) -> Sample:
    patient = group_of(pair.stem, group)
    image = read_image(pair.image)
    outlines = read_outlines(pair.annotation)
    instances, counts = _drawn(pair, outlines, *image.shape[:2])
    return Sample(
        pair.stem,
        image,
        (instances > 0).astype(np.uint8),
        instances,
        outlines.mpp or mpp or None,
        patient,
        organs.get(pair.stem.lower()) or organs.get(patient.lower(), ""),
        source=pair.image.relative_to(root).as_posix(),
        counts=counts,
    )


def _drawn(
    pair: Pair, outlines: Outlines, height: int, width: int
) -> tuple[Int32[np.ndarray, "{height} {width}"], dict[str, int]]:
    rings = outlines.rings
    if len(rings) > MAX_ID:
        raise InputError(
            f"{pair.annotation}: has {len(rings)} regions; expected at most {MAX_ID}; cut the image in parts"
        )
    low = np.array([np.min(ring, axis=0) for ring in rings]).reshape(-1, 2)
    high = np.array([np.max(ring, axis=0) for ring in rings]).reshape(-1, 2)
    beside = int(((low >= (width, height)) | (high <= 0)).any(1).sum())
    if 2 * beside > len(rings):
        raise InputError(
            f"{pair.annotation}: {beside} of {len(rings)} regions lie beside {pair.image}, which is {height}x{width}; "
            "expected them on it (height x width); give the annotation of this image, in its own pixels"
        )
    last = nuclei_of(rings, height, width)
    first = nuclei_of(rings[::-1], height, width)
    instances, counts = numbered(last)
    return instances, {
        "regions": len(rings) + outlines.short + outlines.negative,
        "short_regions": outlines.short,
        "negative_regions": outlines.negative,
        "cut_regions": int(((low < 0) | (high > (width, height))).any(1).sum()),
        "hidden_nuclei": len(rings) - counts["nuclei"],
        "double_pixels": int(((last > 0) & (first != len(rings) + 1 - last)).sum()),
        "nuclei": counts["nuclei"],
        "nuclei_in_pieces": counts["nuclei_in_pieces"],
    }
