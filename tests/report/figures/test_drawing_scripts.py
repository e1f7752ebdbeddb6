"""The drawing scripts, from the files of earlier rules to figures and tables."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from histoloom.evaluate.counting.stored_counts import Counts, write_counts
from histoloom.formats.images import write_image, write_instances
from histoloom.prepared import INDEX_COLUMNS
from tests.scripts_run import outcome

SCRIPTS = Path(__file__).parents[3] / "scripts"
NAMES, MODELS, CLASSES = ("a", "b", "c"), ("unet", "fpn"), ("background", "tumour", "stroma")


def run(script, **flags):
    words = [str(SCRIPTS / f"{script}.py")]
    for flag, value in flags.items():
        words += [f"--{flag.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return outcome(words)


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def nuclei(shift=0):
    ids = np.zeros((32, 48), np.int32)
    ids[4:14, 4 + shift : 14 + shift], ids[18:28, 20 + shift : 30 + shift] = 5, 9
    return ids


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Three images of two nuclei, two folds; predictions lie further to the right from image to image."""
    root = tmp_path_factory.mktemp("results")
    prepared, index = root / "prepared", []
    rng = np.random.default_rng(0)
    for name in NAMES:
        write_image(prepared / "images" / f"{name}.png", rng.integers(120, 250, (32, 48, 3), dtype=np.uint8))
        write_image(prepared / "masks" / f"{name}.png", (nuclei() > 0).astype(np.uint8))
        write_instances(prepared / "instances" / f"{name}.png", nuclei())
        kinds = (("image", "images"), ("mask", "masks"), ("instances", "instances"))
        paths = {column: f"{folder}/{name}.png" for column, folder in kinds}
        size = {"name": name, "height": 32, "width": 48, "mpp": 0.25}
        index.append(dict.fromkeys(INDEX_COLUMNS, "") | paths | size)
    write_csv(prepared / "index.csv", index)
    facts = {"licence": "CC0", "citation": "", "facts": {}, "warnings": []}
    usual = {"name": "ds", "reader": "pannuke", "classes": CLASSES, "has_instances": True}
    (prepared / "dataset.json").write_text(json.dumps(usual | facts))
    for model in MODELS:
        for place, name in enumerate(NAMES):
            write_prediction(root / model / f"fold{place % 2}", name, 3 * place)
        for fold in (0, 1):
            names = [name for place, name in enumerate(NAMES) if place % 2 == fold]
            rows = [{"name": name, "id": number, "class": CLASSES[1]} for name in names for number in (5, 9)]
            write_csv(root / model / f"fold{fold}" / "nuclei.csv", rows)
    write_tables(root)
    return root


def write_prediction(folder, name, shift):
    write_image(folder / "regions" / f"{name}.png", (nuclei(shift) > 0).astype(np.uint8))
    write_instances(folder / "nuclei" / f"{name}.png", nuclei(shift))


def write_tables(root):
    common = {"dataset": "ds", "group": "", "stratum": "", "class": "foreground"}
    scores = [
        common | {"architecture": model, "fold": place % 2, "name": name, "dice": 1 - 0.3 * place, "hd95": 3 * place}
        for model in MODELS
        for place, name in enumerate(NAMES)
    ]
    write_csv(root / "scores.csv", scores)
    means = {("unet", "dice"): 0.7, ("fpn", "dice"): 0.6, ("unet", "hd95"): 3, ("fpn", "hd95"): 2}
    rows = [
        {"architecture": model, "kind": "model", "metric": metric, "class": "foreground", "mean": mean}
        for (model, metric), mean in means.items()
    ]
    write_csv(root / "summary.csv", rows)


def predictions(root, *models):
    folds = [root / model / f"fold{fold}" for model in models for fold in (1, 0)]
    paths = {"regions": "regions", "nuclei": "nuclei", "nuclei_table": "nuclei.csv"}
    return {flag: [fold / name for fold in folds] for flag, name in paths.items()}


def examples(root, folder, metric="dice"):
    outputs = {"figure": folder / "e.png", "pdf": folder / "e.pdf", "table": folder / "e.csv"}
    said = run(
        "draw_examples", scores=root / "scores.csv", architecture="unet", metric=metric, **{"class": "foreground"},
        index=root / "prepared" / "index.csv", dataset=root / "prepared" / "dataset.json", count=1,
        **predictions(root, "unet"), **outputs,
    )  # fmt: skip
    assert said == "done"
    return read_csv(folder / "e.csv")


def test_examples_are_drawn_and_listed(results, tmp_path):
    rows = examples(results, tmp_path)
    assert [(row["rank"], row["name"], row["folds"]) for row in rows] == [
        ("worst", "c", "0"),
        ("median", "b", "1"),
        ("best", "a", "0"),
    ]
    with Image.open(tmp_path / "e.png") as opened:
        assert opened.info["Description"].startswith("worst: c, dice (foreground) 0.400 (fold 0); median: b")
    assert (tmp_path / "e.pdf").read_bytes().startswith(b"%PDF")


def test_the_worst_example_by_a_distance_is_the_furthest(results, tmp_path):
    assert [row["name"] for row in examples(results, tmp_path, "hd95")] == ["c", "b", "a"]


def test_agreement_is_drawn_and_listed_of_the_same_images(results, tmp_path):
    examples(results, tmp_path)
    paths = predictions(results, "unet")
    del paths["nuclei_table"]
    outputs = {"figure": tmp_path / "m.png", "pdf": tmp_path / "m.pdf", "table": tmp_path / "m.csv"}
    index = results / "prepared" / "index.csv"
    assert run("draw_agreement", examples=tmp_path / "e.csv", index=index, **paths, **outputs) == "done"
    numbers = {(row["image"], row["of"], row["code"]): int(row["number"]) for row in read_csv(tmp_path / "m.csv")}
    # two squares of 10 x 10, moved by 0, 3 and 6 columns: shared 100, 70 and 40 each, IoU 1, 70/130 and 40/160
    for name, shared, found in (("a", 100, 2), ("b", 70, 2), ("c", 40, 0)):
        assert numbers[name, "pixels", "true positive"] == 2 * shared
        assert (
            numbers[name, "pixels", "false negative"] == numbers[name, "pixels", "false positive"] == 200 - 2 * shared
        )
        assert numbers[name, "nuclei", "found"] == found
        assert numbers[name, "nuclei", "missed"] == numbers[name, "nuclei", "false"] == 2 - found
    assert (tmp_path / "m.png").exists() and (tmp_path / "m.pdf").exists()


@pytest.mark.parametrize(("metric", "leader"), [("dice", "unet"), ("hd95", "fpn")])
def test_the_models_sheet_is_of_the_images_of_the_best_model(results, tmp_path, metric, leader):
    outputs = {"figure": tmp_path / "s.png", "table": tmp_path / "s.csv"}
    said = run(
        "draw_models_sheet", summary=results / "summary.csv", scores=results / "scores.csv", metric=metric,
        **{"class": "foreground"}, index=results / "prepared" / "index.csv",
        dataset=results / "prepared" / "dataset.json", count=1, **predictions(results, *MODELS), **outputs,
    )  # fmt: skip
    assert said == "done"
    rows = read_csv(tmp_path / "s.csv")
    assert [(row["rank"], row["image"], row["architecture"]) for row in rows[:3]] == [
        ("worst", "c", "unet"),
        ("worst", "c", "fpn"),
        ("median", "b", "unet"),
    ]
    assert not (tmp_path / "s.pdf").exists()


def test_a_fold_that_is_not_given_is_named(results, tmp_path):
    examples(results, tmp_path)
    said = run(
        "draw_agreement", examples=tmp_path / "e.csv", index=results / "prepared" / "index.csv",
        regions=[results / "unet" / "fold1" / "regions"], figure=tmp_path / "m.png", table=tmp_path / "m.csv",
    )  # fmt: skip
    assert "image 'c': was tested by fold 0, of which there are no regions; expected one of folds [1]" in said


def test_a_confusion_matrix_is_of_one_model(results, tmp_path):
    images = pd.DataFrame({"fold": [0], "name": ["a"], "group": ["a"], "stratum": [""]})
    for model in MODELS:
        facts = {"confusion": np.eye(3, dtype=np.int64)[None]}
        write_counts(tmp_path / f"{model}.npz", Counts("ds", model, images, facts))
    flags = {"dataset": results / "prepared" / "dataset.json", "figure": tmp_path / "c.png", "pdf": tmp_path / "c.pdf"}
    assert run("draw_confusion", counts=[tmp_path / "unet.npz"], **flags) == "done"
    assert (tmp_path / "c.png").exists() and (tmp_path / "c.pdf").exists()
    said = run("draw_confusion", counts=[tmp_path / f"{model}.npz" for model in MODELS], **flags)
    assert "counts of unet, fpn; expected those of one architecture" in said


def test_epochs_are_rendered_as_gif_and_webp(results, tmp_path):
    frames = tmp_path / "epochs"
    write_image(frames / "image.png", np.full((32, 64, 3), 200, np.uint8))
    for name, shift in (("truth", 0), ("epoch_001", 4), ("epoch_002", 2)):
        mask = np.zeros((32, 64), np.uint8)
        mask[8:20, 8 + shift : 20 + shift] = 1
        write_image(frames / f"{name}.png", mask)
    write_csv(tmp_path / "history.csv", [{"epoch": n, "val_score": n / 4, "best": 1} for n in (1, 2)])
    outputs = {"gif": tmp_path / "e.gif", "webp": tmp_path / "e.webp"}
    said = run(
        "render_epochs", frames=frames, history=tmp_path / "history.csv", dataset=results / "prepared" / "dataset.json",
        frames_per_second=2.5, hold_seconds=2, **outputs,
    )  # fmt: skip
    assert said == "done"
    for path, kind in ((outputs["gif"], "GIF"), (outputs["webp"], "WEBP")):
        with Image.open(path) as opened:
            assert (opened.format, opened.n_frames) == (kind, 2)
