"""What is promised of a study is missed where it is missing: files, scores, rows and words."""

import pytest
import yaml
from PIL import Image

from tests.studies import run_studies
from tests.studies.promised import PROMISED
from tests.studies.promises import above, animations, files, restarts, rows, scores, versions, words
from tests.studies.run_studies import ROOT, STUDIES

SUMMARY = "architecture,metric,class,mean\nunet,dice,foreground,0.5\nunet,pq,foreground,\nunet,iou,foreground,nan\n"


@pytest.fixture
def results(tmp_path):
    (tmp_path / "ds" / "empty").mkdir(parents=True)
    (tmp_path / "ds" / "summary.csv").write_text(SUMMARY)
    (tmp_path / "ds" / "blank.csv").touch()
    return tmp_path


def test_files_are_counted_and_empty_ones_are_none(results):
    assert files("", "ds/*.csv").lacking(results) == ""
    assert files("", "ds/*.csv", 2).lacking(results) == "1 of 2 ds/*.csv"
    assert files("", "ds/empty").lacking(results) == "0 of 1 ds/empty"
    assert files("", "ds").lacking(results) == ""


def test_scores_have_to_be_numbers(results):
    assert scores("", "ds", ["unet"], ["dice"]).lacking(results) == ""
    wanted = scores("", "ds", ["unet", "fpn"], ["dice", "pq", "iou"])
    assert wanted.lacking(results) == (
        "unet pq foreground, unet iou foreground, fpn dice foreground, fpn pq foreground, fpn iou foreground"
    )
    assert scores("", "other", ["unet"], ["dice"]).lacking(results) == "unet dice foreground"


def test_scores_can_be_asked_to_be_high(results):
    assert above("", "ds", "unet", "dice", 0.4).lacking(results) == ""
    assert above("", "ds", "unet", "dice", 0.5).lacking(results) == "unet dice 0.5, not > 0.5"
    assert above("", "ds", "unet", "pq", 0.1).lacking(results) == "unet pq nan, not > 0.1"
    assert above("", "other", "unet", "dice", 0.1).lacking(results) == "unet dice none, not > 0.1"


def test_rows_are_counted_by_what_their_cells_hold(results):
    assert rows("", "ds/summary.csv", 3, architecture="unet").lacking(results) == ""
    assert rows("", "ds/summary.csv", 2, metric="dice").lacking(results) == "ds/summary.csv has 1 of 2 rows"
    assert rows("", "no/*.csv", 1).lacking(results) == "no no/*.csv"


def test_words_are_found_across_lines(results):
    (results / "page.rst").write_text("by how\n   much it flatters\n")
    assert words("", "page.rst", "how much it").lacking(results) == ""
    assert words("", "page.rst", "how little").lacking(results) == "'how little' in page.rst"
    assert words("", "none.rst", "how").lacking(results) == "'how' in none.rst"


@pytest.mark.parametrize(
    ("frames", "tiles", "said"),
    [(3, 2, ""), (2, 2, "2 of 3 frames, 2 of 2 tiles"), (3, 1, "3 of 3 frames, 1 of 2 tiles")],
)
def test_an_animation_has_a_frame_for_each_epoch_and_all_its_tiles(results, frames, tiles, said):
    fold = results / "ds" / "fold0"
    (fold / "epochs").mkdir(parents=True)
    (fold / "history.csv").write_text("epoch\n1\n2\n3\n")
    Image.new("RGB", (8 * tiles, 8)).save(fold / "epochs" / "image.png")
    pages = [Image.new("L", (4, 4), 100 * number) for number in range(frames)]
    pages[0].save(fold / "epochs.gif", save_all=True, append_images=pages[1:])
    lacking = animations("", "ds/fold*/epochs.gif", 2).lacking(results)
    assert lacking == (f"ds/fold0/epochs.gif has {said}" if said else "")
    assert animations("", "no/*.gif", 2).lacking(results) == "no no/*.gif"


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ((3, 2, 1, 3), ""),
        ((1, 3, 2, 1), "ds/history.csv never rises again"),
        ((1, 2, 3), "ds/history.csv never rises again"),
    ],
)
def test_a_learning_rate_restarts_where_it_rises_after_it_fell(results, rates, said):
    (results / "ds" / "history.csv").write_text("learning_rate\n" + "".join(f"{rate}\n" for rate in rates))
    assert restarts("", "ds/history.csv").lacking(results) == said
    assert restarts("", "no/*.csv").lacking(results) == "no no/*.csv"


@pytest.mark.parametrize(("steps", "said"), [(6, ""), (2, "fold 0: 2 steps for 48 tiles")])
def test_versions_are_counted_in_steps(results, steps, said):
    (results / "ds" / "tiles").mkdir()
    (results / "ds" / "net" / "fold0").mkdir(parents=True)
    (results / "ds" / "folds.csv").write_text("fold,part,name\n0,train,a\n0,train,b\n0,test,c\n")
    (results / "ds" / "tiles" / "windows.csv").write_text("name\na\na\nb\nc\n")  # three of training images
    (results / "ds" / "net" / "fold0" / "history.csv").write_text(f"steps\n{steps}\n{steps}\n")
    assert versions("", "ds", "net", 16, 8).lacking(results) == said


def test_each_study_promises_things_of_its_own_results(tmp_path):
    for name, promises in PROMISED.items():
        small = yaml.safe_load((ROOT / STUDIES / "small" / f"{name}.yaml").read_text())
        assert f"{name}_small" in small["study"]["datasets"]
        assert all(promise.lacking(tmp_path) for promise in promises), name  # none is kept by an empty folder


def test_studies_without_samples_are_skipped(tmp_path, monkeypatch):
    small = tmp_path / "checkout" / STUDIES / "small"
    small.mkdir(parents=True)
    for name in ("necrosis", "hnscc"):
        (small / f"{name}.yaml").write_text(f"study: {{samples: ../{name}}}\n")
    (tmp_path / "hnscc").mkdir()
    monkeypatch.setattr(run_studies, "ROOT", tmp_path / "checkout")
    missing = run_studies.absent_samples(["necrosis", "hnscc"])
    assert missing == {"necrosis": tmp_path / "checkout" / "../necrosis"}


def test_the_table_says_how_many_promises_were_kept():
    lines = run_studies.table([run_studies.Outcome("necrosis", 90.0, 6.0, ("pages: none",), 4, failed=False)])
    assert lines[-1] == "| necrosis | 1.5 | 6 | 3 of 4 | lacking |"
