"""The answer of a whole study at a glance: a headline score for each dataset and architecture."""

from collections.abc import Sequence
from dataclasses import dataclass

from histoloom.report.front.front_page import Row, Section
from histoloom.report.front.verdict import KINDS, MODEL, PUBLISHED, Score, Verdict

BEST, HIGHEST, TIED = "best", "highest", "not told apart"


@dataclass(frozen=True)
class Cell:
    """One score; where it leads on its dataset, or is not told apart from the leader, `mark` says so.

    `anchor` is the id of its row in the dataset's own table.
    """

    score: Score
    mark: str
    anchor: str


@dataclass(frozen=True)
class MatrixRow:
    """An architecture, baseline or annotator: its score on each dataset, None where it has none."""

    name: str
    kind: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Matrix:
    """Datasets as columns, architectures as rows."""

    sections: tuple[Section, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one dataset or model, so that the matrix says more than one number."""
        return len(self.sections) > 1 or sum(row.kind == MODEL for row in self.rows) > 1


def matrix(sections: Sequence[Section]) -> Matrix:
    """Lay the headline scores of all datasets out.

    Models stand first, then baselines, then annotators, each by the first dataset that has them, best first. Published
    scores are left out, since they are of other images.
    """
    found = [one for section in sections for one in section.headline_scores if one.kind != PUBLISHED]
    kinds = {one.architecture: one.kind for one in found}
    names = sorted(kinds, key=lambda name: KINDS.index(kinds[name]))  # stable: the order within a kind stays
    rows = (MatrixRow(name, kinds[name], tuple(_cell(name, section) for section in sections)) for name in names)
    return Matrix(tuple(sections), tuple(rows))


def mark(score: Score, verdict: Verdict) -> str:
    """Whether a score leads, and what may be said of that: best, highest, not told apart; empty for the rest.

    A model without a rival neither leads nor follows.
    """
    if verdict.leader is None:
        return ""
    if score.architecture == verdict.leader.architecture:
        return BEST if verdict.is_sure else HIGHEST if verdict.tied else ""
    return TIED if score.architecture in verdict.tied else ""


def _cell(name: str, section: Section) -> Cell | None:
    row: Row | None = next((one for one in section.rows if one.score.architecture == name), None)
    return None if row is None else Cell(row.score, mark(row.score, section.verdict), row.anchor)
