"""The table of scores as LaTeX for a paper: booktabs, intervals, and bold only for what is shown to be better."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from histoloom.class_names import ALL, FOREGROUND, MEAN
from histoloom.errors import InputError
from histoloom.evaluate.direction import has_better_side, is_lower_better

KINDS = {
    "model": "Models",
    "baseline": "Baselines, without learning",
    "human": "Second annotator",
    "published": "Published, not measured here",
}
LEVEL = 0.05
OF_CLASS = {FOREGROUND: "all foreground as one class", MEAN: "mean over classes", ALL: "all classes"}
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": r"\textasciigrave{}",
    "\N{MINUS SIGN}": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "²": r"$^2$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
} | {each: f"\\{each}" for each in "&%$#_{}"}
Row = Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """A metric with the class that its column is of, and its rows of summary.csv by architecture."""

    metric: str
    class_name: str
    rows: dict[str, Row]

    @property
    def decimals(self) -> int:
        """Three for shares; fewer for lengths and counts, whose values are larger."""
        largest = max((abs(float(row["mean"])) for row in self.rows.values() if row["mean"]), default=0.0)
        return 3 - min(2, math.floor(math.log10(largest))) if largest >= 10 else 3


def latex_table(summary: Sequence[Row], comparison: Sequence[Row], metrics: Sequence[str], class_name: str) -> str:
    """Write a table environment: a line for each architecture, models first; a column for each metric.

    The rows are those of summary.csv and comparison.csv of one dataset. A metric that knows no classes takes part with
    its class "all". A model's mean is bold where it is best and, against each other model, the interval of the paired
    difference excludes zero and the corrected p is below 0.05. Raises InputError for a metric without such rows.
    """
    if not metrics:
        raise InputError("LaTeX table: no metric is left; expected one of the summary at least; name another")
    columns = [_column(summary, metric, class_name) for metric in metrics]
    notes: dict[str, str] = {}
    body = "\n".join(f"    {line}" for line in _body(columns, comparison, notes))
    dataset = summary[0]["dataset"]
    return (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}\n  \\centering\n"
        f"  \\caption{{{_caption(dataset, columns, class_name, comparison)}}}\n"
        f"  \\label{{tab:{''.join(each for each in dataset if each.isascii() and each.isalnum())}}}\n"
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}\n{body}\n  \\end{{tabular}}\n"
        f"{_footnotes(notes)}\\end{{table}}\n"
    )


def escaped(text: str) -> str:
    """Text as LaTeX prints it: no character keeps a meaning of its own, line ends become spaces.

    >>> escaped("a_b & c%")
    'a\\\\_b \\\\& c\\\\%'
    """
    printed = "".join(SPECIAL.get(each, each) for each in " ".join(text.split())).replace("--", "-{}-{}")
    # At the start of a line, after the end of another, these two would be arguments of that end.
    return f"{{}}{printed}" if printed[:1] in ("[", "*") else printed


def best_model(column: Column, comparison: Sequence[Row]) -> str | None:
    """The model that is shown to be better than every other one; None where there is none, or no other one."""
    means = {name: float(row["mean"]) for name, row in column.rows.items() if row["kind"] == "model" and row["mean"]}
    if len(means) < 2 or not has_better_side(column.metric):
        return None
    sign = -1 if is_lower_better(column.metric) else 1
    leader = max(means, key=lambda name: sign * means[name])
    of_column = [row for row in comparison if (row["metric"], row["class"]) == (column.metric, column.class_name)]
    pairs = {(row["first"], row["second"]): row for row in of_column}
    others = [name for name in means if name != leader]
    return leader if all(_is_better(pairs, leader, other, sign) for other in others) else None


def _is_better(pairs: Mapping[tuple[str, str], Row], leader: str, other: str, sign: int) -> bool:
    row, turned = pairs.get((leader, other)), 1
    if row is None:
        row, turned = pairs.get((other, leader)), -1
    if row is None or not (row["low"] and row["high"] and row["p_holm"]):
        return False
    ends = [sign * turned * float(row[end]) for end in ("low", "high")]
    return min(ends) > 0 and float(row["p_holm"]) < LEVEL


def _column(summary: Sequence[Row], metric: str, class_name: str) -> Column:
    for name in (class_name, ALL):
        rows = {row["architecture"]: row for row in summary if (row["metric"], row["class"]) == (metric, name)}
        if any(row["kind"] != "published" for row in rows.values()):
            return Column(metric, name, rows)
    found = sorted({row["class"] for row in summary if row["metric"] == metric})
    raise InputError(
        f"metric {metric}: no scores of class '{class_name}'; expected "
        + (f"one of {', '.join(found)}; choose another class" if found else "a metric of the summary; choose another")
    )


def _body(columns: Sequence[Column], comparison: Sequence[Row], notes: dict[str, str]) -> Iterator[str]:
    best = [best_model(column, comparison) for column in columns]
    kinds = {name: row["kind"] for column in columns for name, row in column.rows.items()}
    yield "\\toprule"
    yield " & ".join(["", *map(_heading, columns)]).strip() + r" \\"
    for kind, heading in KINDS.items():
        names = [name for name in kinds if kinds[name] == kind]
        if names:
            yield "\\midrule"
        if names and len(set(kinds.values())) > 1:
            yield rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{\emph{{{heading}}}}} \\"
        for name in names:
            cells = [_cell(column, name, name == first, notes) for column, first in zip(columns, best, strict=True)]
            yield " & ".join([escaped(name), *cells]) + r" \\"
    yield "\\bottomrule"


def _heading(column: Column) -> str:
    if not has_better_side(column.metric):
        return escaped(column.metric)
    return rf"{escaped(column.metric)} $\{'down' if is_lower_better(column.metric) else 'up'}arrow$"


def _cell(column: Column, name: str, is_best: bool, notes: dict[str, str]) -> str:
    row = column.rows.get(name)
    if row is None or not row["mean"]:
        return "--"
    mean, low, high = (f"{float(row[key]):.{column.decimals}f}" if row[key] else "" for key in ("mean", "low", "high"))
    mean = rf"\mathbf{{{mean}}}" if is_best else mean
    interval = rf"_{{[{low},\,{high}]}}" if low and high else ""
    note = ""
    if row["kind"] == "published":
        note = rf"^{{\mathrm{{{notes.setdefault(row['definition'], _letter(len(notes)))}}}}}"
    return f"${mean}{interval}{note}$"


def _letter(place: int) -> str:
    """A to z, then aa to zz.

    >>> _letter(0), _letter(25), _letter(26)
    ('a', 'z', 'aa')
    """
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("a") + place % 26)


def _caption(dataset: str, columns: Sequence[Column], class_name: str, comparison: Sequence[Row]) -> str:
    measured = [row for column in columns for row in column.rows.values() if row["images"] and row["mean"]]
    images, groups = (_span([int(row[key]) for row in measured]) for key in ("images", "groups"))
    of_class = OF_CLASS.get(class_name, f"class {class_name}")
    definitions = " ".join(rf"\emph{{{escaped(column.metric)}}}: {escaped(_definition(column))}" for column in columns)
    return (
        f"Scores on {escaped(dataset)}, {escaped(of_class)}; $n$ = {images} images of {groups} groups. "
        r"Subscripts are 95\,\% intervals by percentile bootstrap over groups. Bold: better than every other model, "
        r"where the interval of the paired difference excludes zero and $p < 0.05$ (Wilcoxon's signed-rank test over "
        rf"groups, Holm-corrected over all pairs). {_untested(columns, comparison)}{definitions}"
    )


def _untested(columns: Sequence[Column], comparison: Sequence[Row]) -> str:
    tested = {row["metric"] for row in comparison}
    names = [escaped(column.metric) for column in columns if column.metric not in tested]
    return f"Models were not compared by {', '.join(names)}. " if names else ""


def _definition(column: Column) -> str:
    return next(row["definition"] for row in column.rows.values() if row["kind"] != "published")


def _span(counts: Sequence[int]) -> str:
    least, most = min(counts, default=0), max(counts, default=0)
    return str(least) if least == most else f"{least} to {most}"


def _footnotes(notes: Mapping[str, str]) -> str:
    lines = [rf"  $^{{\mathrm{{{letter}}}}}$ {escaped(text)}\par" for text, letter in notes.items()]
    return "\n".join(["  \\par\\smallskip\\footnotesize\\raggedright", *lines, ""]) if lines else ""
