"""Write the card of one model on one dataset, as a page and as Markdown that can be published with the weights."""

import argparse
from pathlib import Path

import yaml

from histoloom.errors import run
from histoloom.evaluate.tables.divergence import diverged_folds
from histoloom.files import sha256, write_text
from histoloom.prepared import read_description, read_table
from histoloom.report.cards.card_blocks import markdown
from histoloom.report.cards.card_sources import CardSources
from histoloom.report.cards.model_card import model_card
from histoloom.report.front.verdict import differences_of, score_of
from histoloom.report.provenance import commit, data_digest, package_versions
from histoloom.report.rendering import render

REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATE = REPOSITORY / "workflow" / "report" / "model_card.html.j2"
PACKAGES = ("torch", "torchvision", "numpy", "opencv-python-headless")


def main() -> None:
    arguments = parse()
    card = model_card(read_sources(arguments))
    write_text(arguments.markdown, markdown(card))
    write_text(arguments.html, render(TEMPLATE, card=card))


def read_sources(arguments: argparse.Namespace) -> CardSources:
    config = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    headline = (config["report"]["headline_metric"], config["report"]["headline_class"])
    compared = [row for row in read_table(arguments.comparison) if (row["metric"], row["class"]) == headline]
    index = read_table(arguments.index)
    return CardSources(
        architecture=arguments.architecture,
        description=read_description(arguments.dataset),
        config=config,
        index=index,
        folds=read_table(arguments.folds),
        measures=read_table(arguments.measures),
        scores=[score_of(row) for row in read_table(arguments.summary)],
        differences=differences_of(compared),
        strata=read_table(arguments.strata),
        spread=read_table(arguments.fold_spread),
        costs=read_table(arguments.costs),
        histories={fold_of(path): read_table(path) for path in arguments.history},
        diverged=diverged_folds(arguments.history).get(arguments.architecture, []),
        weights={f"fold{fold_of(path)}/{path.name}": sha256(path) for path in arguments.model},
        image_digest=data_digest(index),
        commit=commit(REPOSITORY),
        versions=package_versions(PACKAGES),
    )


def fold_of(path: Path) -> int:
    """The number in <architecture>/fold<k>/<file>."""
    return int(path.parent.name.removeprefix("fold"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    table = {"type": Path, "required": True, "metavar": "CSV"}
    parser.add_argument("--architecture", required=True, metavar="NAME", help="the model's architecture in the study")
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json")
    parser.add_argument("--index", **table, help="index.csv of the prepared dataset")
    parser.add_argument("--folds", **table, help="folds.csv")
    parser.add_argument("--measures", **table, help="inspection/images.csv")
    parser.add_argument("--summary", **table, help="means with intervals")
    parser.add_argument("--comparison", **table, help="paired differences")
    parser.add_argument("--strata", **table, help="means of each stratum")
    parser.add_argument("--fold-spread", **table, help="how far the folds' means lie apart")
    parser.add_argument("--costs", **table, help="time, memory, parameters")
    parser.add_argument("--history", **table, nargs="+", help="history.csv of each fold of the model")
    parser.add_argument("--model", type=Path, required=True, nargs="+", metavar="PT", help="weights of each fold")
    parser.add_argument("--config", type=Path, required=True, metavar="YAML", help="the resolved config of the study")
    parser.add_argument("--markdown", type=Path, required=True, metavar="MD", help="card to write, for a model hub")
    parser.add_argument("--html", type=Path, required=True, metavar="HTML", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
