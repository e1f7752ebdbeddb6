"""The unfinished prediction of a slide on disk: found again after a kill, and renamed to its place when it is whole."""

import errno
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from histoloom.errors import InputError
from histoloom.files import digest_of, sha256, write_json
from histoloom.predict.engine.engine import EngineSettings
from histoloom.slides.band_store import BandStore, Grid

ENDS = 1 << 20  # bytes at either end of a slide that tell it from others; the header is there, wherever it stands


class State:
    """The stores of a prediction, by name in the order of their parts, in a folder that no other prediction shares."""

    def __init__(self, folder: Path, described: Mapping[str, Grid]) -> None:
        """Go on with what is in the folder."""
        self._folder = folder
        for part in folder.rglob(".part-*"):  # left by a killed writer
            part.unlink()
        self._stores = {name: BandStore.create(folder / name, grid) for name, grid in described.items()}
        self.bands = next(iter(described.values())).bands

    @property
    def done(self) -> int:
        """How many bands are written, from the top, of all stores."""
        return min(store.done for store in self._stores.values())

    def with_batch_size(self, settings: EngineSettings) -> EngineSettings:
        """The settings with the batch size that was chosen before, if one was: with another, bits would differ."""
        path = self._folder / "batch_size.json"
        return replace(settings, batch_size=json.loads(path.read_text("utf-8"))) if path.is_file() else settings

    def keep_batch_size(self, batch_size: int) -> None:
        """Write down what was chosen."""
        write_json(self._folder / "batch_size.json", batch_size)

    def write(self, band: int, parts: Sequence[np.ndarray]) -> None:
        """Write one band of every store."""
        for store, values in zip(self._stores.values(), parts, strict=True):
            store.write(band, values)

    def publish(self, probabilities: Path, maps: Path) -> None:
        """Rename the stores, all bands of which are written, to their places; probabilities last, and remove the rest.

        Raises InputError where the places are on another file system.
        """
        assert self.done == self.bands, (self.done, self.bands)
        places = {"maps": maps, "probabilities": probabilities}
        for name, place in places.items():
            if name in self._stores:
                _moved(self._folder / name, place)
            else:  # a network without maps leaves an empty folder, since the workflow declares one
                place.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._folder)


def fingerprint(
    slide: Path, files: Sequence[Path], settings: EngineSettings, device: torch.device, **facts: Any
) -> str:
    """What a prediction's bytes depend on: slide, models, other files, settings, code, and what rounds the numbers."""
    described = {
        **facts,
        **asdict(settings),
        "slide": _ends(slide),
        "files": [sha256(path) for path in files],
        "device": device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return digest_of(json.dumps(described, sort_keys=True).encode())[:16]


def _ends(path: Path) -> list[str | int]:
    # Not all of it: a slide has gigabytes, and this is no check of its bytes but of its being the same.
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(ENDS)
            file.seek(max(size - ENDS, 0))
            return [size, digest_of(head), digest_of(file.read())]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a slide; check the path") from error


def _moved(folder: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        shutil.rmtree(place)
    try:
        folder.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise InputError(
            f"{folder}: on another file system than {place}; expected one, since bands are renamed and not copied; "
            "keep the state beside the results"
        ) from error
