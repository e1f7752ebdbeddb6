"""What is wrong or worth knowing about a prepared dataset before anything is trained on it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from histoloom.images import read_image, read_instances, read_mask
from histoloom.prepared import Description, IndexRow
from histoloom.sample import IGNORE

FINDING_COLUMNS = ("severity", "kind", "subject", "message")
CLASS_COLUMNS = ("class", "images", "pixels", "pixel_share", "nuclei")
# Tissue takes up green light (optical density 0.15 as in Macenko et al. 2009) and has colour, unlike glass and ink.
TISSUE_GREEN = 180  # 255 * 10 ** -0.15
TISSUE_CHROMA = 20  # largest less smallest of red, green and blue
TISSUE_SHARE = 0.01  # an image with less tissue is blank
FEWEST_GROUPS = 3  # one for training, one for validation, one for testing
NAMES_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One line of findings.csv: `severity` is error, warning or info; `subject` an image, a class or the dataset."""

    severity: str
    kind: str
    subject: str
    message: str


@dataclass(frozen=True)
class Measured:
    """What was counted in one image: pixels by mask value (256) and nuclei by the class most of their pixels have."""

    row: IndexRow
    image_size: tuple[int, ...]
    mask_size: tuple[int, ...]
    pixels: Int64[np.ndarray, "256"]
    nuclei: Int64[np.ndarray, "256"] | None
    is_blank: bool

    @property
    def annotated(self) -> int:
        """Number of annotated pixels."""
        return int(self.pixels.sum() - self.pixels[IGNORE])

    @property
    def foreground(self) -> int:
        """Number of annotated pixels that are not background."""
        return self.annotated - int(self.pixels[0])


def measure(row: IndexRow) -> Measured:
    """Read an image with its truth and count what is in it.

    Raises InputError for files that are missing, damaged or of another kind.
    """
    image, mask = read_image(row.image), read_mask(row.mask)
    instances = read_instances(row.instances) if row.instances else None
    fits = instances is not None and instances.shape == mask.shape
    return Measured(
        row=row,
        image_size=image.shape[:2],
        mask_size=mask.shape,
        pixels=np.bincount(mask.ravel(), minlength=256),
        nuclei=nuclei_by_class(mask, instances) if fits else None,
        is_blank=is_blank(image),
    )


def is_blank(image: UInt8[np.ndarray, "height width 3"]) -> bool:
    """Whether less than 1 % of the pixels are stained: green at most 180 and colour channels 20 or more apart.

    Source of the density: Macenko et al. 2009 (beta 0.15).
    """
    is_coloured = image.max(-1).astype(np.int16) - image.min(-1) >= TISSUE_CHROMA
    return bool((is_coloured & (image[..., 1] <= TISSUE_GREEN)).mean() < TISSUE_SHARE)


def nuclei_by_class(
    mask: UInt8[np.ndarray, "height width"], instances: Int32[np.ndarray, "height width"]
) -> Int64[np.ndarray, "256"]:
    """Number of nuclei by the mask value that most of their pixels have; of equals the lower value.

    >>> mask = np.array([[1, 1, 2], [2, 2, 0]], np.uint8)
    >>> nuclei_by_class(mask, np.array([[7, 7, 7], [9, 9, 0]], np.int32))[:3]
    array([0, 1, 1])
    """
    inside = instances > 0
    ids, positions = np.unique(instances[inside], return_inverse=True)
    votes = np.bincount(positions.ravel() * 256 + mask[inside], minlength=256 * len(ids)).reshape(-1, 256)
    return np.bincount(votes.argmax(1), minlength=256)


def class_table(images: Sequence[Measured], classes: Sequence[str]) -> list[dict[str, object]]:
    """Rows of classes.csv: images with the class, its pixels, their share of all annotated pixels, and its nuclei."""
    annotated = sum(image.annotated for image in images)
    return [
        {
            "class": name,
            "images": sum(image.pixels[index] > 0 for image in images),
            "pixels": (pixels := sum(int(image.pixels[index]) for image in images)),
            "pixel_share": f"{pixels / annotated:.6f}" if annotated else None,
            "nuclei": _nuclei(images, index),
        }
        for index, name in enumerate(classes)
    ]


def inspect(images: Sequence[Measured], description: Description) -> list[Finding]:
    """All findings on a dataset, errors first."""
    checks: tuple[Callable[[Sequence[Measured], Description], Iterable[Finding]], ...] = (
        size_conflicts,
        unknown_values,
        duplicates,
        dataset_warnings,
        groups,
        absent_classes,
        empty_masks,
        unannotated,
        blank_images,
        nuclei_on_background,
        image_sizes,
    )
    found = [finding for check in checks for finding in check(images, description)]
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity))


def size_conflicts(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Error for each image whose mask or nucleus map has another size."""
    for image in images:
        if image.mask_size != image.image_size:
            message = f"mask is {_size(image.mask_size)}, image is {_size(image.image_size)}; prepare the dataset again"
            yield Finding("error", "size_conflict", image.row.name, message)
        elif description.has_instances and image.nuclei is None:
            message = f"nucleus map is missing or not {_size(image.image_size)} as its image; prepare the dataset again"
            yield Finding("error", "size_conflict", image.row.name, message)


def unknown_values(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Error for each image with a mask value that is neither a class nor 255."""
    count = len(description.classes)
    for image in images:
        values = np.flatnonzero(image.pixels[count:IGNORE]) + count
        if values.size:
            message = f"mask holds {values[0]}; expected 0 to {count - 1}, or 255 for not annotated; mend the mask"
            yield Finding("error", "unknown_value", image.row.name, message)


def duplicates(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for images equal in every pixel; whether they leak into a test is known when folds are made."""
    by_content: dict[str, list[IndexRow]] = defaultdict(list)
    for image in images:
        by_content[image.row.sha256].append(image.row)
    for first, *others in by_content.values():
        for other in others:
            crosses = other.group != first.group
            cure = "splitting stops if they part; give both one group or remove one" if crosses else "remove one"
            of_groups = f"groups '{first.group}' and '{other.group}'" if crosses else f"both of group '{first.group}'"
            message = f"same pixels as {other.name}, {of_groups}; {cure}"
            yield Finding("warning", "duplicate", first.name, message)


def dataset_warnings(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """What the reader itself warns of."""
    return [Finding("warning", "dataset", description.name, text) for text in description.warnings]


def groups(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warnings for images without a group, and for too few groups to keep three parts apart."""
    unknown = [image.row.name for image in images if not image.row.group]
    if unknown:
        message = f"{_some(unknown, images)} have no group; they count as one group and stay in one test part together"
        yield Finding("warning", "unknown_group", description.name, message)
    count = len({image.row.group for image in images})  # splitting takes images without a group as one
    if count < FEWEST_GROUPS:
        message = f"{count} groups; expected at least {FEWEST_GROUPS} for training, validation and test"
        yield Finding("warning", "few_groups", description.name, message)


def absent_classes(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for each class without a pixel in the whole dataset: nothing can be learned or said of it."""
    for index, name in enumerate(description.classes):
        if not any(image.pixels[index] for image in images):
            message = f"class '{name}' has no pixel in any image; its scores will be undefined"
            yield Finding("warning", "absent_class", name, message)


def empty_masks(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning when masks hold background only."""
    empty = [image.row.name for image in images if image.annotated and not image.foreground]
    if empty:
        message = f"{_some(empty, images)} hold background only; check that they were annotated"
        yield Finding("warning", "empty_mask", description.name, message)


def unannotated(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Share of pixels that nobody annotated, and a warning for images without an annotated pixel."""
    total = sum(int(image.pixels.sum()) for image in images)
    ignored = sum(int(image.pixels[IGNORE]) for image in images)
    if ignored:
        message = f"{ignored / total:.1%} of the pixels are not annotated; they count in no loss and no score"
        yield Finding("info", "unannotated", description.name, message)
    bare = [image.row.name for image in images if not image.annotated]
    if bare:
        message = f"{_some(bare, images)} have no annotated pixel; nothing is learned from them"
        yield Finding("warning", "unannotated_image", description.name, message)


def blank_images(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for images that show no tissue."""
    blank = [image.row.name for image in images if image.is_blank]
    if blank:
        yield Finding("warning", "blank_image", description.name, f"{_some(blank, images)} show no tissue; remove them")


def nuclei_on_background(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for nuclei that lie mostly on background: mask and nucleus map disagree."""
    astray = [image.row.name for image in images if image.nuclei is not None and image.nuclei[0]]
    if astray:
        message = f"{_some(astray, images)} have nuclei whose mask says background; export both from one annotation"
        yield Finding("warning", "nucleus_on_background", description.name, message)


def image_sizes(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """The sizes of the images, where they differ."""
    sizes = sorted({image.image_size for image in images})
    if len(sizes) > 1:
        message = f"{len(sizes)} image sizes, from {_size(sizes[0])} to {_size(sizes[-1])}"
        yield Finding("info", "image_sizes", description.name, message)


def _nuclei(images: Sequence[Measured], index: int) -> int | None:
    counted = [int(image.nuclei[index]) for image in images if image.nuclei is not None]
    return sum(counted) if counted else None


def _some(names: Sequence[str], images: Sequence[Measured]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
    return f"{len(names)} of {len(images)} images ({shown})"


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]}x{size[1]}"
