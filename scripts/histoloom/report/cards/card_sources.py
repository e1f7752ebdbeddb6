"""What a model card is written from: the tables of one dataset, of which it takes what concerns one architecture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from histoloom.prepared import Description
from histoloom.report.front.verdict import Difference, Score, between
from histoloom.report.rendering import number
from histoloom.study.sections import section

Row = Mapping[str, str]


@dataclass(frozen=True)
class CardSources:
    """Tables as their CSV has them, all of one dataset; `histories` by fold, `weights` digests by the file's name.

    `differences` are all that Holm counted of the headline metric and class.
    """

    architecture: str
    description: Description
    config: Mapping[str, Any]
    index: Sequence[Row]
    folds: Sequence[Row]
    measures: Sequence[Row]
    scores: Sequence[Score]
    differences: Sequence[Difference]
    strata: Sequence[Row]
    spread: Sequence[Row]
    costs: Sequence[Row]
    histories: Mapping[int, Sequence[Row]]
    diverged: Sequence[int]
    weights: Mapping[str, str]
    image_digest: str
    commit: str
    versions: Mapping[str, str]

    @property
    def dataset(self) -> str:
        """The dataset's name in the study."""
        return self.description.name

    @property
    def headline(self) -> tuple[str, str]:
        """Metric and class that the report is about."""
        return self.config["report"]["headline_metric"], self.config["report"]["headline_class"]

    @cached_property
    def mine(self) -> list[Score]:
        """The model's own scores."""
        return [score for score in self.scores if score.architecture == self.architecture]

    @cached_property
    def main_score(self) -> Score | None:
        """The model's headline score; None where the summary has no such row."""
        return next((score for score in self.mine if (score.metric, score.class_name) == self.headline), None)

    @property
    def foreground(self) -> tuple[str, ...]:
        """Classes but background."""
        return self.description.classes[1:]

    def values(self, name: str) -> dict[str, Any]:
        """A section of the config as it holds for this dataset and architecture."""
        return section(self.config, name, self.dataset, self.architecture)

    def own_rows(self, table: Sequence[Row]) -> list[Row]:
        """The rows of a table of scores that are of this model and of the headline metric and class."""
        return [
            row
            for row in table
            if (row["architecture"], row["metric"], row["class"]) == (self.architecture, *self.headline)
        ]

    def against(self, other: str) -> Difference | None:
        """This model minus another in the headline score; None where the two were not compared."""
        return between(self.architecture, other, self.differences)

    @cached_property
    def mpp(self) -> str:
        """Micrometres per pixel of the images, in words."""
        stated = sorted({float(row["mpp"]) for row in self.index if row["mpp"]})
        if not stated:
            return "not stated"
        span = f"{stated[0]:g}" if len(stated) == 1 else f"{stated[0]:g} to {stated[-1]:g}"
        lacking = sum(not row["mpp"] for row in self.index)
        return f"{span} µm per pixel" + (f", not stated for {lacking} images" if lacking else "")

    @cached_property
    def strata_counts(self) -> dict[str, int]:
        """Images of each stratum (such as the tissue), most first; empty where none is stated."""
        return dict(Counter(row["stratum"] for row in self.index if row["stratum"]).most_common())

    @cached_property
    def tested_strata(self) -> list[str]:
        """Strata of the images that some fold tests, most images first."""
        tested = {row["name"] for row in self.folds if row["part"] == "test"}
        found = {row["stratum"] for row in self.index if row["name"] in tested}
        return [name for name in self.strata_counts if name in found]

    @cached_property
    def annotated_share(self) -> float:
        """Share of all pixels that somebody annotated."""
        pixels = sum(int(row["height"]) * int(row["width"]) for row in self.measures)
        return sum(int(row["annotated_px"]) for row in self.measures) / pixels if pixels else 1.0


def interval_text(low: float | None, high: float | None, signed: bool = False) -> str:
    """An interval in words; "none" without one."""
    return "none" if low is None or high is None else f"{number(low, signed)} to {number(high, signed)}"
