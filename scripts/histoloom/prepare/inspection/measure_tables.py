"""Tables of what was measured in a dataset: by class, by image, and how many nuclei there are of which size."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.prepare.inspection.measuring import Measured

CLASS_COLUMNS = ("class", "images", "pixels", "pixel_share", "nuclei")
NUCLEUS_COLUMNS = ("class", "unit", "area_from", "area_to", "nuclei")
STAIN_COLUMNS = ("haematoxylin_r", "haematoxylin_g", "haematoxylin_b", "eosin_r", "eosin_g", "eosin_b")
COLOUR_COLUMNS = ("mean_r", "mean_g", "mean_b", "sd_r", "sd_g", "sd_b")
AGREEMENT_COLUMNS = ("second_dice", "second_pq")
BINS_PER_DECADE = 10  # each bin of areas is 26 % wider than the one before
SQUARE_UM, SQUARE_PX = "um2", "px2"


def class_table(images: Sequence[Measured], classes: Sequence[str]) -> list[dict[str, object]]:
    """Rows of classes.csv: images with the class, its pixels, their share of all annotated pixels, and its nuclei."""
    annotated = sum(image.annotated for image in images)
    return [
        {
            "class": name,
            "images": sum(bool(image.pixels[index]) for image in images),
            "pixels": (pixels := sum(int(image.pixels[index]) for image in images)),
            "pixel_share": f"{pixels / annotated:.6f}" if annotated else None,
            "nuclei": _nuclei(images, index),
        }
        for index, name in enumerate(classes)
    ]


def measure_columns(class_count: int) -> tuple[str, ...]:
    """Columns of images.csv; pixels_<i> and nuclei_<i> are those of class index i."""
    counted = [f"{what}_{index}" for what in ("pixels", "nuclei") for index in range(class_count)]
    plain = ("name", "group", "stratum", "height", "width", "mpp", "annotated_px", "tissue_share", "sharpness")
    return (*plain, *counted, *STAIN_COLUMNS, *COLOUR_COLUMNS, *AGREEMENT_COLUMNS)


def measure_table(images: Sequence[Measured], class_count: int) -> Iterator[dict[str, object]]:
    """Rows of images.csv: what each image holds and looks like; empty where it is not known."""
    for image in images:
        row, look, nuclei = image.row, image.look, image.nuclei
        plain = (row.name, row.group, row.stratum, *image.image_size, row.mpp, image.annotated)
        counted = (*image.pixels[:class_count], *(nuclei.by_class[:class_count] if nuclei else [None] * class_count))
        stain = [None] * 6 if look.stain is None else look.stain.ravel()
        colour = [None] * 6 if look.mean is None or look.sd is None else [*look.mean, *look.sd]
        agreement = (image.agreement.dice, image.agreement.pq) if image.agreement else (None, None)
        measured = (_short(value) for value in (look.tissue_share, look.sharpness))
        seen = (*measured, *counted, *map(_short, (*stain, *colour, *agreement)))
        yield dict(zip(measure_columns(class_count), (*plain, *seen), strict=True))


def nucleus_areas(images: Sequence[Measured], class_count: int) -> tuple[str, list[Float64[np.ndarray, " _"]]]:
    """Unit and areas of the nuclei of each class: in square micrometres where every image's mpp is known, else pixels.

    Nuclei on values that are no class are left out.
    """
    counted = [image for image in images if image.nuclei is not None]
    unit = SQUARE_UM if counted and all(image.row.mpp for image in counted) else SQUARE_PX
    areas: list[list[np.ndarray]] = [[np.zeros(0)] for _ in range(class_count)]
    for image in counted:
        side = image.row.mpp if unit == SQUARE_UM else 1.0
        for index in np.flatnonzero(image.nuclei.by_class[:class_count]):
            areas[index].append(image.nuclei.areas_px[image.nuclei.classes == index] * side**2)
    return unit, [np.concatenate(parts) for parts in areas]


def area_edges(areas: Sequence[Float64[np.ndarray, " _"]]) -> Float64[np.ndarray, " edges"]:
    """Limits of the bins, ten to a decade on whole tenths of the logarithm, that hold all areas.

    >>> area_edges([np.array([11.0, 14.0])]).round(2)
    array([10.  , 12.59, 15.85])
    """
    known = np.concatenate([np.zeros(0), *areas])
    if not known.size:
        return np.zeros(0)
    first = math.floor(BINS_PER_DECADE * math.log10(known.min()))
    last = math.floor(BINS_PER_DECADE * math.log10(known.max())) + 1
    return 10.0 ** (np.arange(first, last + 1) / BINS_PER_DECADE)


def binned(areas: Float64[np.ndarray, " nuclei"], edges: Float64[np.ndarray, " edges"]) -> Int64[np.ndarray, " bins"]:
    """Number of areas in each bin; a bin holds its lower limit."""
    if not areas.size:
        return np.zeros(max(0, len(edges) - 1), np.int64)
    # Clipped, since a logarithm's last digit may put an area just outside the limits that were made from it.
    return np.histogram(np.clip(areas, edges[0], edges[-1]), edges)[0].astype(np.int64)


def nucleus_table(images: Sequence[Measured], classes: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Rows of nuclei.csv: how many nuclei of each class have an area in each bin; empty bins are left out."""
    unit, areas = nucleus_areas(images, len(classes))
    edges = area_edges(areas)
    for name, its_areas in zip(classes, areas, strict=True):
        counts = binned(its_areas, edges)
        for place in np.flatnonzero(counts):
            yield name, unit, f"{edges[place]:.4g}", f"{edges[place + 1]:.4g}", int(counts[place])


def _nuclei(images: Sequence[Measured], index: int) -> int | None:
    counted = [int(image.nuclei.by_class[index]) for image in images if image.nuclei is not None]
    return sum(counted) if counted else None


def _short(value: float | None) -> str | None:
    return None if value is None or math.isnan(value) else f"{value:.5g}"
