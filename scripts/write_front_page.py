"""Write the front page of the report as reStructuredText with one block of HTML."""

import argparse
from dataclasses import asdict
from pathlib import Path

import yaml

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.prepare.duplicates.findings import shared_images
from histoloom.prepared import read_description, read_table
from histoloom.report.front_page import Section, render, restructured, section
from histoloom.report.provenance import commit, data_digest, package_versions
from histoloom.report.verdict import FEWEST_GROUPS, difference_of, score_of

REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATE = REPOSITORY / "workflow" / "report" / "front_page.html.j2"
PACKAGES = ("torch", "torchvision", "monai", "snakemake", "numpy", "scikit-image")
PICTURE_BYTES = 1_600_000  # of all pictures together: in base64 a third more, and the page stays under 3 MB


def main() -> None:
    arguments = parse()
    config_text = arguments.config.read_text(encoding="utf-8")
    config = yaml.safe_load(config_text)
    page = render(
        TEMPLATE,
        study=arguments.study,
        metric=arguments.metric,
        class_name=arguments.class_name,
        fewest_groups=FEWEST_GROUPS,
        sections=[read_section(path, arguments, config) for path in arguments.datasets],
        seed=config["study"]["seed"],
        commit=commit(REPOSITORY),
        versions=package_versions(PACKAGES),
        config=config_text,
    )
    write_text(arguments.front, restructured(arguments.study, page))


def read_section(path: Path, arguments: argparse.Namespace, config: dict) -> Section:
    """Read all that belongs to one dataset; which table or picture does is told by its column or its path."""
    description = read_description(path)
    headline = (arguments.metric, arguments.class_name)
    scores = [score_of(row) for row in rows_of(arguments.summary, description.name)]
    differences = [
        difference_of(row)
        for row in rows_of(arguments.comparison, description.name)
        if (row["metric"], row["class"]) == headline
    ]
    indexes = [one for one in arguments.indexes if one.parts[-3] == description.name]
    return section(
        description,
        scores,
        differences,
        headline,
        findings=[
            *(row for one in arguments.findings if one.parts[-3] == description.name for row in read_table(one)),
            *shared_pictures(description.name, arguments.duplicates),
        ],
        warnings=[
            *warnings_of(config["datasets"][description.name], description.skipped),
            *divergences(rows_of(arguments.summary, description.name)),
        ],
        pictures={
            one.stem.removeprefix("examples_"): one for one in arguments.examples if one.parts[-3] == description.name
        },
        picture_bytes=PICTURE_BYTES // len(arguments.datasets),
        digest=data_digest(read_table(indexes[0])) if indexes else None,
        raw_digest=config["raw_data"][description.name],
    )


def rows_of(tables: list[Path], dataset: str) -> list[dict[str, str]]:
    return [row for table in tables for row in read_table(table) if row["dataset"] == dataset]


def shared_pictures(dataset: str, duplicates: list[Path]) -> list[dict[str, str]]:
    found = [finding for table in duplicates for finding in shared_images(dataset, read_table(table))]
    return [asdict(finding) for finding in found]


def warnings_of(dataset: dict, skipped: int) -> list[str]:
    warnings = []
    if skipped:
        warnings.append(
            f"For {skipped} problem{'s' if skipped > 1 else ''} raw files were left out of all that follows; the "
            "inspection page names them."
        )
    if dataset["split"]["validation"] == "images":
        warnings.append(
            "Validation images were drawn within groups: patients may be in training and validation at once, so the "
            "validation scores that chose the weights are optimistic. Test images are untouched by this."
        )
    return warnings


def divergences(summary: list[dict[str, str]]) -> list[str]:
    found = {row["architecture"]: row["diverged"].split() for row in summary if row["diverged"]}
    return [
        f"{architecture} diverged in training on fold{'s' if len(folds) > 1 else ''} {', '.join(folds)}: loss or "
        "gradient became no number, and its scores there are of the weights before."
        for architecture, folds in found.items()
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, metavar="NAME", help="name of the study, the title of the page")
    add("--summary", type=Path, nargs="+", required=True, metavar="CSV", help="summary tables, one per dataset")
    add("--comparison", type=Path, nargs="+", required=True, metavar="CSV", help="comparisons, one per dataset")
    add("--examples", type=Path, nargs="*", default=[], metavar="PNG", help="<dataset>/figures/examples_<model>.png")
    add("--findings", type=Path, nargs="*", default=[], metavar="CSV", help="tables in <dataset>/inspection/")
    add("--duplicates", type=Path, nargs="*", default=[], metavar="CSV", help="pictures that datasets share")
    add("--datasets", type=Path, nargs="+", required=True, metavar="JSON", help="dataset.json of each dataset")
    add("--indexes", type=Path, nargs="*", default=[], metavar="CSV", help="<dataset>/prepared/index.csv, for digests")
    add("--metric", required=True, metavar="NAME", help="headline metric; it must grow with quality")
    add("--class", dest="class_name", required=True, metavar="NAME", help="class of the headline metric")
    add("--config", type=Path, required=True, metavar="YAML", help="the resolved config, shown as it is")
    add("--front", type=Path, required=True, metavar="RST", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
