"""A second annotation takes the form of a prediction, and is scored against the first as one."""

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest

from histoloom.evaluate.counting.stored_counts import read_counts
from histoloom.files import write_json, write_table
from histoloom.formats.images import read_instances, read_mask, write_image, write_instances
from histoloom.prepared import INDEX_COLUMNS
from tests.scripts_run import outcome

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Image a: one nucleus is alike; of the other the second annotator drew 4 of 6 px. Image b: one has one nucleus more.
FIRST = {"a": [[1, 1, 0, 0, 0], [0, 2, 2, 2, 0], [0, 2, 2, 2, 0]], "b": [[0, 0, 0], [0, 0, 1]]}
SECOND = {"a": [[1, 1, 0, 0, 0], [0, 2, 2, 0, 0], [0, 2, 2, 0, 0]], "b": [[1, 0, 0], [0, 0, 2]]}


def prepare(folder: Path, classes=("background", "nucleus"), lacks: str = "", copies: int = 1) -> None:
    """A prepared dataset of two images, of which a is in the test part of fold 0 and b in that of fold 1."""
    rows = []
    for name in FIRST:
        first, second = (np.array(each[name], np.int32) for each in (FIRST, SECOND))
        write_image(folder / "masks" / f"{name}.png", (first > 0).astype(np.uint8))
        write_instances(folder / "instances" / f"{name}.png", first)
        write_instances(folder / "second" / f"{name}.png", second)
        files = {"mask": f"masks/{name}.png", "instances": f"instances/{name}.png", "image": "none"}
        files["second_instances"] = "" if name == lacks else f"second/{name}.png"
        size = {"height": len(first), "width": len(first[0])}
        rows.append(dict.fromkeys(INDEX_COLUMNS, "") | {"name": name, "group": name} | files | size)
    write_table(folder / "index.csv", INDEX_COLUMNS, rows)
    facts = {"name": "lab", "reader": "made", "classes": classes, "has_instances": True}
    found = {"second_opinions_equal_to_truth": copies}
    write_json(folder / "dataset.json", {**facts, "licence": "", "citation": "", "facts": found, "warnings": []})
    folds = [(fold, "test" if fold == "ab".index(name) else "train", name, name) for fold in (0, 1) for name in FIRST]
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), folds)


def annotate(folder: Path, fold: int = 0) -> str:
    words = [str(SCRIPTS / "predict_annotator.py"), "--fold", str(fold), "--part", "test"]
    for flag, path in (("index", "index.csv"), ("dataset", "dataset.json"), ("folds", "folds.csv")):
        words += [f"--{flag}", str(folder / path)]
    out = folder / f"fold{fold}"
    words += ["--regions", str(out / "regions"), "--nuclei", str(out / "nuclei")]
    return outcome([*words, "--nuclei-table", str(out / "nuclei.csv")])


def test_a_fold_holds_the_second_annotation_of_its_test_images(tmp_path):
    prepare(tmp_path)
    assert annotate(tmp_path) == "done"
    out = tmp_path / "fold0"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "nuclei.csv",
        "nuclei/a.png",
        "regions/a.png",
    ]
    assert np.array_equal(read_instances(out / "nuclei" / "a.png"), SECOND["a"])
    assert np.array_equal(read_mask(out / "regions" / "a.png"), np.array(SECOND["a"]) > 0)
    with (out / "nuclei.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert rows == [["a", "1", "nucleus", "0.0", "0.5", "2", ""], ["a", "2", "nucleus", "1.5", "1.5", "4", ""]]
    assert tuple(header) == runpy.run_path(str(SCRIPTS / "postprocess_images.py"))["COLUMNS"]


def test_it_is_evaluated_as_a_prediction_is(tmp_path):
    prepare(tmp_path)
    for fold in (0, 1):
        assert annotate(tmp_path, fold) == "done"
        out = tmp_path / f"fold{fold}"
        words = [str(SCRIPTS / "evaluate_predictions.py"), "--fold", str(fold), "--part", "test"]
        for flag in ("index.csv", "dataset.json", "folds.csv"):
            words += [f"--{flag.partition('.')[0]}", str(tmp_path / flag)]
        for flag, path in (("regions", "regions"), ("nuclei", "nuclei"), ("nuclei-table", "nuclei.csv")):
            words += [f"--{flag}", str(out / path)]
        words += ["--dataset-name", "lab", "--architecture", "second_annotator", "--fact", "confusion", "pairs"]
        words += ["--boundary-tolerance-um", "2", "--detection-radius-um", "3", "--counts", str(out / "counts.npz")]
        assert outcome(words) == "done"
    (counts,) = read_counts([tmp_path / f"fold{fold}" / "counts.npz" for fold in (0, 1)], 2)
    assert counts.architecture == "second_annotator"
    assert counts.facts["confusion"].tolist() == [[[7, 0], [2, 6]], [[4, 1], [0, 1]]]
    # Image a: IoU 1 and 4 / 6. Image b: one pair, and one nucleus that the first annotator did not draw.
    assert counts.facts["pairs"][:, 1] == pytest.approx(np.array([[2, 0, 0, 1 + 4 / 6], [1, 1, 0, 1]]))


@pytest.mark.parametrize("fold", [0, 1])
def test_a_dataset_of_which_one_image_lacks_it_is_refused_in_every_fold(tmp_path, fold):
    prepare(tmp_path, lacks="b")
    message = annotate(tmp_path, fold)
    assert "lab: image 'b' has no second annotation (1 of 2 lack it); expected one of each" in message
    assert not (tmp_path / f"fold{fold}").exists()


def test_a_dataset_of_several_classes_is_refused(tmp_path):
    prepare(tmp_path, classes=("background", "tumour", "stroma"))
    assert "lab: 2 foreground classes, and second annotations have none; expected one class" in annotate(tmp_path)


def test_copies_of_the_truth_are_no_second_annotator(tmp_path):
    prepare(tmp_path, copies=2)
    assert "lab: all 2 second annotations equal the first; expected another person's" in annotate(tmp_path)


def test_a_second_annotation_of_another_size_is_refused(tmp_path):
    prepare(tmp_path)
    write_instances(tmp_path / "second" / "a.png", np.zeros((2, 2), np.int32))
    assert "a.png: 2 x 2 px; expected 3 x 5 px as its image" in annotate(tmp_path)
