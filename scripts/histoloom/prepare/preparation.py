"""From a reader's samples to a prepared dataset on disk: images, masks, nucleus ids, index and description."""

import ast
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.files import atomic_folder, write_json, write_table
from histoloom.images import write_image, write_instances
from histoloom.prepared import INDEX_COLUMNS
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


def write_prepared(
    dataset: Dataset,
    *,
    name: str,
    reader: str,
    images_dir: Path,
    masks_dir: Path,
    instances_dir: Path,
    index: Path,
    description: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write all samples as PNG files with their index.csv and dataset.json, one sample in memory at a time.

    `progress` is called with the number of samples done and of all. Folders and files appear whole, after the last
    sample was read: a sample that is refused leaves nothing behind.
    Raises InputError for masks and ids of another size than their image, mask values without class, two samples of one
    name, samples with and without nucleus ids, and a dataset without samples.
    """
    folders = (images_dir, masks_dir, instances_dir)
    relative = [Path(os.path.relpath(folder, index.parent)) for folder in folders]
    with ExitStack() as stack:
        parts = [stack.enter_context(atomic_folder(folder)) for folder in folders]
        rows = []
        for sample, file_name in _checked_samples(dataset):
            _write_sample(sample, file_name, parts)
            rows.append(_index_row(sample, file_name, relative))
            if progress:
                progress(len(rows), len(dataset))
        if not rows:
            raise InputError(f"dataset '{name}': the reader '{reader}' found no sample; expected one; check 'root'")
    write_table(index, INDEX_COLUMNS, rows)
    write_json(description, _description(dataset, name, reader, has_instances=rows[0]["instances"] is not None))


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


def _checked_samples(dataset: Dataset) -> Iterator[tuple[Sample, str]]:
    sources: dict[str, str] = {}
    has_instances = None
    for sample in dataset:
        _check_arrays(sample, len(dataset.classes))
        file_name = _file_name(sample, sources)
        if has_instances not in (None, sample.instances is not None):
            raise InputError(
                f"{sample.source}: {'has no' if has_instances else 'has'} nucleus ids, unlike the images before it; "
                "expected them for all images or for none; split the dataset in two"
            )
        has_instances = sample.instances is not None
        yield sample, file_name


def _file_name(sample: Sample, sources: dict[str, str]) -> str:
    file_name = safe_name(sample.name)
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
    for kind, array in (("mask", sample.mask), ("nucleus map", sample.instances)):
        if array is not None and array.shape != size:
            raise InputError(
                f"{sample.source}: {kind} is {array.shape}, image is {size}; expected one size; "
                "export both again at one downsample"
            )
    values = np.unique(sample.mask)
    unknown = values[(values >= class_count) & (values != IGNORE)]
    if unknown.size:
        raise InputError(
            f"{sample.source}: mask holds {unknown[0]}; expected class indices 0 to {class_count - 1}, or {IGNORE} "
            "where nobody annotated; mend the mask"
        )


def _write_sample(sample: Sample, file_name: str, folders: list[Path]) -> None:
    images, masks, instances = (folder / f"{file_name}.png" for folder in folders)
    write_image(images, sample.image)
    write_image(masks, sample.mask)
    if sample.instances is not None:
        write_instances(instances, sample.instances)


def _index_row(sample: Sample, file_name: str, folders: list[Path]) -> dict[str, object]:
    image, mask, instances = ((folder / f"{file_name}.png").as_posix() for folder in folders)
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
    }


def _description(dataset: Dataset, name: str, reader: str, *, has_instances: bool) -> dict[str, object]:
    return {
        "name": name,
        "reader": reader,
        "classes": list(dataset.classes),
        "has_instances": has_instances,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "facts": dict(dataset.facts),
        "warnings": list(dataset.warnings),
    }
