"""How processes are started, on one machine and on several, and what their ends come to."""

import signal
import subprocess
import sys
import time

import pytest

from histoloom.errors import InputError
from histoloom.train.launching import meeting_of_nodes, srun, status
from tests.train.training_case import ROOT, environment_with

ASKED = """
import signal, sys, time
def tell(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, tell)
signal.signal(signal.SIGUSR1, tell)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({}, 0),
        ({0: 0}, 0),
        ({0: 1}, 1),
        ({1: -9}, 1),
        ({0: 75, 1: 75}, 75),
        ({0: 75, 1: -15}, 75),  # one was told to end, the other was ended
        ({0: -10}, 75),
        ({0: -2}, 75),
        ({0: 3, 1: 1}, 3),
        ({0: 3, 1: 75}, 3),
        ({0: -9, 1: 75}, 1),  # torchrun asked the one that was left to end
        ({0: 1, 1: 75}, 1),
    ],
)
def test_a_reason_that_a_rank_has_told_decides_the_status(codes, expected):
    assert status(codes) == expected


def test_nodes_meet_at_the_first_one_by_a_port_of_their_job():
    slurm = {"SLURM_NODEID": "1", "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7", "SLURM_JOB_ID": "36234", "SLURM_STEP_ID": "3"}
    assert meeting_of_nodes(2, slurm) == [
        "--nnodes=2", "--node-rank=1", "--master-addr=10.0.0.7", "--master-port=20237"
    ]  # fmt: skip


def test_an_agent_outside_of_srun_is_told_what_it_misses():
    with pytest.raises(
        InputError, match=r"--agent: SLURM_NODEID, SLURM_LAUNCH_NODE_IPADDR, SLURM_STEP_ID not set; expected .* srun"
    ):
        meeting_of_nodes(2, {"SLURM_JOB_ID": "1"})


def test_srun_starts_one_agent_on_each_node():
    command = srun(3, 8, ["python", "x.py"])
    assert command[0] == "srun"
    assert command[-2:] == ["python", "x.py"]
    assert {"--nodes=3", "--ntasks=3", "--ntasks-per-node=1", "--cpus-per-task=8"} <= set(command)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_what_asks_the_launcher_to_end_reaches_the_script_whose_status_it_takes(tmp_path, number):
    script = tmp_path / "script.py"
    script.write_text(ASKED)
    command = [sys.executable, "scripts/launch_training.py", "--processes", "1", str(script)]
    launcher = subprocess.Popen(command, cwd=ROOT, env=environment_with(), stdout=subprocess.PIPE, text=True)
    assert launcher.stdout.readline() == "ready\n"
    launcher.send_signal(number)
    said, _ = launcher.communicate(timeout=20)
    assert said == f"{number.name}\n"
    assert launcher.returncode == 75


def test_srun_is_asked_to_end_by_the_signal_that_it_passes_on(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ASKED)
    start = "import sys; from histoloom.train.launching import PASSED_TO_SRUN, run_child; "
    command = [sys.executable, "-c", start + "sys.exit(run_child(sys.argv[1:], PASSED_TO_SRUN))", sys.executable]
    with subprocess.Popen(
        [*command, str(script)], env=environment_with(), stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout.readline() == "ready\n"
        launcher.send_signal(signal.SIGTERM)
        assert launcher.communicate(timeout=20)[0] == "SIGUSR1\n"
    assert launcher.returncode == 75


def test_a_script_that_does_not_listen_yet_is_ended_and_counts_as_stopped(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("print('ready', flush=True)\nimport time\ntime.sleep(60)\n")
    command = [sys.executable, "scripts/launch_training.py", "--processes", "1", str(script)]
    launcher = subprocess.Popen(command, cwd=ROOT, env=environment_with(), stdout=subprocess.PIPE, text=True)
    assert launcher.stdout.readline() == "ready\n"
    began = time.monotonic()
    launcher.terminate()
    launcher.communicate(timeout=20)
    assert launcher.returncode == 75
    assert time.monotonic() - began < 10
