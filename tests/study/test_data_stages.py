"""The real Snakefile before training: downloads, bad images, ways to split, stain normalisation, colours of a fold."""

import hashlib
import re
import shutil
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from histoloom.prepare.demo.datasets import write_brecahad
from histoloom.prepared import read_table
from tests.study.test_snakemake import copy_workflow, planned, planned_jobs, snakemake

OPTIONS = {"reader": "brecahad", "options": {"radius_px": 9}}
STAINED = {
    **OPTIONS,
    "root": "data/raw",
    "prepare": {"on_bad_image": "skip"},
    "split": {"scheme": "list", "list": "folds.csv", "fold_count": 2},
    "normalise": {"method": "macenko"},
    "tiles": {"tile_px": 128, "stride_px": 128},
    "train": {"standardise": "fold"},
}
# Case 1 is not named: its image is broken.
PARTS = {0: {"train": (2, 3), "val": (4,), "test": (5, 6)}, 1: {"train": (5, 6), "val": (4,), "test": (2, 3)}}
MEMBERS = [
    (f"Case_{case}-01", str(fold), part)
    for fold, parts in PARTS.items()
    for part, cases in parts.items()
    for case in cases
]
TARGETS = (
    "results/fetched/prepared/index.csv",
    "results/at_once/prepared/index.csv",
    "results/stained/inspection/findings.csv",
    "results/stained/unet_small/fold0/model.safetensors",
    "results/stained/all_background/fold0/probabilities",
)
# Training as such is tested elsewhere; here its files need only be there.
STAND_IN = """
import pathlib, sys

def given(flag):
    return pathlib.Path(sys.argv[sys.argv.index(flag) + 1])

given("--model").write_text("weights")
given("--history").write_text("epoch")
given("--epochs-folder").mkdir(exist_ok=True)
"""


def study_of(source, **stained):
    """A study of three datasets; two are downloaded from `source`, and values of the third may be set."""
    fetched = {**OPTIONS, "source": {"files": [source]}}
    return {
        "study": {
            "name": "stages",
            "datasets": ["fetched", "at_once", "stained"],
            "architectures": ["unet_small"],
            "baselines": ["all_background"],
        },
        "datasets": {
            "fetched": {**fetched, "root": "data/fetched", "split": {"repeats": 2}},
            "at_once": {**fetched, "root": "data/at_once", "split": {"scheme": "proportions", "repeats": 2}},
            "stained": {**STAINED, **stained},
        },
    }


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """A copy of the workflow with six raw images, one of them broken, and a list of folds; training is stood in for."""
    folder = copy_workflow(tmp_path_factory.mktemp("stages"))
    write_brecahad(folder / "data" / "raw", 1, 0)
    (folder / "web").mkdir()
    shutil.make_archive(str(folder / "web" / "raw"), "zip", folder / "data" / "raw")
    broken = folder / "data" / "raw" / "images" / "Case_1-01.tif"
    broken.write_bytes(broken.read_bytes()[:1000])  # as of a copy that was interrupted
    lines = [f"{name},{fold},{part}" for name, fold, part in MEMBERS]
    (folder / "folds.csv").write_text("\n".join(["name,fold,part", *lines, ""]))
    (folder / "scripts" / "launch_training.py").write_text(STAND_IN)
    return folder


@pytest.fixture(scope="module")
def source(laid):
    """What a config says of the zip of the six images, which a server on this machine gives while the tests run."""
    handler = partial(SimpleHTTPRequestHandler, directory=laid / "web")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("no_proxy", "127.0.0.1")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        digest = hashlib.sha256((laid / "web" / "raw.zip").read_bytes()).hexdigest()
        yield {"url": f"http://127.0.0.1:{server.server_port}/raw.zip", "sha256": digest}
        server.shutdown()


@pytest.fixture(scope="module")
def plan(laid, source):
    """(rule, what is told of the job) of the whole study, when nothing has been made and nothing downloaded."""
    return planned_jobs(laid, study_of(source), ())


@pytest.fixture(scope="module")
def finished(laid, source, plan):
    """The study with TARGETS made: one dataset by `fetch` and a later run, one in a single run and then cleared away.

    `plan` is asked for so that it is made before.
    """
    alone = study_of(source) | {"study": {"name": "stages", "datasets": ["fetched"], "architectures": ["unet_small"]}}
    run(laid, alone, "fetch")
    assert (laid / "data" / "fetched" / "images" / "Case_6-01.tif").is_file()
    assert not (laid / "results" / "fetched" / "prepared").exists()
    run(laid, study_of(source), *TARGETS)
    shutil.rmtree(laid / "data" / "at_once")
    return laid


def run(folder, study, *targets):
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    ended = snakemake(folder, "--configfile", "study.yaml", "--", *targets)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def jobs_of(plan, dataset):
    """How many jobs of each rule are planned for a dataset."""
    return Counter(rule for rule, told in plan if re.search(rf"wildcards: .*dataset={dataset}\b", told))


def inputs_of(plan, rule, dataset, fold):
    """The input files of a rule's job."""
    wanted = rf"wildcards: (?=.*dataset={dataset}\b)(?=.*fold={fold}\b)"
    [told] = [told for name, told in plan if name == rule and re.search(wanted, told)]
    return re.search(r"^    input: (.*)$", told, re.MULTILINE)[1].split(", ")


def test_a_dataset_that_is_not_there_is_downloaded_and_prepared(plan):
    for dataset in ("fetched", "at_once"):
        jobs = jobs_of(plan, dataset)
        assert (jobs["download"], jobs["prepare"]) == (1, 1), dataset
    assert jobs_of(plan, "stained")["download"] == 0


def test_repeats_give_so_many_times_the_folds_and_proportions_one_fold_each(plan):
    assert jobs_of(plan, "fetched")["train"] == 2 * 3
    assert jobs_of(plan, "at_once")["train"] == 2
    assert jobs_of(plan, "stained")["train"] == 2


def test_a_normaliser_gives_each_fold_pictures_and_tiles_of_its_own(plan):
    jobs = jobs_of(plan, "stained")
    assert (jobs["normalise"], jobs["tiles_of_fold"], jobs["tiles"]) == (2, 2, 0)
    for fold in (0, 1):
        own = f"results/stained/fold{fold}"
        assert f"{own}/tiles/images.npy" in inputs_of(plan, "train", "stained", fold)
        for rule in ("predict", "predict_baseline"):
            assert {f"{own}/normalised/index.csv", f"{own}/normalised/images"} < {
                *inputs_of(plan, rule, "stained", fold)
            }


def test_without_a_normaliser_all_folds_share_the_tiles_of_the_prepared_pictures(plan):
    jobs = jobs_of(plan, "at_once")
    assert (jobs["normalise"], jobs["tiles_of_fold"], jobs["tiles"]) == (0, 0, 1)
    for fold in (0, 1):
        assert "results/at_once/tiles/images.npy" in inputs_of(plan, "train", "at_once", fold)
        assert "results/at_once/prepared/index.csv" in inputs_of(plan, "predict", "at_once", fold)


def test_colours_are_measured_in_each_fold_that_is_standardised_by_them(plan):
    assert jobs_of(plan, "stained")["measure_colours"] == 2
    assert jobs_of(plan, "at_once")["measure_colours"] == 0
    for fold in (0, 1):
        own = f"results/stained/fold{fold}"
        assert f"{own}/tiles/images.npy" in inputs_of(plan, "measure_colours", "stained", fold)
        assert f"{own}/colours.json" in inputs_of(plan, "train", "stained", fold)


def test_what_was_fetched_and_prepared_is_not_made_again_even_with_the_raw_files_gone(finished, source):
    assert planned(finished, study_of(source), TARGETS) == set()


def test_a_raw_file_changed_after_its_download_is_prepared_again_and_not_downloaded(finished, source, edit):
    edit("data/fetched/groundTruth/Case_2-01.json", new="\n")
    jobs = planned_jobs(finished, study_of(source), TARGETS)
    assert [rule for rule, _ in jobs] == ["prepare"]
    assert jobs_of(jobs, "fetched") == {"prepare": 1}


def test_a_normalisers_file_normalises_and_trains_again_but_splits_nothing(finished, source, edit):
    edit("scripts/histoloom/normalisers/macenko.py", new="\n\nEXTRA = 1\n")
    rules = {rule for rule, _ in planned(finished, study_of(source), TARGETS)}
    assert rules == {"normalise", "tiles_of_fold", "measure_colours", "train", "predict_baseline"}


def test_another_list_of_folds_splits_again_and_prepares_nothing(finished, source, edit):
    edit("folds.csv", "Case_3-01,0,train", "Case_3-01,0,val")
    rules = {rule for rule, _ in planned(finished, study_of(source), TARGETS)}
    assert rules == {"split", "normalise", "tiles_of_fold", "measure_colours", "train", "predict_baseline"}


def test_another_way_to_standardise_trains_again_and_nothing_else(finished, source):
    study = study_of(source, train={"standardise": "none"})
    assert planned(finished, study, TARGETS) == {("train", "unet_small")}


def test_the_folds_are_those_of_the_list(finished):
    rows = read_table(finished / "results/stained/folds.csv")
    assert sorted((row["name"], row["fold"], row["part"]) for row in rows) == sorted(MEMBERS)


def test_a_broken_image_that_is_skipped_is_in_no_table_but_inspection_lists_it(finished):
    prepared, inspection = finished / "results/stained/prepared", finished / "results/stained/inspection"
    names = sorted(path.stem for path in (prepared / "images").glob("*.png"))
    assert names == [f"Case_{case}-01" for case in range(2, 7)]
    [skipped] = read_table(prepared / "skipped.csv")
    assert Path(skipped["source"]).name == "Case_1-01.tif"
    [finding] = [row for row in read_table(inspection / "findings.csv") if row["kind"] == "skipped_image"]
    assert finding["severity"] == "warning"
    assert "Case_1-01.tif" in finding["message"]


def test_bad_images_stop_the_run_with_a_message_on_each(laid):
    raw = laid / "data" / "two_bad"
    shutil.copytree(laid / "data" / "raw", raw)
    (raw / "groundTruth" / "Case_4-01.json").write_text("{")
    study = {"study": {"datasets": ["bad"]}, "datasets": {"bad": {**OPTIONS, "root": "data/two_bad"}}}
    (laid / "bad.yaml").write_text(yaml.safe_dump(study))
    ended = snakemake(laid, "--configfile", "bad.yaml", "--", "results/bad/prepared/index.csv")
    assert ended.returncode == 1
    told = ended.stdout + ended.stderr
    assert "dataset 'bad': 2 problems with its files, beside 4 sound images" in told
    assert re.findall(r"bad image: \S+/(Case_\S+):", told) == ["Case_1-01.tif", "Case_4-01.json"]
    assert not (laid / "results" / "bad" / "prepared" / "images").exists()


def test_data_that_is_got_by_hand_is_asked_for_before_any_job(laid):
    by_hand = {**OPTIONS, "root": "data/by_hand", "source": {"steps": "log in at the archive, then unzip"}}
    study = {"study": {"datasets": ["by_hand"]}, "datasets": {"by_hand": by_hand}}
    (laid / "by_hand.yaml").write_text(yaml.safe_dump(study))
    ended = snakemake(laid, "fetch", "--configfile", "by_hand.yaml")
    assert ended.returncode == 1
    assert "no folder data/by_hand; expected the raw data; to get it: log in at the archive, then unzip" in ended.stderr
    assert "nothing was run" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (laid / "results" / "by_hand").exists()
