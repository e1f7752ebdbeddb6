"""Trainings that cannot go on as they should: what is kept, what is said, and that nothing is left running."""

import argparse
import csv
import os
import runpy
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from histoloom.errors import InputError
from histoloom.train.distributed import joined
from histoloom.train.failures import torch_errors_explained
from histoloom.train.history import Progress
from histoloom.train.record import publish
from tests.faults.test_kill_and_resume import training_processes
from tests.train.data.test_batches import settings
from tests.train.training_case import ROOT, environment_with, make_case


def history_of(case) -> list[dict[str, str]]:
    with case.outputs["history"].open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_training_that_diverges_keeps_its_best_weights_and_says_so(tmp_path, processes):
    case = make_case(tmp_path / "case", processes=processes, settings={"learning-rate": 1e30})
    done = case.train()
    assert done.returncode == 0, done.stderr
    rows = history_of(case)
    assert [row["ended"] for row in rows][-1] == "diverged"
    assert len(rows) < 3 or rows[-1]["epoch"] == "3"
    assert "warning: diverged: loss or gradient was " in done.stderr
    assert "lower train.learning_rate (now 1e+30)" in done.stderr
    assert "Traceback" not in done.stderr
    state = load_file(case.outputs["model"])
    assert all(torch.isfinite(value).all() for value in state.values())
    assert len(list(case.outputs["epochs"].glob("epoch_*.png"))) == len(rows)


def test_steps_without_a_number_are_left_out_and_counted_where_it_is_so_set(tmp_path):
    case = make_case(tmp_path / "case", settings={"learning-rate": 1e30, "on-divergence": "skip"})
    done = case.train()
    assert done.returncode == 0, done.stderr
    rows = history_of(case)
    assert [row["ended"] for row in rows] == ["", "", "finished"]
    assert sum(int(row["skipped_steps"]) for row in rows) > 0
    assert "steps left out, their loss or gradient was no number" in done.stderr


def test_when_one_process_dies_all_end_within_ten_seconds_and_the_next_start_goes_on(tmp_path):
    case = make_case(tmp_path / "case", processes=2, loader_workers=1, settings={"epochs": 40})
    environment = environment_with(KILL_AFTER_STEPS="6", KILL_WHOM="self", KILL_RANK="1")
    running = subprocess.Popen(case.command(), cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    while len(list(case.folder.glob("state/*/checkpoint-*-00000002-*"))) == 0 and running.poll() is None:
        time.sleep(0.05)
    _, said = running.communicate(timeout=60)
    ended = time.monotonic()
    while training_processes(tmp_path) and time.monotonic() < ended + 10:
        time.sleep(0.1)
    assert training_processes(tmp_path) == []
    assert running.returncode != 0
    assert "process 1 was killed (SIGKILL)" in said
    assert "train.batch_size lower" in said
    assert len(list(case.folder.glob("state/*/"))) == 1
    checkpoints = sorted(path.name for path in case.folder.glob("state/*/checkpoint-*"))
    again = subprocess.Popen(case.command(), cwd=ROOT, env=environment_with(), stderr=subprocess.DEVNULL)
    try:
        while sorted(path.name for path in case.folder.glob("state/*/checkpoint-*"))[-1] == checkpoints[-1]:
            assert again.poll() is None
            time.sleep(0.05)
        # It went on from there: one step further, and not from the first one again.
        assert sorted(path.name for path in case.folder.glob("state/*/checkpoint-*"))[0] >= checkpoints[0]
    finally:
        again.kill()
        again.wait()


def test_lack_of_memory_is_told_with_the_values_to_change():
    with pytest.raises(InputError) as caught, torch_errors_explained(settings(), "unet", 256, 1):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    said = str(caught.value)
    assert said.startswith("out of memory: unet with train.batch_size 2 in 1 part(s), tiles of 256 px;")
    assert "set train.accumulate: 2 (the same gradient, but for batch norms)" in said
    assert "tiles.tile_px to 128" in said
    assert len(said.splitlines()) <= 4


def test_lack_of_memory_on_a_cpu_is_told_likewise():
    with pytest.raises(InputError, match="out of memory: unet"), torch_errors_explained(settings(), "unet", 256, 1):
        torch.empty(1 << 50, dtype=torch.uint8)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_lack_of_memory_in_prediction_is_told_with_its_batch_size(monkeypatch, tmp_path, batch_size):
    script = runpy.run_path(str(ROOT / "scripts" / "predict_images.py"))
    flags = {
        "model": "m.safetensors", "index": "index.csv", "folds": "folds.csv", "fold": 0, "part": "test", "overlap": 4,
        "window": "gaussian", "batch-size": batch_size, "precision": "float32",
        "probabilities": tmp_path / "probabilities", "maps": tmp_path / "maps",
        "cost": tmp_path / "cost.json",
    }  # fmt: skip
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    monkeypatch.setattr(sys, "argv", ["predict_images.py", *words])
    card = {"network": "unet", "tile_px": 32, "classes": ["background", "nucleus"]}
    monkeypatch.setitem(script["main"].__globals__, "load_ensemble", lambda _: ([torch.nn.Identity()], card))
    monkeypatch.setitem(script["main"].__globals__, "part_rows", lambda *_: [argparse.Namespace(image="a.png")])
    monkeypatch.setitem(script["main"].__globals__, "read_image", lambda _: torch.empty(1 << 50, dtype=torch.uint8))
    cure = "lower predict.batch_size to 4" if batch_size > 1 else "take a GPU"
    expected = f"predict.batch_size {batch_size}, tiles of 32 px;\n.*{cure}"
    with pytest.raises(InputError, match=expected):
        script["main"]()
    assert not (tmp_path / "probabilities").exists()


def test_a_batch_norm_over_a_single_value_is_told_with_the_values_to_change():
    chosen = replace(settings(), batch_size=4, accumulate=2)
    pooled = torch.zeros(1, 3, 1, 1)  # one tile after global pooling
    with pytest.raises(InputError) as caught, torch_errors_explained(chosen, "deeplabv3", 64, 2):
        torch.nn.BatchNorm2d(3)(pooled)
    said = str(caught.value)
    assert "train.batch_size 4 over 2 process(es)\nin 2 part(s) (train.accumulate)" in said
    assert "set train.accumulate: 1, raise train.batch_size to 8 or more" in said
    assert len(said.splitlines()) <= 4
    with pytest.raises(ValueError, match="another"), torch_errors_explained(chosen, "deeplabv3", 64, 2):
        raise ValueError("another")


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_best_weights_that_cannot_be_read_are_told_with_the_folder_to_remove(tmp_path, damage):
    state = tmp_path / "state"
    (state / "epochs").mkdir(parents=True)
    best = state / "best.safetensors"
    save_file({"weight": torch.zeros(100)}, best)
    if damage == "truncated":
        best.write_bytes(best.read_bytes()[:200])
    if damage == "missing":
        best.unlink()
    outputs = {"history": tmp_path / "history.csv", "epochs_folder": tmp_path / "epochs", "model": tmp_path / "m"}
    with pytest.raises(
        InputError, match=f"best.saf.*: missing or damaged .*\nremove the folder {state} to train afresh"
    ):
        publish(state, argparse.Namespace(**outputs), Progress())
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_launcher_killed_at_once_leaves_no_process_behind(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time\ntime.sleep(60)\n")  # it does not ask for its own end, as before torch is imported
    command = [sys.executable, "scripts/launch_training.py", "--processes", "1", str(script)]
    launcher = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 20
    while not (children := psutil.Process(launcher.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.2)
    launcher.kill()
    launcher.wait()
    assert len(children) == 1
    gone, left = psutil.wait_procs(children, timeout=5)
    for process in left:
        process.kill()
    assert gone == children


def test_other_errors_are_left_as_they_are():
    with pytest.raises(RuntimeError, match="sizes differ"), torch_errors_explained(settings(), "unet", 256, 1):
        raise RuntimeError("sizes differ")


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    expected = r"process 2 on this machine has no GPU.*found 1; lower train.processes_per_node"
    with pytest.raises(InputError, match=expected), joined(1):
        pass


def test_a_missing_torchrun_is_told_with_its_cure(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("")  # an installation that is broken or too old
    done = subprocess.run(
        [sys.executable, "scripts/launch_training.py", "--processes", "2", "scripts/train.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: torchrun: cannot be imported")
    assert "run `make env`" in done.stderr
    assert "Traceback" not in done.stderr
