"""The card of one model on one dataset: what it is for, what it was made of, how good it is, and what nobody tested.

Source of the form: Mitchell et al. 2019, Model cards for model reporting, FAT* 2019.
"""

import shlex
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from histoloom.report.cards.card_blocks import Block, Card, Code, Items, Part, Text
from histoloom.report.cards.card_making import data_part, provenance_part, training_part
from histoloom.report.cards.card_scores import (
    comparison_part,
    costs_part,
    scores_part,
    spread_part,
    strata_part,
    summary_sentences,
)
from histoloom.report.cards.card_sources import CardSources
from histoloom.report.front.front_page import weakest_class
from histoloom.report.front.verdict import FEWEST_GROUPS, too_few
from histoloom.report.rendering import number
from histoloom.study.stages.predict import Predict

SPARSE = 0.95  # below this share of annotated pixels, what lies between is unknown
LICENCE = "other"  # of weights: whoever publishes them has to say; it may hang on the data's


def model_card(sources: CardSources) -> Card:
    """Write the card; all that it says is taken from `sources`."""
    return Card(
        title=f"{sources.architecture} on {sources.dataset}",
        about=(
            f"A histoloom model that segments H&E images into {', '.join(sources.description.classes)}. "
            f"Architecture {sources.architecture}, trained on {sources.dataset}. For research only: no medical device."
        ),
        parts=(
            Part("In short", tuple(_in_short(sources))),
            Part("Intended use", (_intended(sources),)),
            Part("Not intended", (_not_intended(sources),)),
            Part("Limits: what was not tested", (Items(tuple(_limits(sources))),)),
            data_part(sources),
            training_part(sources),
            scores_part(sources),
            comparison_part(sources),
            strata_part(sources),
            spread_part(sources),
            costs_part(sources),
            Part("How to run it", tuple(_running(sources))),
            provenance_part(sources),
        ),
        matter=_matter(sources),
    )


def _in_short(sources: CardSources) -> Iterator[Block]:
    yield from (Text(sentence) for sentence in summary_sentences(sources))
    score = sources.main_score
    if score and score.groups < FEWEST_GROUPS:
        yield Text(f"Too few groups to judge by: {too_few(score.groups)}.", is_note=True)
    if sources.diverged:
        yield Text("Training diverged on some folds: see Training.", is_note=True)
    yield from (Text(warning, is_note=True) for warning in sources.description.warnings)


def _intended(sources: CardSources) -> Items:
    return Items(
        (
            "Research, and nothing else.",
            f"Segmenting {', '.join(sources.foreground)} in H&E images like those of {sources.dataset}: the same kind "
            f"of tissue, staining and scanner, at the same resolution ({sources.mpp}).",
            "Comparing methods on this dataset; a first draft of an annotation that a pathologist then corrects.",
            "Measuring areas or counts in a study that states the errors given here.",
        )
    )


def _not_intended(sources: CardSources) -> Items:
    return Items(
        (
            "Diagnosis, prognosis, or any decision about a patient: this is no medical device, and nobody validated it "
            "as one.",
            "Other stains (immunohistochemistry, special stains), fluorescence, cytology, other species.",
            "Images of another laboratory or scanner, without scoring some of them first: scripts/score.py does that.",
            "Use that the licence of the data does not allow "
            f"({sources.description.licence or 'it is not stated'}). The licence of the weights is for whoever "
            "publishes them to state.",
        )
    )


def _limits(sources: CardSources) -> Iterator[str]:
    yield "No scanner, laboratory, stain or species but those of the dataset was tested."
    strata = ", ".join(sources.tested_strata)
    yield f"Tested on: {strata}; on nothing else." if strata else "Which tissues the test images are of is not stated."
    if sources.mpp == "not stated":
        yield "The images do not state their resolution, so how results change with it is not known."
    else:
        yield f"No resolution but that of the images was tested: {sources.mpp}."
    if sources.annotated_share < SPARSE:
        yield (
            f"Annotation is sparse: {sources.annotated_share:.0%} of the pixels. On the others the model is neither "
            f"{'chosen' if _is_rounded(sources) else 'trained'} nor scored, so borders and what lies between annotated "
            "places are unknown."
        )
    if _is_rounded(sources):
        yield (
            "Trained in rounds of semi-ground truth: pixels that models labelled were learnt from beside people's, so "
            "errors of those models may have been learnt too. They chose nothing, and no score is taken of them."
        )
    yield from _data_limits(sources)
    weakest = weakest_class(sources.mine, sources.main_score, sources.description.classes)
    if weakest and weakest.mean is not None:
        yield f"Weakest class: {weakest.class_name}, with {weakest.metric} {number(weakest.mean)}."
    lost = [score.class_name for score in sources.mine if score.metric == sources.headline[0] and score.mean is None]
    if lost:
        yield f"{sources.headline[0]} is undefined for {', '.join(lost)}: no test image has what it needs."


def _is_rounded(sources: CardSources) -> bool:
    return bool(sources.values("rounds").get("count"))


def _data_limits(sources: CardSources) -> Iterator[str]:
    groups = len({row["group"] for row in sources.index})
    if groups < FEWEST_GROUPS:
        yield f"All images are of {groups} group{'s' if groups > 1 else ''}: {too_few(groups)}."
    if groups == len(sources.index):
        yield "Each image is a group of its own: if some are of one patient, scores are too good, intervals too narrow."
    if sources.values("split")["validation"] == "images":
        yield (
            "Validation images were drawn within groups, so validation scores (not test scores) are too good: patients "
            "may be in training and validation at once."
        )
    if sources.description.skipped:
        yield f"{sources.description.skipped} problems left raw files out: what is scored is not all that there was."
    if not sources.description.has_instances:
        yield "The truth does not tell one nucleus from the next, so how well nuclei are parted was not scored."


def _running(sources: CardSources) -> Iterator[Block]:
    model = f"{sources.dataset}/{sources.architecture}"
    mpp = (
        ""
        if sources.mpp != "not stated"
        else "\n  model_mpp: MPP  # µm per pixel of the training images, which do not state it"
    )
    yield Text(
        "On slides and images of your own, into QuPath (docs/slides.md): write this file, say mine.yaml, and run it "
        "over the study that trained the model. The best fold predicts; slides.fold: all takes the mean of all folds."
    )
    yield Code(f'slides:\n  files: ["/data/slides/*.svs"]\n  model: {model}{mpp}', "yaml")
    yield Code("snakemake --configfile STUDY.yaml mine.yaml", "sh")
    if sources.values("normalise")["method"] != "none":
        yield Text(
            "This model learnt images that were normalised to one stain. The command above does that by itself; in "
            "Python it has to be done first, see scripts/normalise_images.py.",
            is_note=True,
        )
    yield Text("In Python, from the folder of histoloom, with all folds as an ensemble:")
    yield Code(_python(sources), "python")
    yield Text(
        "As the test images of fold 0 were predicted (scripts/predict_images.py --help says what each flag means):"
    )
    yield Code(_command(sources), "sh")


def _python(sources: CardSources) -> str:
    values = sources.values("predict")
    names = ("overlap", "window", "batch_size", "precision", "window_px", "tta")
    settings = ", ".join(f"{name}={values[name]!r}" for name in names)
    return f"""import sys
from pathlib import Path

import torch

sys.path.insert(0, "scripts")
from histoloom.formats.images import read_image
from histoloom.predict.engine.engine import Engine, EngineSettings
from histoloom.predict.engine.ensemble import load_ensemble
from histoloom.predict.inference import predict_image

models = sorted(Path("results/{sources.dataset}/{sources.architecture}").glob("fold*/model.safetensors"))
networks, card = load_ensemble(models)
settings = EngineSettings({settings})
engine = Engine(networks, card, settings, torch.device("cpu"))
probabilities, maps = predict_image(engine, read_image(Path("image.png")))
classes = probabilities.argmax(axis=2)  # indices into card["classes"]"""


def _command(sources: CardSources) -> str:
    wildcards = SimpleNamespace(dataset=sources.dataset, architecture=sources.architecture, fold="0")
    words = [shlex.quote(word) for word in Predict(sources.config).flags(wildcards)]
    folder, fold = f"results/{sources.dataset}", f"results/{sources.dataset}/{sources.architecture}/fold0"
    return " \\\n    ".join(
        [
            "python scripts/predict_images.py",
            f"--model {fold}/model.safetensors",
            f"--index {folder}/prepared/index.csv --folds {folder}/folds.csv --fold 0 --part test",
            " ".join(words),
            "--probabilities probabilities --maps maps --cost cost.json",
        ]
    )


def _matter(sources: CardSources) -> dict[str, Any]:
    """The front matter, by the keys that the Hugging Face hub reads, and under "histoloom" what tells runs apart."""
    metric, class_name = sources.headline
    score = sources.main_score
    result = {
        "task": {"type": "image-segmentation"},
        "dataset": {"type": sources.dataset, "name": sources.dataset},
        "metrics": [{"type": metric, "name": f"{metric} of {class_name}", "value": score.mean}] if score else [],
    }
    return {
        "license": LICENCE,
        "library_name": "pytorch",
        "pipeline_tag": "image-segmentation",
        "tags": ["histopathology", "h-and-e", "segmentation", "histoloom"],
        "metrics": [metric],
        "model-index": [{"name": f"{sources.architecture} on {sources.dataset}", "results": [result]}],
        "histoloom": {
            "dataset": sources.dataset,
            "architecture": sources.architecture,
            "classes": list(sources.description.classes),
            "licence_of_data": sources.description.licence,
            "commit": sources.commit,
            "prepared_images": sources.image_digest,
            "weights": dict(sources.weights),
        },
    }
