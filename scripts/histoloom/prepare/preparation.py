"""From a reader's samples to a prepared dataset on disk: images, masks, nucleus ids, index and description."""

import ast
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from histoloom import plugins
from histoloom.class_names import check_classes
from histoloom.errors import InputError, PlaceError
from histoloom.files import atomic_folder, write_json, write_table
from histoloom.formats.images import MAX_ID, write_image, write_instances
from histoloom.prepare.problems import check_outcome, shown, skipped_row
from histoloom.prepared import INDEX_COLUMNS, SKIPPED_COLUMNS
from histoloom.sample import IGNORE, Dataset, Sample


def checked_options(reader: str, given: Mapping[str, object]) -> dict[str, object]:
    """The options of a reader, each of the kind of its default; one word alone stands for a list of one.

    Raises InputError for an option that the reader does not have, and for text where its default is a number.
    """
    defaults = {key: ast.literal_eval(text) for key, text in plugins.options("datasets", reader).items()}
    for key in given:
        if key not in defaults:
            raise InputError(f"reader '{reader}' has no option '{key}'; {plugins.suggestion(key, list(defaults))}")
    return {key: _like(defaults[key], value, f"reader '{reader}': option {key}") for key, value in given.items()}


@dataclass(frozen=True)
class PreparedFiles:
    """Where a prepared dataset lies: folders of PNG files, tables of images and of what was skipped, dataset.json."""

    images: Path
    masks: Path
    instances: Path
    second_instances: Path
    index: Path
    skipped: Path
    description: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders in the order of an image's files."""
        return self.images, self.masks, self.instances, self.second_instances


def write_prepared(
    dataset: Dataset,
    files: PreparedFiles,
    *,
    name: str,
    reader: str,
    on_bad_image: str = "stop",
    progress: Callable[[int, int], None] = lambda done, total: None,
    tell: Callable[[str], None] = lambda message: None,
) -> None:
    """Write all samples as PNG files with their index and description, one sample in memory at a time.

    Every sample is tried. on_bad_image "stop": with one problem nothing is written; "skip": what the problems name is
    left out, and they are listed in the table of skipped files and counted in the description. `tell` is called with
    the message on each when it is met, `progress` with the number of samples tried and of all. Folders and files appear
    whole, after the last sample.
    Problems are: those that the reader names, files that it refuses, masks and ids of another size than their image,
    mask values without class, more than 65,535 ids, names that are taken, and samples with nucleus ids among others
    without.
    Raises InputError for a bad sample that is not to be skipped, and for a dataset without a good one.
    """
    assert on_bad_image in ("stop", "skip"), on_bad_image
    problems = [shown(problem) for problem in dataset.problems]
    for message in problems:
        tell(message)
    relative = [Path(os.path.relpath(folder, files.index.parent)) for folder in files.folders]
    check_classes(dataset.classes)
    rows, totals, accept = [], Counter(), Acceptance(len(dataset.classes))
    with ExitStack() as stack:
        parts = [stack.enter_context(atomic_folder(folder)) for folder in files.folders]
        for tried, read in enumerate(dataset.items, start=1):
            try:
                sample = read()
                file_name = accept(sample)
                _write_sample(sample, file_name, parts)
            except PlaceError:  # no image is bad because the disk is full
                raise
            except InputError as error:
                problems.append(shown(error))
                tell(problems[-1])
            else:
                rows.append(_index_row(sample, file_name, relative))
                totals.update(sample.counts)
            progress(tried, len(dataset))
        check_outcome(name, reader, len(rows), problems, on_bad_image)
    write_table(files.index, INDEX_COLUMNS, rows)
    write_table(files.skipped, SKIPPED_COLUMNS, map(skipped_row, problems))
    write_json(
        files.description,
        {
            "name": name,
            "reader": reader,
            "classes": list(dataset.classes),
            "has_instances": rows[0]["instances"] is not None,
            "licence": dataset.licence,
            "citation": dataset.citation,
            "facts": {**dataset.facts, **totals},
            "warnings": list(dataset.warnings),
            "skipped": len(problems),
        },
    )


class Acceptance:
    """Whether samples fit each other: called with one after the other, it gives the name of the sample's files."""

    def __init__(self, class_count: int) -> None:
        self.class_count = class_count
        self.sources: dict[str, str] = {}
        self.has_instances: bool | None = None

    def __call__(self, sample: Sample) -> str:
        """The file name of a sample; raises InputError for one that does not fit those before it."""
        _check_arrays(sample, self.class_count)
        has_instances = sample.instances is not None
        if self.has_instances not in (None, has_instances):
            raise InputError(
                f"{sample.source}: {'has' if has_instances else 'has no'} nucleus ids, unlike the images before it; "
                "expected them for all images or for none; split the dataset in two"
            )
        file_name = _file_name(sample, self.sources)
        self.has_instances = has_instances
        return file_name


def safe_name(name: str) -> str:
    """A file name of letters, digits, dots, dashes and underscores.

    >>> safe_name("Fold 1/tile (3)")
    'Fold_1_tile_3'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")


def _like(default: object, value: object, subject: str) -> object:
    if isinstance(default, str):
        return str(value)
    if isinstance(default, tuple):
        return tuple(value) if isinstance(value, list | tuple) else (value,)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if type(default) in (int, float) and not is_number:
        raise InputError(f"{subject} is '{value}'; expected a number like {default}; mend it in 'options'")
    return value


def _file_name(sample: Sample, sources: dict[str, str]) -> str:
    file_name = safe_name(sample.name)
    if sample.name.encode(errors="replace") != sample.name.encode(errors="surrogateescape"):
        raise InputError(
            f"{sample.source}: its name holds bytes that are no text in UTF-8; expected text; rename the image"
        )
    if not file_name:
        raise InputError(
            f"{sample.source}: name '{sample.name}' has no letter or digit; expected one; rename the image"
        )
    key = file_name.lower()  # some file systems take A.png and a.png for one file
    if key in sources:
        raise InputError(
            f"{sample.source}: its name '{sample.name}' gives the file '{file_name}.png', as {sources[key]} does; "
            "expected different names; rename one of them"
        )
    sources[key] = sample.source or sample.name
    return file_name


def _check_arrays(sample: Sample, class_count: int) -> None:
    size = sample.image.shape[:2]
    arrays = {"mask": sample.mask, "nucleus map": sample.instances, "second nucleus map": sample.second_instances}
    for kind, array in arrays.items():
        if array is not None and array.shape != size:
            raise InputError(
                f"{sample.source}: {kind} is {array.shape}, image is {size}; expected one size; "
                "export both again at one downsample"
            )
    # The most that write_instances takes; refused here, before a file is written or the name is taken.
    for kind in ("nucleus map", "second nucleus map"):
        ids = arrays[kind]
        if ids is not None and (ids.max(initial=0) > MAX_ID or ids.min(initial=0) < 0):
            raise InputError(
                f"{sample.source}: {kind} holds ids {ids.min()} to {ids.max()}; expected 0 to {MAX_ID}; cut the image "
                "in parts"
            )
    values = np.unique(sample.mask)
    unknown = values[(values >= class_count) & (values != IGNORE)]
    if unknown.size:
        raise InputError(
            f"{sample.source}: mask holds {unknown[0]}; expected class indices 0 to {class_count - 1}, or {IGNORE} "
            "where nobody annotated; mend the mask"
        )


def _write_sample(sample: Sample, file_name: str, folders: Sequence[Path]) -> None:
    images, masks, instances, second_instances = (folder / f"{file_name}.png" for folder in folders)
    if sample.instances is not None:
        write_instances(instances, sample.instances)
    if sample.second_instances is not None:
        write_instances(second_instances, sample.second_instances)
    write_image(images, sample.image)
    write_image(masks, sample.mask)


def _truth_digest(sample: Sample) -> str:
    digest = hashlib.sha256(sample.mask.tobytes())
    if sample.instances is not None:
        digest.update(sample.instances.tobytes())
    return digest.hexdigest()


def _index_row(sample: Sample, file_name: str, folders: Sequence[Path]) -> dict[str, object]:
    image, mask, instances, second_instances = ((folder / f"{file_name}.png").as_posix() for folder in folders)
    has_own_name = file_name == sample.name or not sample.source
    return {
        "name": file_name,
        "image": image,
        "mask": mask,
        "instances": None if sample.instances is None else instances,
        "height": sample.image.shape[0],
        "width": sample.image.shape[1],
        "mpp": sample.mpp,
        "group": sample.group,
        "stratum": sample.stratum,
        "fold": sample.fold,
        "source": (sample.source or sample.name) if has_own_name else f"{sample.source} ({sample.name})",
        "sha256": hashlib.sha256(sample.image.tobytes()).hexdigest(),
        "second_instances": None if sample.second_instances is None else second_instances,
        "truth_sha256": _truth_digest(sample),
    }
