"""The most that a file from outside may hold, so that none fills memory or disk: section `limits` of the config.

The Snakefile hands that section to all jobs in the environment, since as a flag of a rule a raised limit would make
finished work run again. Standard library only: the Snakefile imports this at every parse. SECURITY.md says what each
limit guards.
"""

import functools
import os
from collections.abc import Mapping

from histoloom.errors import InputError

VARIABLE = "HISTOLOOM_LIMITS"  # such as "image_pixels=500000000 text_mib=128"; what it leaves out is as below
DEFAULTS = {
    "image_pixels": 2**28,  # height * width, 16,384 squared: some 8 bytes each to read, 30 where transparent ones blend
    "slide_side_px": 500_000,  # a band of 512 rows of such a width takes 0.8 GB; the largest scans have half of it
    "text_mib": 64,  # of what is read whole: JSON, XML and CSV files unpacked, and each object of a GeoJSON file
    "json_depth": 64,  # of brackets: a MultiPolygon in a FeatureCollection needs 8
    "geojson_mib": 2048,  # unpacked; a million nuclei take some 900
    "geojson_objects": 1_000_000,
    "table_rows": 1_000_000,
    "archive_gb": 200,  # unpacked; the largest dataset known here, PanNuke, has 38
    "archive_members": 2_000_000,
    "archive_ratio": 200,  # unpacked to packed, of archives that unpack to more than 1 GB; masks alone reach some 100
    "download_gb": 200,
}


def limit(name: str) -> int:
    """The limit of that name: what the config states, or the default.

    Raises InputError where the environment variable states something else than limits.
    """
    return _stated(os.environ.get(VARIABLE, "")).get(name, DEFAULTS[name])


def raising(name: str) -> str:
    """How to raise a limit, as the cure at the end of a message."""
    assert name in DEFAULTS, name
    return f"raise limits.{name} in the config (of a script by itself: {VARIABLE}={name}=...)"


def as_text(limits: Mapping[str, int]) -> str:
    """Limits as the environment variable states them.

    >>> as_text({"text_mib": 64, "json_depth": 9})
    'json_depth=9 text_mib=64'
    """
    return " ".join(f"{name}={value}" for name, value in sorted(limits.items()))


@functools.cache
def _stated(text: str) -> dict[str, int]:
    stated = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name not in DEFAULTS or not (value.isascii() and value.isdecimal() and int(value)):
            raise InputError(
                f"{VARIABLE}: '{word}'; expected name=number, names among {', '.join(DEFAULTS)}; mend the variable"
            )
        stated[name] = int(value)
    return stated
