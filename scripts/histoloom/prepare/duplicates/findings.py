"""Findings on images that are the same or nearly, within a dataset and across the datasets of a study."""

from collections.abc import Iterable, Mapping, Sequence

from histoloom.findings import Finding


def duplicate_images(group_of: Mapping[str, str], duplicates: Sequence[Mapping[str, str]]) -> Iterable[Finding]:
    """Images that are the same or nearly: a warning, or an info where a near one is of the same group.

    `group_of` are the dataset's images by name, `duplicates` rows of duplicates.csv.
    Whether they leak into a test is known when folds are made. Pairs with another dataset's images are left out, and
    blank ones: they are no copies, and the findings of the folds count them.
    """
    for pair in duplicates:
        if pair["first_dataset"] != pair["second_dataset"] or pair["kind"] == "blank":
            continue
        first, second = group_of[pair["first"]], group_of[pair["second"]]
        crosses = first != second
        cure = "splitting stops if they part; give both one group or remove one" if crosses else "remove one"
        of_groups = f"groups '{first}' and '{second}'" if crosses else f"both of group '{first}'"
        is_near = pair["kind"] == "near"
        severity = "info" if is_near and not crosses else "warning"
        message = f"{likeness(pair)} {pair['second']}, {of_groups}; {cure}"
        yield Finding(severity, "near_duplicate" if is_near else "duplicate", pair["first"], message)


def shared_images(dataset: str, duplicates: Sequence[Mapping[str, str]]) -> Iterable[Finding]:
    """Warning for each image that another dataset of the study holds too; both sides are told of it.

    `duplicates` are rows of the study's duplicates.csv; pairs within one dataset, and blank ones, are left out.
    """
    for pair in (pair for pair in duplicates if pair["kind"] != "blank"):
        sides = [(pair["first_dataset"], pair["first"]), (pair["second_dataset"], pair["second"])]
        if sides[0][0] == sides[1][0] or dataset not in (sides[0][0], sides[1][0]):
            continue
        (_, own), (other, its_image) = sides if sides[0][0] == dataset else sides[::-1]
        message = f"{likeness(pair)} {its_image} of dataset '{other}'; scores of the two are not independent"
        yield Finding("warning", "shared_image", own, message)


def likeness(pair: Mapping[str, str]) -> str:
    """How two images of a row of duplicates.csv are alike, in words that a name can follow.

    >>> likeness({"kind": "near", "distance": "3", "change": "mirrored"})
    'nearly the same picture (mirrored, 3 hash bits differ) as'
    """
    changed = "" if pair["change"] in ("", "none") else pair["change"]
    if pair["kind"] == "identical":
        return f"same pixels ({changed}) as" if changed else "same pixels as"
    detail = ", ".join(text for text in (changed, f"{pair['distance']} hash bits differ") if text)
    return f"nearly the same picture ({detail}) as"
