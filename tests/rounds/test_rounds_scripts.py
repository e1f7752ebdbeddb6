"""The scripts of a round, one after the other, on discs of which the models know all and people drew two strokes."""

import json
import re
import shutil

import numpy as np
import pytest

from histoloom.files import write_json, write_table
from histoloom.formats.arrays import save_array
from histoloom.formats.images import read_mask, write_image
from histoloom.marks import is_marked, unmarked
from histoloom.prepare.duplicates.pairs import DUPLICATE_COLUMNS
from histoloom.prepared import INDEX_COLUMNS, read_table
from histoloom.sample import IGNORE
from histoloom.split.tiles import TileStore
from histoloom.train.history import HISTORY
from tests.rounds.sparse_case import PATIENTS, SIDE, disc
from tests.scripts_run import outcome

NAMES = [f"{patient}_{number}" for number, patient in enumerate(PATIENTS)]
PARTS = {"train": NAMES[:6], "val": NAMES[6:7], "test": NAMES[7:]}
RULE = ["--smoothing-px", "0", "--confidence", "0.9", "--agreement", "1", "--distance-px", "0", "--class-share", "1"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A prepared dataset, its folds, parts of the first fold's training images, and predictions by each part's model.

    They are perfect of the images that the part leaves out, and all wrong of the others, which no rule may look at.
    """
    root, truths = tmp_path_factory.mktemp("rounds"), {}
    facts = {"name": "discs", "reader": "folder", "classes": ["background", "tumour"], "has_instances": False}
    write_json(root / "dataset.json", facts | {"licence": "", "citation": "", "facts": {}, "warnings": []})
    rows, measures = [], []
    for number, name in enumerate(NAMES):
        image, truth, strokes = disc(number)
        write_image(root / "images" / f"{name}.png", image)
        write_image(root / "masks" / f"{name}.png", strokes)
        truths[name] = truth
        row = dict.fromkeys(INDEX_COLUMNS, "") | {"name": name, "image": f"images/{name}.png", "height": SIDE}
        rows.append(
            row | {"sha256": f"sha-{name}", "mask": f"masks/{name}.png", "width": SIDE, "group": PATIENTS[number]}
        )
        measures.append((name, *((strokes == index).sum() for index in (0, 1))))
    write_table(root / "index.csv", INDEX_COLUMNS, rows)
    write_table(root / "measures.csv", ("name", "pixels_0", "pixels_1"), measures)
    members = [(0, part, name, name[0]) for part, names in PARTS.items() for name in names]
    write_table(root / "folds.csv", ("fold", "part", "name", "group"), members)
    write_table(root / "duplicates.csv", DUPLICATE_COLUMNS, [])
    write_table(root / "near.csv", DUPLICATE_COLUMNS, [("discs", NAMES[0], "discs", NAMES[2], "near", 3, "none")])
    divide(root, "duplicates.csv", "parts.csv")
    left_out = {(row["fold"], row["name"]) for row in read_table(root / "parts.csv") if row["part"] == "test"}
    for part in map(str, range(6)):
        (root / f"known{part}").mkdir()
        for name, truth in truths.items():
            said = truth if (part, name) in left_out else 1 - truth
            save_array(root / f"known{part}/{name}.npy", np.stack([255 * (1 - said), 255 * said], 2).astype(np.uint8))
    accept(root, "round1")
    return root


def ran(root, script: str, *words: str) -> None:
    # What has a suffix or a folder is a path, and so is the folder of predictions.
    places = [str(root / word) if re.match(r"[a-z]\w*[./]|known", word) else word for word in words]
    assert outcome([f"scripts/{script}.py", *places]) == "done"


def divide(root, duplicates: str, table: str, parts: int = 3, near: str = "stop") -> None:
    ran(root, "divide_training", "--index", "index.csv", "--dataset", "dataset.json", "--measures", "measures.csv",
        "--duplicates", duplicates, "--near-duplicates", near, "--folds", "folds.csv", "--fold", "0", "--parts",
        str(parts), "--draws", "2", "--stratify", "classes", "--seed", "0", "--table", table)  # fmt: skip


def test_near_duplicates_are_twins_unless_somebody_looked_and_let_them_pass(root):
    # Three groups for three parts, one of them joined to another: too few, so single pictures are dealt.
    dealt_by = {}
    for near in ("stop", "join", "warn"):
        divide(root, "near.csv", f"{near}.csv", near=near)
        table = read_table(root / f"{near}.csv")
        dealt_by[near] = {row["dealt_by"] for row in table}
        if near != "warn":
            twins = [[row["fold"] for row in table if (row["part"], row["name"]) == ("test", name)]
                     for name in (NAMES[0], NAMES[2])]  # fmt: skip
            assert twins[0] == twins[1]
    assert dealt_by == {"stop": {"image"}, "join": {"image"}, "warn": {"group"}}


def accept(root, to: str, *before: str, rule: list[str] = RULE) -> None:
    (root / to).mkdir(exist_ok=True)
    ran(root, "accept_pixels", "--index", "index.csv", "--dataset", "dataset.json", "--parts", "parts.csv",
        "--probabilities", *[f"known{part}" for part in range(6)], "--before", *before, *rule, "--masks", f"{to}/masks",
        "--drift", f"{to}/drift.csv")  # fmt: skip


def test_sure_models_fill_what_people_left_open_and_nothing_of_validation_and_test(root):
    assert sorted(path.stem for path in (root / "round1" / "masks").iterdir()) == PARTS["train"]
    for number, name in enumerate(PARTS["train"]):
        _, truth, strokes = disc(number)
        mask = read_mask(root / "round1" / "masks" / f"{name}.png")
        assert np.array_equal(mask[strokes != IGNORE], strokes[strokes != IGNORE])
        assert np.array_equal(unmarked(mask), truth)
        assert np.array_equal(is_marked(mask), strokes == IGNORE)


def test_the_drift_of_a_first_round_is_all_added_and_perfect_models_agree_with_people(root):
    rows = read_table(root / "round1" / "drift.csv")
    for row in rows:
        assert row["accepted"] == row["added"] == row["predicted"] != "0"
        assert (row["changed"], row["withdrawn"]) == ("0", "0")
        assert row["drawn"] == row["named"] == row["agreeing"]
        assert float(row["agreement_iou"]) == 1
    total = sum(int(row["drawn"]) + int(row["accepted"]) for row in rows)
    assert total == SIDE**2 * len(PARTS["train"])


def test_a_stricter_rule_withdraws_what_it_no_longer_accepts(root):
    far = [*RULE[:-4], "--distance-px", "3", "--class-share", "1"]
    accept(root, "round2", "round1/masks", rule=far)
    before, after = (read_table(root / number / "drift.csv") for number in ("round1", "round2"))
    for one, other in zip(before, after, strict=True):
        assert other["added"] == other["changed"] == "0"
        assert int(other["withdrawn"]) == int(one["accepted"]) - int(other["accepted"]) > 0


@pytest.mark.parametrize("downsample", [1, 2])
def test_tiles_of_a_round_have_accepted_pixels_in_training_images_and_peoples_pixels_everywhere(root, downsample):
    scale = ["--downsample", str(downsample), "--tile-px", "32", "--stride-px", "32"]
    ran(root, "make_tiles", "--index", "index.csv", *scale, "--images", "images.npy", "--masks", "drawn.npy",
        "--instances", "ids.npy", "--image-table", "images.csv", "--windows", "windows.csv")  # fmt: skip
    ran(root, "make_round_tiles", "--images", "images.npy", "--drawn", "drawn.npy", "--instances", "ids.npy",
        "--image-table", "images.csv", "--round-masks", "round1/masks", *scale, "--masks", "marked.npy",
        "--windows", "marked.csv")  # fmt: skip
    drawn, marked = (
        TileStore.open(root / "images.npy", root / masks, root / "ids.npy", root / "images.csv")
        for masks in ("drawn.npy", "marked.npy")
    )
    for name in NAMES:
        people = drawn.mask(name) != IGNORE
        assert np.array_equal(marked.mask(name)[people], drawn.mask(name)[people])
        rest = marked.mask(name)[~people]
        assert (is_marked(rest) if name in PARTS["train"] else rest == IGNORE).all()
    windows = {name: sum(row["name"] == name for row in read_table(root / "marked.csv")) for name in NAMES}
    assert all(windows[name] == (SIDE // downsample // 32) ** 2 for name in PARTS["train"])


def test_a_verdict_counts_the_rounds_and_the_page_shows_them(root):
    histories = [f"fold0/rounds/round{number}/history.csv" for number in (0, 1)]
    for path, score, steps in zip(histories, (0.5, 0.7), (3, 1200), strict=True):
        row = dict.fromkeys(HISTORY, 0) | {"val_score": score, "best": 1, "steps": steps}
        (root / path).parent.mkdir(parents=True)
        write_table(root / path, HISTORY, [row | {"epoch": epoch} for epoch in (1, 2)])
    place = root / "fold0" / "rounds" / "round1"
    shutil.copy(root / "round1" / "drift.csv", place)
    ran(root, "judge_round", "--history", *histories, "--count", "1", "--patience", "1",
        "--verdict", "fold0/rounds/round1/verdict.json")  # fmt: skip
    told = json.loads((place / "verdict.json").read_text())
    assert (told["round"], told["scores"], told["best"], told["goes_on"]) == (1, [0.5, 0.7], 1, False)
    ran(root, "write_rounds_page", "--architecture", "tiny", "--index", "index.csv", "--dataset", "dataset.json",
        "--verdict", "fold0/rounds/round1/verdict.json", "--drift", "fold0/rounds/round1/drift.csv",
        "--history", *histories, "--round-masks", "round1/masks", *RULE, "--parts", "3", "--draws", "2",
        "--weight", "0.5", "--examples", "2",
        "--figure", "rounds.png", "--html", "rounds.html")  # fmt: skip
    page = " ".join((root / "rounds.html").read_text().split())
    assert "were never used to choose a round, an epoch or a model" in page
    assert '<tr class="kept"><th scope="row">1, kept</th><td>0.7000</td><td>1,200</td><td>2,400</td>' in page
    assert '<th scope="row">0</th><td>0.5000</td><td>3</td><td>6</td>' in page
    assert "all rounds that rounds.count allows were done" in page
