"""Write the front page of the report as reStructuredText with one block of HTML."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from histoloom.errors import InputError, run
from histoloom.evaluate.direction import has_better_side, is_lower_better
from histoloom.files import write_text
from histoloom.findings import Finding
from histoloom.prepare.duplicates.findings import shared_images
from histoloom.prepared import read_description, read_table
from histoloom.report.front.costs import cost_of
from histoloom.report.front.flattery import with_flattery
from histoloom.report.front.front_page import Section, section
from histoloom.report.front.matrix import matrix
from histoloom.report.front.notices import skipped_steps
from histoloom.report.front.verdict import FEWEST_GROUPS, PUBLISHED, differences_of, score_of, standing_of
from histoloom.report.provenance import commit, data_digest, package_versions
from histoloom.report.rendering import render, restructured

REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATE = REPOSITORY / "workflow" / "report" / "front_page.html.j2"
PACKAGES = ("torch", "torchvision", "monai", "snakemake", "numpy", "scikit-image")
PICTURE_BYTES = 1_600_000  # of all pictures together: in base64 a third more, and the page stays under 3 MB


def main() -> None:
    arguments = parse()
    check_headline(arguments.metric)
    config_text = arguments.config.read_text(encoding="utf-8")
    config = yaml.safe_load(config_text)
    sections = with_flattery([read_section(place, arguments, config) for place in range(len(arguments.datasets))])
    page = render(
        TEMPLATE,
        study=arguments.study,
        metric=arguments.metric,
        class_name=arguments.class_name,
        fewest_groups=FEWEST_GROUPS,
        matrix=matrix(sections),
        sections=sections,
        seed=config["study"]["seed"],
        commit=commit(REPOSITORY),
        versions=package_versions(PACKAGES),
        config=config_text,
    )
    write_text(arguments.front, restructured(arguments.study, page))


def check_headline(metric: str) -> None:
    """Refuse a metric of which the highest value is not the best, since the page names the highest first."""
    if not has_better_side(metric) or is_lower_better(metric):
        raise InputError(
            f"report.headline_metric: {metric}, of which more is not better; expected a metric that grows with "
            "quality, such as dice or pq; choose one (all others stay in the tables)"
        )


def read_section(place: int, arguments: argparse.Namespace, config: dict[str, Any]) -> Section:
    """Read all that belongs to one dataset; which table or picture does is told by its column or its path."""
    description = read_description(arguments.datasets[place])
    name, headline = description.name, (arguments.metric, arguments.class_name)
    summary = rows_of(arguments.summary, name)
    indexes = under(arguments.indexes, name, -3)
    tables = [*under(arguments.findings, name, -3), *under(arguments.findings, name, -4)]
    findings = [row for table in tables for row in read_table(table)]
    findings += [asdict(tuned_once(model)) for model in arguments.tuned_once if model.startswith(f"{name}/")]
    return section(
        description,
        [score_of(row) for row in summary],
        differences_of(of_headline(rows_of(arguments.comparison, name), headline)),
        headline,
        place=place,
        standings=[standing_of(row) for row in of_headline(rows_of(arguments.ranking, name), headline)],
        costs=[cost_of(row) for row in rows_of(arguments.costs, name)],
        lower_is_better=lower_metrics(summary),
        findings=[*findings, *shared_pictures(name, arguments.duplicates)],
        warnings=warnings_of(config["datasets"][name]),
        diverged={row["architecture"]: row["diverged"] for row in summary if row["diverged"]},
        skipped_steps=skipped_steps(under(arguments.history, name, -4)),
        pictures={one.stem.removeprefix("examples_"): one for one in under(arguments.examples, name, -3)},
        picture_bytes=PICTURE_BYTES // len(arguments.datasets),
        digest=data_digest(read_table(indexes[0])) if indexes else None,
        raw_digest=config["raw_data"][name],
    )


def rows_of(tables: Sequence[Path], dataset: str) -> list[dict[str, str]]:
    return [row for table in tables for row in read_table(table) if row["dataset"] == dataset]


def of_headline(rows: Sequence[Mapping[str, str]], headline: tuple[str, str]) -> list[Mapping[str, str]]:
    return [row for row in rows if (row["metric"], row["class"]) == headline]


def under(paths: Sequence[Path], dataset: str, part: int) -> list[Path]:
    """Those paths of which the given part, counted from the end, is the dataset."""
    return [path for path in paths if len(path.parts) >= -part and path.parts[part] == dataset]


def lower_metrics(summary: Sequence[Mapping[str, str]]) -> set[str]:
    """Metrics of the table that are better when small; a published one may be none of ours."""
    return {name for name in {row["metric"] for row in summary if row["kind"] != PUBLISHED} if is_lower_better(name)}


def shared_pictures(dataset: str, duplicates: Sequence[Path]) -> list[dict[str, str]]:
    found = [finding for table in duplicates for finding in shared_images(dataset, read_table(table))]
    return [asdict(finding) for finding in found]


def tuned_once(model: str) -> Finding:
    return Finding(
        "warning",
        "tuned_once",
        model.rpartition("/")[2],
        "values were sought in fold 0 for all folds (tune.folds: first), so on images that test others; it flatters",
    )


def warnings_of(dataset: Mapping[str, Any]) -> list[str]:
    said = [f"Every score of this dataset is {dataset['remark']}."] if "remark" in dataset else []
    if dataset["split"]["validation"] != "images":
        return said
    return [
        *said,
        "Validation images were drawn within groups: patients may be in training and validation at once, so the "
        "validation scores that chose the weights are optimistic. Test images are untouched by this.",
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    some = {"type": Path, "nargs": "+", "required": True}
    any_number = {"type": Path, "nargs": "*", "default": []}
    add("--study", required=True, metavar="NAME", help="name of the study, the title of the page")
    add("--summary", **some, metavar="CSV", help="summary tables, one per dataset")
    add("--comparison", **some, metavar="CSV", help="comparisons, one per dataset")
    add("--ranking", **any_number, metavar="CSV", help="rankings, one per dataset")
    add("--costs", **any_number, metavar="CSV", help="tables of costs, one per dataset")
    add("--history", **any_number, metavar="CSV", help="<dataset>/<architecture>/fold<k>/history.csv")
    add("--examples", **any_number, metavar="PNG", help="<dataset>/figures/examples_<model>.png")
    add("--findings", **any_number, metavar="CSV", help="tables in <dataset>/inspection/ or <dataset>/fold<k>/<step>/")
    add("--duplicates", **any_number, metavar="CSV", help="pictures that datasets share")
    add("--datasets", **some, metavar="JSON", help="dataset.json of each dataset")
    add("--indexes", **any_number, metavar="CSV", help="<dataset>/prepared/index.csv, for digests")
    add("--tuned-once", nargs="*", default=[], metavar="NAME", help="dataset/model whose values fold 0 chose for all")
    add("--metric", required=True, metavar="NAME", help="headline metric; it must grow with quality")
    add("--class", dest="class_name", required=True, metavar="NAME", help="class of the headline metric")
    add("--config", type=Path, required=True, metavar="YAML", help="the resolved config, shown as it is")
    add("--front", type=Path, required=True, metavar="RST", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
