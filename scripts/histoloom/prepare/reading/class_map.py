"""Which class of QuPath means which class of the study: merging, renaming and dropping, read from "Tumor=tumour"."""

from collections.abc import Iterable, Mapping, Sequence

from histoloom.errors import InputError
from histoloom.sample import IGNORE

BACKGROUND = "background"
DROPPED = "ignore"  # on the right of an entry: its pixels become IGNORE
NOTHING = ""  # the class of what paints nothing


def class_map(entries: Sequence[str]) -> dict[str, str]:
    """Read "class in QuPath=class of the study" entries; the last "=" is the one that parts them.

    Raises InputError for an entry that is no such pair, and for a class of QuPath that is given twice.

    >>> class_map(["Tumor=tumour", "Tumor: in situ=tumour", "Other=ignore"])
    {'Tumor': 'tumour', 'Tumor: in situ': 'tumour', 'Other': 'ignore'}
    """
    targets: dict[str, str] = {}
    for entry in [entries] if isinstance(entries, str) else entries:
        name, _, target = (part.strip() for part in str(entry).rpartition("="))
        if not name or not target:
            raise InputError(
                f"classes: '{entry}'; expected 'class in QuPath=class of the study', as in "
                "'Tumor=tumour'; mend the entry"
            )
        if name in targets:
            raise InputError(f"classes: '{name}' is given twice; expected once, for one class; remove one entry")
        targets[name] = target
    return targets


def study_class(name: str, targets: Mapping[str, str]) -> str | None:
    """The class of the study that a class of QuPath becomes, DROPPED, NOTHING, or None where the map does not say.

    Without a map each class keeps its name, and "Background" in any case is the background. A name that ends in * is
    no class to learn: Ignore* is dropped, Region* and others paint nothing, unless the map names them.

    Source: https://qupath.readthedocs.io/en/stable/docs/concepts/classifications.html
    """
    if name in targets:
        return targets[name]
    if name.endswith("*"):
        return DROPPED if name.lower() == "ignore*" else NOTHING
    if targets:
        return None
    return BACKGROUND if name.lower() == BACKGROUND else name


def study_classes(targets: Mapping[str, str], found: Iterable[str]) -> tuple[str, ...]:
    """All classes of the study, background first: in the map's order, or without a map as found, in order of name.

    Raises InputError where there is no class beside the background, and where an 8-bit mask cannot hold them all.
    """
    names = targets.values() if targets else sorted({study_class(name, targets) or NOTHING for name in found})
    learnt = [name for name in dict.fromkeys(names) if name not in (BACKGROUND, DROPPED, NOTHING)]
    if not 1 <= len(learnt) < IGNORE:
        raise InputError(
            f"classes: {len(learnt)} beside the background; expected 1 to {IGNORE - 1}; give the annotations classes "
            "in QuPath, or mend the map"
        )
    return (BACKGROUND, *learnt)


def class_values(classes: Sequence[str]) -> dict[str, int]:
    """The mask value of each class of the study, and of what is dropped."""
    return {**{name: value for value, name in enumerate(classes)}, DROPPED: IGNORE}


def described(targets: Mapping[str, str], found: Iterable[str]) -> str:
    """What became of each class of QuPath, in words for the report.

    >>> described({}, ["Tumor", "Ignore*", "Region*"])
    'Ignore*: left out, Region*: paints nothing, Tumor: Tumor'
    """
    words = {DROPPED: "left out", NOTHING: "paints nothing"}
    pairs = targets or {name: study_class(name, targets) or NOTHING for name in sorted(found)}
    return ", ".join(f"{name}: {words.get(target, target)}" for name, target in pairs.items())
