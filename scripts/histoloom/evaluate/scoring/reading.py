"""How the files of a side are to be understood: classes, their codes and names, and what lies beside label images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from histoloom.errors import InputError
from histoloom.evaluate.scoring.listing import IMAGES, key
from histoloom.evaluate.scoring.maps import Size
from histoloom.formats.whole import read_dicts
from histoloom.plugins import suggestion
from histoloom.prepare.reading.class_codes import ClassCodes, class_codes
from histoloom.prepare.reading.class_map import DROPPED, NOTHING, study_class
from histoloom.sample import IGNORE

Nuclei = Mapping[str, Mapping[int, int]]  # class index of a nucleus by its image's key and its id


@dataclass(frozen=True)
class Reading:
    """How one side is read: truth, or a prediction.

    `codes` say which grey or colour of a mask is which class; None: greys are class indices. `names` turn the classes
    that polygons and tables write into ours. `masks`, by key of the image, and `table` say the classes of label images.
    `size` is that of all images, where no file tells it. `form` is the format if it is not to be found out.
    """

    classes: tuple[str, ...]
    is_truth: bool
    form: str | None = None
    ending: str = ""
    codes: ClassCodes | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    masks: Mapping[str, Path] | None = None
    table: Nuclei | None = None
    size: Size | None = None

    @property
    def side(self) -> str:
        """The word for it in the names of options."""
        return "truth" if self.is_truth else "prediction"

    @property
    def listed(self) -> str:
        """The classes with their indices, for messages."""
        return ", ".join(f"{index} {name}" for index, name in enumerate(self.classes))


def codes_of(entries: Sequence[str], classes: Sequence[str]) -> ClassCodes:
    """Read "name=code" entries whose names are among `classes`; codes of the name "ignore" become 255.

    Raises InputError as class_codes does, and for other names.
    """
    codes = class_codes(entries)
    if unknown := [name for name in codes.classes if name not in classes]:
        raise InputError(
            f"class values: '{unknown[0]}' is none of the classes; {suggestion(unknown[0], list(classes))}"
        )
    targets = {
        value: IGNORE if target == IGNORE else list(classes).index(codes.classes[target])
        for value, target in codes.targets.items()
    }
    return ClassCodes(tuple(classes), targets, codes.is_coloured)


def class_index(written: str, reading: Reading, subject: str) -> int | None:
    """Index of a class as a polygon or a table writes it: a name, or an index; IGNORE for "ignore", None for nothing.

    Names ending in * are none, as in QuPath. What is unclassified has the one class that there is, where there is one.
    Raises InputError for another class; `subject` says where it stands.
    """
    if not written and len(reading.classes) == 2:
        return 1
    name = reading.names.get(written) or study_class(written, {})
    if written and name == NOTHING:
        return None
    if name == DROPPED:
        return IGNORE
    if name in reading.classes:
        return reading.classes.index(name)
    if written.isascii() and written.isdecimal() and int(written) < len(reading.classes):
        return int(written)
    found = f"class '{written}'" if written else "no class"
    raise InputError(
        f"{subject}: {found}; {suggestion(written, list(reading.classes))}; "
        "say with --class-names 'theirs=ours' what it means, or theirs=ignore"
    )


def class_table(path: Path, reading: Reading) -> Nuclei:
    """Read the classes of nuclei from a CSV with the columns image (or name), id and class, a name or an index.

    Raises InputError for missing columns, ids that are no whole numbers, other classes, and a nucleus listed twice.
    """
    rows = read_dicts(path, "a CSV of nuclei with their classes")
    header = list(rows[0]) if rows else []
    image = next((column for column in ("image", "name") if column in header), None)
    if rows and (image is None or not {"id", "class"} <= set(header)):
        raise InputError(f"{path}: columns {', '.join(header)}; expected image, id and class; mend the header")
    found: dict[str, dict[int, int]] = {}
    for line, row in enumerate(rows, start=2):
        number = _whole(row["id"], f"{path} line {line}")
        nuclei = found.setdefault(key(_without_suffix(row[image])), {})
        if number in nuclei:
            raise InputError(f"{path} line {line}: nucleus {number} of {row[image]} again; expected once; remove one")
        index = class_index(row["class"], reading, f"{path} line {line}")
        nuclei[number] = IGNORE if index is None else index
    return found


def _whole(text: str, subject: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"{subject}: id '{text}'; expected the whole number that its label image holds; mend it")
    return int(text)


def _without_suffix(name: str) -> str:
    suffix = next((suffix for suffix in IMAGES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]
