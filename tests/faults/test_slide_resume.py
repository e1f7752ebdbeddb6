"""A slide's prediction killed with SIGKILL at any band and started again ends in the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys

from tests.slides.slide_case import ROOT, SlideCase

WRITES = 10  # 5 bands of two stores


def predicted(folder, kills):
    """Predict the same slide into a folder of its own; what each run came to, and the bytes in the end."""
    folder.mkdir()
    case = SlideCase(folder, 2100, 90, flags={"overlap": 1, "slide": folder.parent / "slide.tif"})
    if not (folder.parent / "slide.tif").exists():
        SlideCase(folder.parent, 2100, 90).write()
    for name in ("slide.json", "tissue.png", "model.safetensors"):
        os.link(folder.parent / name, folder / name)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}", "OMP_NUM_THREADS": "1"}
    environment["KILL_AFTER_WRITES"] = " ".join(map(str, kills))
    command = [sys.executable, "tests/faults/killed_slide_prediction.py", *case.words()]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert not (folder / "state").exists()
    return [json.loads(line) for line in done.stdout.splitlines()], case.result()


def test_killed_at_random_bands_it_ends_in_the_same_bytes_and_has_no_final_name_before(tmp_path):
    draw = random.Random(0)
    kills = [0, 1, *(draw.randrange(4) for _ in range(3))]  # writes of each run, fewer in all than there are
    assert sum(kills) < WRITES
    runs, undisturbed = predicted(tmp_path / "undisturbed", [])
    assert runs == [{"status": 0, "final": [True, True]}]
    runs, resumed = predicted(tmp_path / "killed", kills)
    killed = {"status": -signal.SIGKILL, "final": [False, False]}
    assert runs == [*[killed] * len(kills), {"status": 0, "final": [True, True]}]
    assert resumed == undisturbed
    assert {name.split("/")[0] for name in resumed} == {"probabilities", "maps"}
    assert len(resumed) == WRITES + 2
