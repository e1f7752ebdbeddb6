"""How benchmarks/inference.py runs engines: each a process of its own, which warms up once and waits for its turn."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


class Engines:
    """The processes of some peers, all on the same image and model; ended when the block is left.

    `ready` says what each told after it had warmed up. A process that fails raises RuntimeError with its last words.
    """

    def __init__(self, peers: Sequence[str], flags: Mapping[str, Any], folder: Path, tiatoolbox: Path | None) -> None:
        self._peers, self._flags, self._folder, self._tiatoolbox = peers, flags, folder, tiatoolbox
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.ready: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "Engines":
        with ExitStack() as stack:
            stack.callback(self._end)
            for name in self._peers:
                self._processes[name] = self._started(name)
                self.ready[name] = self._answer(name)  # one after the other, so that none warms up beside another
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self) -> dict[str, dict[str, Any]]:
        """One run of each peer, in turn: what it told."""
        return {name: self._asked(name, "run") for name in self._peers}

    def classes(self) -> dict[str, np.ndarray]:
        """The classes of each peer's last run."""
        found = {}
        for number, name in enumerate(self._peers):
            path = self._folder / f"classes_{number}.npy"
            self._asked(name, f"save {path}")
            found[name] = np.load(path)
        return found

    def _started(self, name: str) -> "subprocess.Popen[str]":
        python = self._tiatoolbox / "bin" / "python" if name == "TIAToolbox" else sys.executable
        command = [str(python), str(HERE / "inference_peers.py"), name, *words(self._flags)]
        with self._log(name).open("w", encoding="utf-8") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def _asked(self, name: str, line: str) -> dict[str, Any]:
        pipe = self._processes[name].stdin
        pipe.write(line + "\n")
        pipe.flush()
        return self._answer(name)

    def _answer(self, name: str) -> dict[str, Any]:
        for line in self._processes[name].stdout:
            if line.startswith('{"'):  # libraries may print too
                return json.loads(line)
        last = self._log(name).read_text(encoding="utf-8")[-3000:]
        raise RuntimeError(f"{name}: ended without an answer\n{last}")

    def _log(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '_').replace(',', '')}.log"

    def _end(self) -> None:
        for process in self._processes.values():
            process.stdin.close()
            process.stdout.close()
            process.wait()


def swept(flags: Mapping[str, Any]) -> dict[str, Any]:
    """What inference_sweep.py prints."""
    command = [sys.executable, str(HERE / "inference_sweep.py"), *words(flags)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[1:]}: ended with {done.returncode}\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def words(flags: Mapping[str, Any]) -> list[str]:
    """Flags as words of a command."""
    return [word for name, value in flags.items() for word in (f"--{name}", str(value))]
