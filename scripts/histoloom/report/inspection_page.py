"""The page of the report on one dataset: what is wrong with it, what it holds, and what it looks like."""

import base64
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from histoloom.findings import SEVERITIES
from histoloom.prepared import Description
from histoloom.report.rendering import render

# What a figure shows, by its file's name; any other name is its own caption.
CAPTIONS = {
    "sheet": "Images, and the same images with the annotation drawn on them",
    "sizes": "Sizes of images and nuclei",
    "stains": "Stain vectors, colour and its spread",
}
FOLDED = 5  # more findings of one kind are folded away under their first
MOST_GROUPS = 100  # rows of the table of groups; of more, those with the least annotation


@dataclass(frozen=True)
class FindingGroup:
    """Findings of one severity and kind: those shown at once, and those to unfold."""

    severity: str
    kind: str
    shown: Sequence[Mapping[str, str]]
    folded: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Figure:
    """A picture inside the page: its caption, its data URI, its text alternative and its size in pixels."""

    caption: str
    uri: str
    alternative: str
    width: int
    height: int


@dataclass(frozen=True)
class GroupShares:
    """How much of a group's (slide's, case's) pixels is annotated, in all and as each class, as shares."""

    name: str
    images: int
    annotated: float
    classes: Sequence[float]


def inspection_page(
    template: Path,
    description: Description,
    *,
    findings: Sequence[Mapping[str, str]],
    classes: Sequence[Mapping[str, str]],
    measures: Sequence[Mapping[str, str]],
    skipped: Sequence[Mapping[str, str]],
    pictures: Sequence[Path],
) -> str:
    """One self-contained HTML page from rows of the tables of these names and the figures."""
    groups = finding_groups(findings)
    counts = {severity: sum(one["severity"] == severity for one in findings) for severity in SEVERITIES}
    return render(
        template,
        description=description,
        groups=groups,
        counts=counts,
        classes=[_class_row(row) for row in classes],
        has_nuclei=any(row["nuclei"] for row in classes),
        facts=list(_facts(measures)),
        shares=group_shares(measures, len(classes)),
        group_count=len({row["group"] for row in measures}),
        skipped=skipped,
        figures=[figure(path) for path in pictures],
    )


def finding_groups(findings: Sequence[Mapping[str, str]]) -> list[FindingGroup]:
    """Gather findings of one severity and kind, errors first, kinds in the order in which they come."""
    kinds = dict.fromkeys((one["severity"], one["kind"]) for one in findings)
    return [
        FindingGroup(severity, kind, its[:FOLDED], its[FOLDED:])
        for severity, kind in sorted(kinds, key=lambda one: SEVERITIES.index(one[0]))
        if (its := [one for one in findings if (one["severity"], one["kind"]) == (severity, kind)])
    ]


def group_shares(measures: Sequence[Mapping[str, str]], class_count: int) -> list[GroupShares]:
    """Of each group by name; where there are more than MOST_GROUPS, of those with the least annotation alone."""
    members: dict[str, list[Mapping[str, str]]] = {}
    for row in measures:
        members.setdefault(row["group"], []).append(row)
    shares = [_group_shares(name, rows, class_count) for name, rows in members.items()]
    least = sorted(shares, key=lambda one: (one.annotated, one.name))[:MOST_GROUPS]
    return sorted(least, key=lambda one: one.name)


def figure(path: Path) -> Figure:
    """Embed a PNG as it is; its text alternative is its own "Description", or else the caption."""
    with Image.open(path) as opened:
        size, note = opened.size, opened.info.get("Description")
    caption = CAPTIONS.get(path.stem, path.stem)
    uri = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    return Figure(caption, uri, f"{caption}: {note}" if note else caption, *size)


def _group_shares(name: str, rows: Sequence[Mapping[str, str]], class_count: int) -> GroupShares:
    pixels = sum(int(row["height"]) * int(row["width"]) for row in rows)
    by_class = [sum(int(row[f"pixels_{number}"]) for row in rows) / pixels for number in range(class_count)]
    return GroupShares(name, len(rows), sum(int(row["annotated_px"]) for row in rows) / pixels, by_class)


def _facts(measures: Sequence[Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    yield "images", f"{len(measures):,}"
    yield "groups", f"{len({row['group'] for row in measures}):,}"
    if strata := sorted({row["stratum"] for row in measures if row["stratum"]}):
        yield "strata", f"{len(strata)}: {', '.join(strata)}"
    sizes = sorted({(int(row["height"]), int(row["width"])) for row in measures})
    yield "height x width", _span([f"{height} x {width} px" for height, width in sizes])
    mpps = sorted({float(row["mpp"]) for row in measures if row["mpp"]})
    yield "mpp", _span([f"{mpp:g}" for mpp in mpps]) + " µm per pixel" if mpps else "not known"
    pixels = sum(int(row["height"]) * int(row["width"]) for row in measures)
    yield "annotated", f"{sum(int(row['annotated_px']) for row in measures) / pixels:.1%} of the pixels"
    yield "tissue", f"{statistics.median(float(row['tissue_share']) for row in measures):.0%} of the median image"
    both = [row for row in measures if row["second_dice"] and row["second_pq"]]
    if both:
        dice, pq = (statistics.mean(float(row[name]) for row in both) for name in ("second_dice", "second_pq"))
        yield "two annotators agree", f"Dice of nucleus pixels {dice:.3f}, PQ {pq:.3f}, mean of {len(both)} images"


def _span(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"


def _class_row(row: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    share = f"{float(row['pixel_share']):.2%}" if row["pixel_share"] else ""
    nuclei = f"{int(row['nuclei']):,}" if row["nuclei"] else ""
    return row["class"], f"{int(row['images']):,}", f"{int(row['pixels']):,}", share, nuclei
