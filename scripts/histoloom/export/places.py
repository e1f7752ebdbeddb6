"""Where an exported model may write: never over files of the user's, such as the hand-drawn nuclei/ of a dataset."""

from pathlib import Path

from histoloom.errors import InputError

OF_IMAGES = ("regions", "nuclei", "nuclei.csv")
BEGUN = ("tissue.png", "slide.json")  # what the first step of a slide writes


def require_room_for_images(results: Path) -> None:
    """Raise InputError where a place for results of images holds files already."""
    for name in OF_IMAGES:
        _require_empty(results / name)


def require_room_for_slide(folder: Path) -> None:
    """Raise InputError where a slide's folder holds files, unless a prediction of a slide was begun in it."""
    if not any((folder / name).is_file() for name in BEGUN):
        _require_empty(folder)


def _require_empty(place: Path) -> None:
    if place.exists() and not (place.is_dir() and next(place.iterdir(), None) is None):
        raise InputError(
            f"{place}: is there already; expected nothing, or an empty folder, since results are written there and "
            "replace no file; name another --results"
        )
