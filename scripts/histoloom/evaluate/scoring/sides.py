"""The images of one side, truth or a prediction: which format they are in, what they are called, how each is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.evaluate.scoring.arrays import pannuke_rows, read_hovernet, read_pannuke, read_probabilities
from histoloom.evaluate.scoring.listing import ARRAY, IMAGES, MATLAB, OUTLINES, files_by_stem, files_in
from histoloom.evaluate.scoring.maps import Maps, Size
from histoloom.evaluate.scoring.outlines import hold_detections, read_detections, read_nuclei, read_regions
from histoloom.evaluate.scoring.rasters import nucleus_ids, read_classes, read_labels
from histoloom.evaluate.scoring.reading import Reading
from histoloom.formats.arrays import open_array
from histoloom.formats.rasters import read_raster

MASKS, LABELS, PANNUKE, HOVERNET = "masks", "labels", "pannuke", "hovernet"
GEOJSON, REGIONS, PROBABILITIES = "geojson", "geojson-regions", "probabilities"
FORMS = {  # each with the suffixes of its files
    MASKS: (*IMAGES, ARRAY),
    LABELS: (*IMAGES, ARRAY),
    PANNUKE: (ARRAY,),
    HOVERNET: (MATLAB,),
    GEOJSON: OUTLINES,
    REGIONS: OUTLINES,
    PROBABILITIES: (ARRAY,),
}
WORDS = {
    MASKS: "class masks",
    LABELS: "label images of nuclei",
    PANNUKE: "PanNuke's array of nuclei",
    HOVERNET: ".mat files of HoVer-Net",
    GEOJSON: "GeoJSON, polygons taken as nuclei",
    REGIONS: "GeoJSON, polygons taken as regions",
    PROBABILITIES: "class probabilities",
}
NOTE = ".json"  # GeoJSON where nothing else lies in the folder
NOT_NUCLEI = (MASKS, REGIONS, PROBABILITIES)
Read = Callable[[Size | None], Maps]


@dataclass(frozen=True)
class Side:
    """Images of one side by name, each with the function that reads it, given the size where the file lacks it."""

    path: Path
    form: str
    images: Mapping[str, Read]

    @property
    def has_nuclei(self) -> bool:
        """Whether nuclei are told apart."""
        return self.form not in NOT_NUCLEI

    @property
    def has_probabilities(self) -> bool:
        """Whether the classes come with probabilities."""
        return self.form == PROBABILITIES

    @property
    def needs_size(self) -> bool:
        """Whether the files do not say how large their images are."""
        return self.form in (GEOJSON, REGIONS)

    @property
    def is_numbered(self) -> bool:
        """Whether images are rows of an array."""
        return self.form == PANNUKE

    def __str__(self) -> str:
        return f"{self.path}: {WORDS[self.form]}, images: {len(self.images)}"


def open_side(path: Path, reading: Reading) -> Side:
    """List the images of a side; none is read whole unless its format needs looking at.

    Raises InputError for missing, doubtful or mixed files, and for a format that the files are not in.
    """
    form = reading.form or form_of(path, reading)
    if form == PANNUKE:
        rows = range(pannuke_rows(path, reading))
        return Side(path, form, {str(row): _sized(partial(read_pannuke, path, row, reading)) for row in rows})
    files = files_by_stem(path, reading.ending, FORMS[form])
    outlines = read_regions if form == REGIONS else read_nuclei
    if form == GEOJSON and hold_detections(files.values()):
        outlines = read_detections
    readers: Mapping[str, Callable[[str, Path], Read]] = {
        MASKS: lambda _, file: _sized(partial(read_classes, file, reading)),
        LABELS: lambda name, file: _sized(partial(read_labels, file, name, reading)),
        HOVERNET: lambda _, file: _sized(partial(read_hovernet, file, reading)),
        PROBABILITIES: lambda _, file: _sized(partial(read_probabilities, file, reading)),
        GEOJSON: lambda _, file: partial(outlines, file, reading),
        REGIONS: lambda _, file: partial(outlines, file, reading),
    }
    return Side(path, form, {name: readers[form](name, file) for name, file in files.items()})


def form_of(path: Path, reading: Reading) -> str:
    """Find out the format of a side by the suffix of its files and by what the first of them hold.

    8-bit images are class masks, 16- and 32-bit ones label images; arrays of two dimensions go by their type likewise.
    A .json beside files of another format is a program's note of its own.
    Raises InputError where several formats lie in a folder, and where whole numbers may be classes or nuclei.
    """
    files = files_in(path, reading.ending)
    files = [file for file in files if file.suffix.lower() != NOTE] or files
    kinds = {_kind(file) for file in files}
    flag = f"--{reading.side}-format"
    if len(kinds) > 1:
        raise InputError(
            f"{path}: holds files of several formats ({', '.join(sorted(kinds))}); expected one; say which with {flag}"
        )
    kind, first = kinds.pop(), files[0]
    if kind in (HOVERNET, GEOJSON):
        return kind
    if kind == ARRAY and (dimensions := open_array(first).ndim) != 2:
        if dimensions == 4 and path.is_dir():
            raise InputError(f"{first}: an array of many images; expected the array itself as the path; give {first}")
        return PANNUKE if dimensions == 4 else PROBABILITIES
    if _is_byte(first):
        return MASKS
    if all(int(nucleus_ids(file).max(initial=0)) < len(reading.classes) for file in files):
        raise InputError(
            f"{path}: no value above {len(reading.classes) - 1} in any of {len(files)} files, which may be classes or "
            f"nuclei; expected to be told; give {flag} masks, or {flag} labels"
        )
    return LABELS


def _sized(read: Callable[[], Maps]) -> Read:
    """A reader whose files say their size: that of the other side is compared later."""
    return lambda _: read()


def _kind(path: Path) -> str:
    lower = path.name.lower()
    if lower.endswith(OUTLINES):
        return GEOJSON
    return {MATLAB: HOVERNET, ARRAY: ARRAY}.get(path.suffix.lower(), "images")


def _is_byte(path: Path) -> bool:
    if path.suffix.lower() == ARRAY:
        return open_array(path).dtype in (np.uint8, bool)
    return read_raster(path).pixels.dtype.itemsize == 1
