"""A round through the real Snakefile: who saw what, which model is kept, and what a changed value trains again."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from histoloom.formats.images import read_mask
from histoloom.marks import is_marked
from histoloom.prepared import read_table
from histoloom.sample import IGNORE
from tests.rounds.sparse_case import STUDY, write_discs, write_study
from tests.study.test_snakemake import copy_workflow, snakemake

FOLD = "results/discs/tiny/fold0"
TARGET = f"{FOLD}/model.safetensors"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the workflow in which a fold's model was trained in rounds."""
    folder = copy_workflow(tmp_path_factory.mktemp("rounds"))
    write_discs(folder / "data" / "discs")
    write_study(folder)
    ended = snakemake(folder, "--cores", "2", "--configfile", "study.yaml", "--", TARGET)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    yield folder
    shutil.rmtree(folder)


def parts_of(path) -> dict[tuple[int, str], set[str]]:
    found: dict[tuple[int, str], set[str]] = {}
    for row in read_table(path):
        found.setdefault((int(row["fold"]), row["part"]), set()).add(row["name"])
    return found


def planned(folder, study: dict) -> list[str]:
    write_study(folder, **study)
    ended = snakemake(folder, "-n", "--configfile", "study.yaml", "--", TARGET)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return sorted(set(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):$", ended.stdout + ended.stderr, re.MULTILINE)))


def test_each_part_was_predicted_by_a_model_that_had_not_seen_it(finished):
    outer, parts = (parts_of(finished / path) for path in ("results/discs/folds.csv", f"{FOLD}/rounds/parts.csv"))
    for number in (0, 1):
        predicted = finished / FOLD / "rounds" / "round0" / f"part{number}" / "probabilities"
        assert {path.stem for path in predicted.glob("*.npy")} == parts[number, "test"]
        assert parts[number, "train"] == outer[0, "train"] - parts[number, "test"]
        assert parts[number, "val"] == outer[0, "val"]
    assert parts[0, "test"] | parts[1, "test"] == outer[0, "train"]


def test_a_round_has_masks_of_the_training_images_alone_with_peoples_pixels_as_they_were(finished):
    masks = {path.stem: read_mask(path) for path in (finished / FOLD / "rounds" / "round1" / "masks").glob("*.png")}
    assert set(masks) == parts_of(finished / "results/discs/folds.csv")[0, "train"]
    for name, mask in masks.items():
        drawn = read_mask(finished / "results" / "discs" / "prepared" / "masks" / f"{name}.png")
        assert (mask[drawn != IGNORE] == drawn[drawn != IGNORE]).all()
    assert sum(is_marked(mask).sum() for mask in masks.values()) > 0


def test_the_model_of_the_best_round_is_the_folds(finished):
    from safetensors.torch import load_file

    verdict = json.loads((finished / FOLD / "rounds" / "round1" / "verdict.json").read_text())
    assert not verdict["goes_on"]
    best = finished / FOLD / "rounds" / f"round{verdict['best']}"
    assert (finished / FOLD / "history.csv").read_text() == (best / "history.csv").read_text()
    kept, trained = load_file(finished / TARGET), load_file(best / "model.safetensors")
    assert all(kept[name].equal(trained[name]) for name in trained)
    scores = [max(float(row["val_score"]) for row in read_table(best.parent / f"round{number}" / "history.csv"))
              for number in (0, 1)]  # fmt: skip
    assert verdict["scores"] == scores
    assert verdict["best"] == scores.index(max(scores))


def with_rule(**values) -> dict:
    """Sections of the study with another rule of acceptance."""
    discs = STUDY["datasets"]["discs"]
    return {"datasets": {"discs": discs | {"rounds": discs["rounds"] | values}}}


def test_another_rule_accepts_anew_and_trains_no_model_of_round_0(finished):
    assert planned(finished, {}) == []
    assert planned(finished, with_rule(confidence=0.7)) == [
        "accept_pixels",
        "judge_round",
        "tiles_of_round",
        "train_round",
    ]


def test_why_tells_the_changed_rule_and_that_the_verdict_is_not_known(finished):
    write_study(finished, **with_rule(confidence=0.7))
    words = ["scripts/explain_rerun.py", "--configfile", "study.yaml", "--target", TARGET]
    done = subprocess.run([sys.executable, *words], cwd=finished, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("4 jobs would run, as far as is known now; when they last ran they took ")
    assert lines[1:] == [
        "",
        "Because",
        "  datasets.discs.rounds.confidence: 0.6 -> 0.7",
        "      accept_pixels: tiny on discs, round 1, fold 0",
        "",
        "And therefore",
        "      tiles_of_round 1, train_round 1, judge_round 1",
        "",
        "Known only when these have run; more jobs may follow, or fewer",
        "  whether another round follows, and which round's model is kept",
        "      judge_round: tiny on discs, round 1, fold 0",
    ]
