"""Pixel sizes as files state them, in µm per pixel: OME-XML, ImageJ and the resolution tags of a TIFF."""

import re
from pathlib import Path

import tifffile

MPP_RANGE = (0.02, 20)  # µm; else it is no pixel size but the dots per inch of a screen (72 dpi would be 353 µm)
MICRONS = {"µm": 1, "\u03bcm": 1, "um": 1, "micron": 1, "nm": 1e-3, "mm": 1e3}
TAG_MICRONS = {2: 25_400, 3: 10_000}  # of an inch and a centimetre, the values of TIFF's ResolutionUnit


def plausible_mpp(mpp: object) -> float | None:
    """A number or text as µm per pixel, or None where it is none that a slide can have (see MPP_RANGE)."""
    try:
        value = float(str(mpp))
    except ValueError:
        return None
    return value if MPP_RANGE[0] <= value <= MPP_RANGE[1] else None


def tiff_mpp(path: Path) -> float | None:
    """The pixel size that OME-XML, ImageJ or the resolution tags of a TIFF state; None where there is none."""
    try:
        with tifffile.TiffFile(path) as file:
            return plausible_mpp(_stated_mpp(file))
    except Exception:  # what tifffile cannot parse states no pixel size; bad pixels are refused where they are read
        return None


def _stated_mpp(file: tifffile.TiffFile) -> float | None:
    if ome := re.search(r'PhysicalSizeX="([^"]+)"', file.ome_metadata or ""):
        unit = re.search(r'PhysicalSizeXUnit="([^"]*)"', file.ome_metadata or "")
        return float(ome[1]) * MICRONS[unit[1] if unit else "µm"]
    tags = file.pages[0].tags
    imagej_unit = str((file.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    microns = MICRONS.get(imagej_unit) or TAG_MICRONS[int(tags["ResolutionUnit"].value)]
    pixels, units = tags["XResolution"].value
    return microns * units / pixels
