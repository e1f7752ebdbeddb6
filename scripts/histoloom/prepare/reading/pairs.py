"""Which annotation belongs to which image: files are paired by their stem, and what finds no partner is listed."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoloom.errors import InputError


@dataclass(frozen=True)
class Pair:
    """An image and its annotation; `stem` is what their names share, as the image writes it."""

    stem: str
    image: Path
    annotation: Path


@dataclass(frozen=True)
class _Kind:
    """The files of one kind: what a message calls them, where they lie, how their names end."""

    word: str
    folder: Path
    suffixes: Sequence[str]
    ending: str

    def stem(self, path: Path) -> str:
        """The name without suffix and ending, or "" for a file of another kind."""
        lower = path.name.lower()
        suffix = max((suffix for suffix in self.suffixes if lower.endswith(suffix)), key=len, default=None)
        if suffix is None or path.name.startswith(".") or not lower.removesuffix(suffix).endswith(self.ending.lower()):
            return ""
        return path.name[: len(path.name) - len(suffix) - len(self.ending)]


def pair_by_stem(
    images: Path,
    annotations: Path,
    image_suffixes: Sequence[str],
    annotation_suffixes: Sequence[str],
    *,
    image_ending: str = "",
    annotation_ending: str = "",
) -> tuple[list[Pair], tuple[str, ...]]:
    """Pair the files of two folders, which may be one, by stem, in order of the stem; and say which find no partner.

    A stem is the name without its suffix (".png", ".xml.gz", in small letters) and without the ending of its kind
    ("_crop"). Upper and lower case are one, since some file systems take them for one, and so are both ways of writing
    an accent. Other suffixes and hidden files do not count. Each message names a file without partner, or files of one
    stem, of which none is taken.
    Raises InputError where images and annotations lie in one folder and nothing in their names tells them apart.
    """
    image_kind = _Kind("image", images, image_suffixes, image_ending)
    truth_kind = _Kind("annotation", annotations, annotation_suffixes, annotation_ending)
    truths = _by_stem(truth_kind)
    shared = (
        {path.name for paths in truths.values() for path in paths}
        if images.resolve() == annotations.resolve()
        else set()
    )
    if shared and not annotation_ending and set(image_suffixes) & set(annotation_suffixes):
        raise InputError(
            f"{images}: holds images and annotations under names alike; expected two folders, or an ending such as "
            "'_mask' on each annotation; move the annotations to a folder of their own"
        )
    pictures = _by_stem(image_kind, without=shared)
    pairs, problems = [], []
    for key in sorted(pictures.keys() | truths.keys()):
        found = pictures.get(key, []), truths.get(key, [])
        if len(found[0]) == len(found[1]) == 1:
            pairs.append(Pair(image_kind.stem(found[0][0]), found[0][0], found[1][0]))
        else:
            problems += [
                *_problems(*found, image_kind, truth_kind),
                *_problems(*reversed(found), truth_kind, image_kind),
            ]
    return pairs, tuple(problems)


def find_folder(root: Path, names: Iterable[str], contents: str) -> Path:
    """The one folder in `root` that bears one of `names`, in upper or lower case; `contents` says what lies in it.

    Raises InputError where `root` is no folder, and where none or several of its folders bear such a name.
    """
    names = list(names)
    named = " or ".join(f"'{name}'" for name in names)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a folder {named} in it, with {contents}; mend 'root'")
    wanted = {_key(name) for name in names}
    found = [path for path in sorted(root.iterdir()) if path.is_dir() and _key(path.name) in wanted]
    if len(found) != 1:
        listed = f" ({', '.join(path.name for path in found)})" if found else ""
        cure = "leave only one of them" if found else "unpack the dataset here, or mend 'root'"
        raise InputError(
            f"{root}: has {len(found)} folders {named} in any case{listed}; expected one, with {contents}; {cure}"
        )
    return found[0]


def _by_stem(kind: _Kind, without: Collection[str] = ()) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for path in sorted(kind.folder.iterdir()):
        if path.name not in without and kind.stem(path) and path.is_file():
            files.setdefault(_key(kind.stem(path)), []).append(path)
    return files


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _problems(paths: Sequence[Path], partners: Sequence[Path], own: _Kind, other: _Kind) -> list[str]:
    """What is wrong with the files of one kind and stem: there are several, or none of the other kind."""
    if len(paths) > 1:
        return [_twice(paths, partners, own)]
    return [] if partners else [_lonely(path, own, other) for path in paths]


def _twice(paths: Sequence[Path], partners: Sequence[Path], own: _Kind) -> str:
    first, *others = paths
    what = _likeness(first.name, [path.name for path in others])
    names = " and ".join(path.name for path in others)
    wanted = f"one {own.word} for {partners[0].name}" if partners else f"one {own.word} of that name"
    return f"{first}: {what} {names}; expected {wanted}; rename or remove all but one"


def _likeness(name: str, others: Sequence[str]) -> str:
    if any(_key(other) != _key(name) for other in others):
        return "has the same stem as"
    if all(unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name) for other in others):
        return "differs only in how an accent is stored from"
    return "differs only in upper and lower case from"


def _lonely(path: Path, own: _Kind, missing: _Kind) -> str:
    expected = f"{missing.folder.name}/{own.stem(path)}{missing.ending}{missing.suffixes[0]}"
    others = f" (or {', '.join(missing.suffixes[1:])})" if missing.suffixes[1:] else ""
    return f"{path}: has no {missing.word}; expected {expected}{others}; add that file or remove this one"
