"""Which files are the images of a side, and which file of a prediction belongs to which of the truth: by their stem."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from histoloom.errors import InputError
from histoloom.formats.images import SUFFIXES as IMAGES
from histoloom.formats.shapes import SUFFIXES as OUTLINES

ARRAY, MATLAB = ".npy", ".mat"
SUFFIXES = (*IMAGES, ARRAY, MATLAB, *OUTLINES)
NAMES_SHOWN = 3


def files_by_stem(path: Path, ending: str = "", suffixes: Sequence[str] = SUFFIXES) -> dict[str, Path]:
    """The files of a folder by what their names have in front of `ending` and suffix; a file is a folder of one.

    Raises InputError where there is none, and for two files of one stem.
    """
    if path.is_file():
        return {_stem(path, ending, suffixes) or path.stem: path}
    found: dict[str, Path] = {}
    for file in files_in(path, ending, suffixes):
        stem = _stem(file, ending, suffixes)
        if (other := found.setdefault(key(stem), file)) != file:
            raise InputError(f"{file}: has the same stem as {other}; expected one file for '{stem}'; move one away")
    return {_stem(file, ending, suffixes): file for file in found.values()}


def files_in(path: Path, ending: str = "", suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The files of a folder with such an ending and suffix; a file is a folder of one.

    Where the folder itself has none, those of its folders count: some programs make one for each image.
    Raises InputError where there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; expected the images' files in it; mend the path")
    inside = sorted(path.iterdir())
    deeper = [inner for folder in inside if folder.is_dir() for inner in sorted(folder.iterdir())]
    found = next((found for files in (inside, deeper) if (found := _named(files, ending, suffixes))), [])
    if not found:
        named = f"that ends in {ending!r} with" if ending else "with"
        raise InputError(f"{path}: no file {named} a suffix among {', '.join(suffixes)}; mend the path or the ending")
    return found


def key(name: str) -> str:
    """What two names have in common that mean one image, whatever the case and however an accent is written."""
    return unicodedata.normalize("NFC", name).casefold()


def numbered_key(name: str) -> str:
    """The key of a name where images are rows of an array: "007" and "7" are both row 7."""
    return str(int(name)) if name.isascii() and name.isdecimal() else key(name)


def paired(
    truths: Iterable[str],
    predictions: Iterable[str],
    is_numbered: bool = False,
    allow_missing: bool = False,
    where: Path | str = "prediction",
) -> dict[str, str | None]:
    """The prediction of each image of the truth, both by name; None where it is missing and that is allowed.

    `is_numbered` says that the images of a side are rows of an array. `where` is the prediction's path, for messages.
    Raises InputError for images that are predicted or annotated alone.
    """
    of_name = numbered_key if is_numbered else key
    found, true = ({of_name(name): name for name in names} for names in (predictions, truths))
    missing = [name for number, name in true.items() if number not in found]
    if missing and len(missing) == len(true):
        raise InputError(
            f"{where}: no image in common with the truth: {_shown(found.values())} against {_shown(missing)}; expected "
            "the same names before suffix and ending; rename, or give --truth-ending or --prediction-ending"
        )
    if missing and not allow_missing:
        raise InputError(
            f"{where}: {len(missing)} of {len(true)} images have no prediction: {_shown(missing)}; expected one for "
            "each; predict them, or give --allow-missing-predictions, which scores them as if nothing was found"
        )
    if extra := [name for number, name in found.items() if number not in true]:
        raise InputError(
            f"{where}: {len(extra)} images have no truth: {_shown(extra)}; expected the images of the truth alone; "
            "add their truth or move them away"
        )
    return {name: found.get(number) for number, name in true.items()}


def partner(files: Mapping[str, Path], name: str, where: Path | str) -> Path:
    """The file of an image among `files`, which are by key; `where` says which those are, for the message.

    Raises InputError where it has none.
    """
    if key(name) not in files:
        raise InputError(f"{where}: no file of image '{name}'; expected one for each label image; add it")
    return files[key(name)]


def _named(files: Iterable[Path], ending: str, suffixes: Sequence[str]) -> list[Path]:
    return [path for path in files if path.is_file() and _stem(path, ending, suffixes)]


def _stem(path: Path, ending: str, suffixes: Sequence[str]) -> str:
    """The name without suffix and ending, or "" for a file of another kind."""
    lower = path.name.lower()
    suffix = max((suffix for suffix in suffixes if lower.endswith(suffix)), key=len, default=None)
    if suffix is None or path.name.startswith(".") or not lower.removesuffix(suffix).endswith(ending.lower()):
        return ""
    return path.name[: len(path.name) - len(suffix) - len(ending)]


def _shown(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(f"'{name}'" for name in listed[:NAMES_SHOWN]) + (", ..." if len(listed) > NAMES_SHOWN else "")
