"""What is wrong or worth knowing about a prepared dataset before anything is trained on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from histoloom.findings import SEVERITIES, Finding, listed
from histoloom.prepare.duplicates.findings import duplicate_images
from histoloom.prepare.inspection.measuring import Measured
from histoloom.prepared import Description
from histoloom.sample import IGNORE

FEWEST_GROUPS = 3  # one for training, one for validation, one for testing
NAMES_SHOWN = 3
# Of the median sharpness of the dataset. Of 262 real images of seven datasets none lies below 0.72 of its dataset's
# median; blurred by a Gaussian of 2 px none lies above 0.54, of 3 px none above 0.40.
BLURRED_SHARE = 0.6
# 0.6 to 2.5 square micrometres at 0.25 to 0.5 mpp; the nucleus of a small lymphocyte has some 20.
SPECK_PX = 10
MPP_SPREAD = 1.1  # largest mpp over smallest: up to here nuclei differ less in size by the scan than by nature

Check = Callable[[Sequence[Measured], Description], Iterable[Finding]]


def inspect(
    images: Sequence[Measured],
    description: Description,
    *,
    duplicates: Sequence[Mapping[str, str]] = (),
    skipped: Sequence[Mapping[str, str]] = (),
) -> list[Finding]:
    """All findings on a dataset, errors first; `duplicates` and `skipped` are rows of the tables of these names."""
    checks: tuple[Check, ...] = (
        size_conflicts,
        unknown_values,
        dataset_warnings,
        groups,
        absent_classes,
        empty_masks,
        unannotated,
        blank_images,
        blurred_images,
        nuclei_on_background,
        specks,
        scales,
        image_sizes,
        missing_stains,
        second_annotator,
    )
    found = [finding for check in checks for finding in check(images, description)]
    group_of = {image.row.name: image.row.group for image in images}
    found += [*duplicate_images(group_of, duplicates), *skipped_images(skipped, description)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def size_conflicts(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Error for each image whose mask or nucleus map has another size."""
    for image in images:
        size = _size(image.image_size)
        message = None
        if image.mask_size != image.image_size:
            message = f"mask is {_size(image.mask_size)}, image is {size}"
        elif description.has_instances and image.nuclei is None:
            message = f"nucleus map is missing or not {size} as its image"
        elif image.row.second_instances and image.agreement is None:
            message = f"second annotator's nucleus map is not {size} as its image"
        if message:
            yield Finding("error", "size_conflict", image.row.name, f"{message}; prepare the dataset again")


def unknown_values(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Error for each image with a mask value that is neither a class nor 255."""
    count = len(description.classes)
    for image in images:
        values = np.flatnonzero(image.pixels[count:IGNORE]) + count
        if values.size:
            message = f"mask holds {values[0]}; expected 0 to {count - 1}, or 255 for not annotated; mend the mask"
            yield Finding("error", "unknown_value", image.row.name, message)


def skipped_images(skipped: Sequence[Mapping[str, str]], description: Description) -> Iterable[Finding]:
    """Warning for problems for which raw files were left out."""
    if skipped:
        named = listed([row["source"] or row["message"] for row in skipped], NAMES_SHOWN)
        message = f"problems that left raw files out: {len(skipped)} ({named}); no score counts these files; mend them"
        yield Finding("warning", "skipped_image", description.name, message)


def dataset_warnings(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """What the reader itself warns of."""
    return [Finding("warning", "dataset", description.name, text) for text in description.warnings]


def groups(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warnings for images without a group and for too few groups to keep three parts apart; patients unknown."""
    unknown = [image.row.name for image in images if not image.row.group]
    if unknown:
        message = f"{_some(unknown, images)} have no group; they count as one group and stay in one test part together"
        yield Finding("warning", "unknown_group", description.name, message)
    count = len({image.row.group for image in images})  # splitting takes images without a group as one
    if count < FEWEST_GROUPS:
        message = f"{count} groups; expected at least {FEWEST_GROUPS} for training, validation and test"
        yield Finding("warning", "few_groups", description.name, message)
    if count == len(images) > 1 and not unknown:
        message = (
            "each image is a group of its own; if some are of one patient, give these one group, or scores flatter"
        )
        yield Finding("info", "group_per_image", description.name, message)


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
    blank = [image.row.name for image in images if image.look.is_blank]
    if blank:
        yield Finding("warning", "blank_image", description.name, f"{_some(blank, images)} show no tissue; remove them")


def blurred_images(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for images that are much less sharp than the dataset's median image.

    A dataset that is blurred as a whole has no sharp image to tell it by.
    """
    known = [image for image in images if image.look.sharpness is not None]
    if not known:
        return
    limit = BLURRED_SHARE * float(np.median([image.look.sharpness for image in known]))
    blurred = [image.row.name for image in known if image.look.sharpness < limit]
    if blurred:
        message = f"{_some(blurred, images)} are blurred beside the others; look at them, and remove what is unsharp"
        yield Finding("warning", "blurred_image", description.name, message)


def nuclei_on_background(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for nuclei that lie mostly on background: mask and nucleus map disagree."""
    astray = [image.row.name for image in images if image.nuclei is not None and image.nuclei.by_class[0]]
    if astray:
        message = f"{_some(astray, images)} have nuclei whose mask says background; export both from one annotation"
        yield Finding("warning", "nucleus_on_background", description.name, message)


def specks(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Nuclei too small to be one: slips of a drawing tool, or what a cut through a nucleus left at a border."""
    areas = [image.nuclei.areas_px for image in images if image.nuclei is not None]
    few = sum(int((its < SPECK_PX).sum()) for its in areas)
    if few:
        message = (
            f"{few} of {sum(map(len, areas))} nuclei are smaller than {SPECK_PX} px; they count as nuclei in scores"
        )
        yield Finding("info", "speck", description.name, message)


def scales(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Warning for images of different mpp, which a network sees as nuclei of different size; unknown mpp."""
    known = [image.row.mpp for image in images if image.row.mpp]
    if known and max(known) > MPP_SPREAD * min(known):
        message = (
            f"mpp goes from {min(known):g} to {max(known):g}; resample to one mpp, or nuclei differ in size by scan"
        )
        yield Finding("warning", "mixed_mpp", description.name, message)
    unknown = [image.row.name for image in images if not image.row.mpp]
    if unknown:
        message = f"{_some(unknown, images)} have no mpp; their sizes are in pixels, not micrometres"
        yield Finding("info", "unknown_mpp", description.name, message)


def image_sizes(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """The sizes of the images, where they differ."""
    sizes = sorted({image.image_size for image in images})
    if len(sizes) > 1:
        message = f"{len(sizes)} image sizes, from {_size(sizes[0])} to {_size(sizes[-1])}"
        yield Finding("info", "image_sizes", description.name, message)


def missing_stains(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Images with tissue whose stain vectors could not be estimated."""
    failed = [image.row.name for image in images if image.look.stain is None and not image.look.is_blank]
    if failed:
        message = f"{_some(failed, images)} gave no stain vectors; the figure of stains is without them"
        yield Finding("info", "no_stain_vectors", description.name, message)


def second_annotator(images: Sequence[Measured], description: Description) -> Iterable[Finding]:
    """Agreement of two annotators, the ceiling for models; a warning where one map is a copy of the other."""
    both = [image.agreement for image in images if image.agreement]
    if not both:
        return
    dice, pq = (np.array([getattr(one, name) for one in both]) for name in ("dice", "pq"))
    known = ~np.isnan(dice) & ~np.isnan(pq)
    if not known.any():
        message = f"two annotators saw {len(both)} images, and neither drew a nucleus"
        yield Finding("info", "second_annotator", description.name, message)
    elif (dice[known] == 1).all() and (pq[known] == 1).all():
        message = f"both annotators' nuclei are equal in all of {known.sum()} images: a copy says nothing of agreement"
        yield Finding("warning", "copied_annotator", description.name, message)
    else:
        message = (
            f"two annotators drew {known.sum()} images: mean Dice of nucleus pixels {dice[known].mean():.3f}, mean PQ "
            f"{pq[known].mean():.3f}; a model above that is no longer told from an annotator"
        )
        yield Finding("info", "second_annotator", description.name, message)


def _some(names: Sequence[str], images: Sequence[Measured]) -> str:
    return f"{len(names)} of {len(images)} images ({listed(names, NAMES_SHOWN)})"


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]}x{size[1]}"
