"""Row B10: what is wrong with a config, said before a job starts; and a headline that a dataset cannot give."""

from functools import partial
from pathlib import Path

import yaml

from tests.bad_input.case import BASE, CONFIG_CHECK, Case
from tests.bad_input.cases.masks import FIND, FOLDER, measured, three, without_stroma
from tests.bad_input.made_files import put

STUDY = (*CONFIG_CHECK, "study.yaml")
BREAST = "datasets:\n  demo_breast:\n    reader: brecahad\n    root: data\n"


def study(text: str) -> None:
    """A study upon the default config, whose data is there."""
    for dataset in yaml.safe_load(BASE.read_text(encoding="utf-8"))["datasets"].values():
        Path(dataset["root"]).mkdir(parents=True, exist_ok=True)
    Path("data").mkdir(exist_ok=True)
    put("study.yaml", text)


TEXTS = {
    "a key with a slip of the pen": "train:\n  lerning_rate: 0.001\n",
    "a section with a slip of the pen": "trian:\n  epochs: 3\n",
    "an architecture that there is not": "study:\n  architectures: [unet_smal]\n",
    "a network that there is not": "architectures:\n  mine: {network: unett}\n",
    "a number that YAML takes for a text": "train:\n  learning_rate: 1e-3\n",
    "a key that stands twice": "train:\n  epochs: 3\n  epochs: 30\n",
    "a bracket that is not closed": "train:\n  epochs: 3\n  class_weights: [1, 2\nstudy: {}\n",
    "a tab": "train:\n\tepochs: 3\n",
    "words instead of a config": "please train a network\n",
    "a folder of data that is not there": BREAST.replace("root: data", "root: data/brest"),
    "an option that the reader does not have": BREAST + "    options: {radius: 3}\n",
    "too few folds": BREAST + "    split: {fold_count: 2}\n",
    "more official folds than there are": "split: {scheme: official, fold_count: 5}\n",
    "a headline that is not evaluated": "report:\n  headline_metric: mcc\n",
    "a headline of which less is better": "report:\n  headline_metric: ece\n",
    "a loss that there is not": "train:\n  loss: 2*bce + dise\n",
    "a value sought that there is not": "tune:\n  trials: 5\n  space:\n    train.lerning_rate: [0.1, 0.2]\n",
    "post-processing sought by training": "tune:\n  space:\n    predict.min_area_px: [10, 20]\n",
    "a range beyond what training takes": "tune:\n  space:\n    augment.scale: {low: 0.0, high: 9.0}\n",
    "trials that have nothing to try": "tune:\n  trials: 5\n",
    "an option that the optimiser does not have": "train:\n  optimiser_options: {momentum: 0.9}\n",
    "an option sought that one of the optimisers sought does not have": (
        "tune:\n  space:\n    train.optimiser: [sgd, adam]\n    train.optimiser_options.momentum: [0.8, 0.9]\n"
    ),
    "weights sought that may all be 0": (
        "train:\n  loss: dice\ntune:\n  space:\n    train.loss.dice: {low: 0.0, high: 2.0}\n"
    ),
    "an option of a pruner beyond its bounds": (
        "tune:\n  pruner: hyperband\n  pruner_options: {reduction_factor: 1}\n"
    ),
    "more workers than trials": "tune:\n  trials: 2\n  workers: 4\n  space:\n    train.batch_size: [4, 8]\n",
    "a tile size that no network takes": "tiles:\n  tile_px: 100\n",
    "yes instead of true": "augment:\n  flip: yes\n",
    "nothing after a key": "train:\n",
    "six problems at once": (
        "train:\n  flip: yes\n  epochs: 0\n  batch_size: 8.0\n  loss: dise\n"
        "study:\n  datasets: [demo]\nprepare: {on_bad_image: stopp}\n"
    ),
}
HEADLINES = {
    "a headline of nuclei where a dataset has none": ("pq", "foreground"),
    "a headline of a class with a slip of the pen": ("dice", "necrossis"),
    "a headline of a class that no image has": ("dice", "stroma"),
    "a headline of a class, by a metric that knows none": ("accuracy", "stroma"),
}


def headline_case(name: str, metric: str, class_name: str) -> Case:
    """What is found right after the inspection, since a config does not say which classes and nuclei the data has."""
    words = ("check_headline.py", "--metric", metric, "--class", class_name)
    return Case("B10", name, partial(three, without_stroma()), words, before=(FOLDER, FIND, measured))


CASES = [
    *(
        Case("B10", name, partial(study, text), STUDY, as_process=name == "a key with a slip of the pen")
        for name, text in TEXTS.items()
    ),
    Case("B10", "a config that is not there", partial(study, "{}\n"), (*CONFIG_CHECK, "studies/mine.yaml")),
    Case(
        "B10",
        "a value of the command line",
        partial(study, "{}\n"),
        (*STUDY, "--config", "train={epochs: '-1'}"),
    ),
    *(headline_case(name, *of) for name, of in HEADLINES.items()),
]
