"""From the words of the command line to what the two sides are read with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from histoloom.datasets.pannuke import CLASSES as PANNUKE_CLASSES
from histoloom.errors import InputError
from histoloom.evaluate.scoring.listing import IMAGES, files_by_stem, key
from histoloom.evaluate.scoring.reading import Reading, class_table, codes_of
from histoloom.evaluate.scoring.sides import LABELS, PANNUKE, form_of
from histoloom.plugins import suggestion
from histoloom.prepare.reading.class_codes import class_codes
from histoloom.sample import IGNORE

NUCLEUS = ("background", "nucleus")  # the classes of label images that come without any


def named_paths(words: Sequence[str]) -> dict[str, Path]:
    """Read NAME=PATH words; a path alone is named by its file or folder. A name of two is refused.

    >>> named_paths(["unet=out/unet", "out/hover"])
    {'unet': PosixPath('out/unet'), 'hover': PosixPath('out/hover')}
    """
    found: dict[str, Path] = {}
    for word in words:
        name, path = _split(word)
        if name in found:
            raise InputError(f"--prediction: '{name}' twice; expected one name each; write NAME=PATH")
        found[name] = path
    return found


def paths_of_models(words: Sequence[str], models: Sequence[str], flag: str) -> dict[str, Path]:
    """Paths beside predictions, by model: NAME=PATH words, or a path alone where there is one model."""
    if len(models) == 1 and len(words) == 1:
        name, path = _split(words[0])
        return {models[0]: path if name == models[0] else Path(words[0])}
    found = dict(_split(word) for word in words)
    if unknown := [name for name in found if name not in models]:
        raise InputError(f"{flag}: '{unknown[0]}' is no prediction; {suggestion(unknown[0], list(models))}")
    return found


def chosen_classes(
    given: Sequence[str], values: Sequence[str], truth: Path, plain: Reading, has_companions: bool
) -> tuple[str, ...]:
    """The classes of the tables, background first: as given, of --class-values, or as the truth's format has them.

    `plain` is how the truth is read as far as is known; its classes do not count. Label images that nothing says the
    classes of are all nuclei of one; `has_companions` tells that something does. Raises InputError where nobody says
    which classes there are, and for lists that cannot be.
    """
    if given:
        if not 2 <= len(set(given)) == len(given) <= IGNORE:
            raise InputError(
                f"--classes: {' '.join(given)}; expected 2 to {IGNORE} different names, the background first; mend them"
            )
        return tuple(given)
    if values:
        return class_codes(values).classes
    form = plain.form or form_of(truth, replace(plain, classes=NUCLEUS))
    if form == PANNUKE:
        return PANNUKE_CLASSES
    if form == LABELS and not has_companions:
        return NUCLEUS
    raise InputError(
        f"--classes: none given; expected the classes of {truth}, background first, since nothing else names them "
        f"({form}); give them, as in --classes background tumour stroma"
    )


def with_companions(reading: Reading, masks: Path | None, table: Path | None, values: Sequence[str]) -> Reading:
    """The reading with what lies beside label images: class masks, a table of classes; and codes of mask values.

    Raises InputError for both on the side of the truth, where the masks alone say the classes of nuclei.
    """
    if reading.is_truth and masks and table:
        raise InputError(
            "--truth-table: given beside --truth-masks; expected one of them, since true nuclei have the class of "
            "the mask under them; leave one out"
        )
    files = {key(name): path for name, path in files_by_stem(masks, "", (*IMAGES, ".npy")).items()} if masks else None
    codes = codes_of(values, reading.classes) if values else None
    found = replace(reading, masks=files, codes=codes)
    return replace(found, table=class_table(table, found)) if table else found


def _split(word: str) -> tuple[str, Path]:
    name, is_named, path = word.partition("=")
    if is_named and name and "/" not in name and not Path(word).exists():
        return name, Path(path)
    alone = Path(word)
    return alone.stem if alone.is_file() else alone.name, alone
