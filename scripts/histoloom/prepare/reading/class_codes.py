"""Which grey value or colour of a mask means which class: read from words such as "necrosis=4", applied to a mask."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from histoloom.errors import InputError
from histoloom.sample import IGNORE

BACKGROUND_NAME = "background"
IGNORE_NAME = "ignore"
UNLISTED = {"refuse": IGNORE, "ignore": IGNORE, "background": 0}  # the class index of a value without code
MAX_GREY = np.iinfo(np.uint16).max
HEX = re.compile(r"#[0-9a-fA-F]{6}")

# What JPEG leaves around the codes 0 and 255. Measured on 6 region masks: qualities 50 to 95 give 13 to 153 further
# values, of whose pixels at least 0.66 lie within 16 of a code; halving a mask bilinearly gives at most 0.34.
RINGING_VALUES = 8
RINGING_REACH = 16
RINGING_SHARE = 0.5


@dataclass(frozen=True)
class ClassCodes:
    """Class names, background first, and the class index (or IGNORE) of each value that a mask may hold.

    A colour is held as one number, red * 65536 + green * 256 + blue.
    """

    classes: tuple[str, ...]
    targets: Mapping[int, int]
    is_coloured: bool

    def written(self, value: int) -> str:
        """A value as a person writes it: "255", or "#ff0000" for a colour."""
        return f"#{value:06x}" if self.is_coloured else str(value)

    def listed(self) -> str:
        """All codes with their class, for messages and facts: "background=0, ignore=7"."""
        names = {**dict(enumerate(self.classes)), IGNORE: IGNORE_NAME}
        return ", ".join(f"{names[target]}={self.written(value)}" for value, target in self.targets.items())


def class_codes(entries: Sequence[str]) -> ClassCodes:
    """Read "name=code" entries; a code is a grey value, "#rrggbb" or "r,g,b", and one name may have several.

    Classes take the order of their first entry. The first must be named "background"; "ignore" is no class.
    Raises InputError for an entry that is no such pair, greys beside colours, a code given twice, a first class that is
    not the background, and no class beside it.

    >>> class_codes(["ignore=0", "background=2", "background=3", "necrosis=4"]).targets
    {0: 255, 2: 0, 3: 0, 4: 1}
    """
    pairs = [_pair(entry) for entry in ([entries] if isinstance(entries, str) else entries)]
    classes = tuple(dict.fromkeys(name for name, _, _ in pairs if name != IGNORE_NAME))
    if len({is_coloured for _, _, is_coloured in pairs}) > 1:
        raise InputError("classes: some codes are greys, some colours; expected one kind; look at a mask and mend them")
    if not classes or classes[0] != BACKGROUND_NAME:
        raise InputError(
            f"classes: the first is '{classes[0] if classes else ''}'; expected '{BACKGROUND_NAME}', which scores "
            f"count as no finding; name what is not sought so, as in {BACKGROUND_NAME}=2 for stroma"
        )
    if not 2 <= len(classes) <= IGNORE:
        raise InputError(f"classes: {len(classes)} with the background; expected 2 to {IGNORE}; mend the list")
    return ClassCodes(classes, _targets(pairs, classes), pairs[0][2])


def class_indices(
    values: Int32[np.ndarray, "height width"], codes: ClassCodes, unlisted: int
) -> tuple[UInt8[np.ndarray, "height width"], dict[int, int]]:
    """Class indices of a mask's values, and how many pixels have each value without code; those become `unlisted`."""
    known = np.array(sorted(codes.targets), np.int64)
    targets = np.array([codes.targets[value] for value in known.tolist()], np.uint8)
    position = np.searchsorted(known, values).clip(max=len(known) - 1)
    is_listed = known[position] == values
    mask = np.where(is_listed, targets[position], np.uint8(unlisted))
    found, pixels = np.unique(values[~is_listed], return_counts=True)
    return mask, dict(zip(found.tolist(), pixels.tolist(), strict=True))


def packed(colours: UInt8[np.ndarray, "height width 3"]) -> Int32[np.ndarray, "height width"]:
    """Each colour as one number, red * 65536 + green * 256 + blue."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue


def looks_compressed(unlisted: Mapping[int, int], codes: ClassCodes) -> bool:
    """Whether values without code crowd around the codes, as JPEG compression leaves them; needs codes far apart."""
    known = _channels(np.array(list(codes.targets), np.int64), codes)
    apart = np.abs(known[:, None] - known).max(-1)
    np.fill_diagonal(apart, MAX_GREY)
    if len(unlisted) < RINGING_VALUES or apart.min() <= 4 * RINGING_REACH:
        return False
    values = _channels(np.array(list(unlisted), np.int64), codes)
    is_near = np.logical_or.reduce([np.abs(values - code).max(-1) <= RINGING_REACH for code in known])
    pixels = np.array(list(unlisted.values()))
    return bool(pixels[is_near].sum() >= RINGING_SHARE * pixels.sum())


def _channels(values: Int64[np.ndarray, " values"], codes: ClassCodes) -> Int64[np.ndarray, "values channels"]:
    if not codes.is_coloured:
        return values[:, None]
    return np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)


def _pair(entry: object) -> tuple[str, int, bool]:
    name, _, code = (part.strip() for part in str(entry).partition("="))
    value = _value(code)
    if not name or value is None:
        raise InputError(
            f"classes: '{entry}'; expected name=code with a grey value from 0 to {MAX_GREY}, or a colour as #ff0000 or "
            "255,0,0; mend the entry"
        )
    return name, value, not code.isdecimal()


def _value(code: str) -> int | None:
    if HEX.fullmatch(code):
        return int(code[1:], 16)
    parts = [int(part) for part in re.findall(r"[0-9]+", code)]
    if re.fullmatch(r"[0-9]+", code) and parts[0] <= MAX_GREY:
        return parts[0]
    if re.fullmatch(r"[0-9]+ *, *[0-9]+ *, *[0-9]+", code) and max(parts) <= 255:
        return parts[0] << 16 | parts[1] << 8 | parts[2]
    return None


def _targets(pairs: Sequence[tuple[str, int, bool]], classes: Sequence[str]) -> dict[int, int]:
    targets: dict[int, int] = {}
    for name, value, is_coloured in pairs:
        if value in targets:
            code = f"#{value:06x}" if is_coloured else value
            raise InputError(f"classes: code {code} is given twice; expected once, for one class; remove one entry")
        targets[value] = IGNORE if name == IGNORE_NAME else classes.index(name)
    return targets
