"""A headline that a dataset cannot have is refused with what it can have, before anything is trained."""

import json

import pytest

from histoloom.errors import InputError
from histoloom.evaluate.headline import check_headline, headline_classes
from histoloom.files import write_json, write_table
from histoloom.plugins import names
from histoloom.prepared import Description
from tests.scripts_run import outcome

CLASSES = ("background", "stroma", "tumour")
PIXELS = {"background": 100, "stroma": 50, "tumour": 0}


def dataset(has_nuclei: bool = True) -> Description:
    return Description("lab", "folder", CLASSES, has_nuclei, "", "", {}, ())


@pytest.mark.parametrize("metric", names("metrics"))
def test_each_metric_can_be_taken_of_all_foreground(metric):
    assert "foreground" in headline_classes(metric, CLASSES)


@pytest.mark.parametrize(
    "metric, class_name", [("dice", "foreground"), ("dice", "mean"), ("pq", "stroma"), ("iou", "background")]
)
def test_what_the_dataset_has_is_taken(metric, class_name):
    check_headline(metric, class_name, dataset(), PIXELS)


@pytest.mark.parametrize(
    "metric, class_name, has_nuclei, message",
    [
        ("pq", "foreground", False, "report.headline_metric: pq is of single nuclei, which dataset 'lab' has not"),
        ("dice", "tumor", True, "report.headline_class: 'tumor', .* no dice; did you mean 'tumour'"),
        ("accuracy", "stroma", True, "'stroma', of which dataset 'lab' has no accuracy; .*all, foreground"),
        ("pq", "background", True, "'background', of which dataset 'lab' has no pq"),
        ("dice", "tumour", True, "'tumour' has no pixel in any image of dataset 'lab'; expected some"),
    ],
)
def test_what_it_does_not_have_is_refused(metric, class_name, has_nuclei, message):
    with pytest.raises(InputError, match=message):
        check_headline(metric, class_name, dataset(has_nuclei), PIXELS)


def test_background_alone_has_no_foreground():
    with pytest.raises(InputError, match="'foreground' has no pixel in any image"):
        check_headline("dice", "foreground", dataset(), dict.fromkeys(CLASSES, 0) | {"background": 9})


def test_the_script_writes_what_can_be_chosen(tmp_path):
    fields = {"name": "lab", "reader": "folder", "classes": CLASSES, "has_instances": False}
    write_json(
        tmp_path / "dataset.json", fields | {"licence": "", "citation": "", "facts": {}, "warnings": [], "skipped": 0}
    )
    write_table(tmp_path / "classes.csv", ("class", "pixels"), PIXELS.items())
    flags = {"dataset": "dataset.json", "classes": "classes.csv", "headline": "headline.json"}
    words = [word for flag, name in flags.items() for word in (f"--{flag}", str(tmp_path / name))]
    assert outcome(["scripts/check_headline.py", *words, "--metric", "dice", "--class", "mean"]) == "done"
    written = json.loads((tmp_path / "headline.json").read_text())
    assert written == {"metric": "dice", "class": "mean", "choices": ["foreground", "mean", *CLASSES]}
    assert outcome(["scripts/check_headline.py", *words, "--metric", "pq", "--class", "mean"]).startswith("error: ")
