"""Groovy scripts for QuPath run against stand-ins for QuPath's classes, several cases in one process."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts" / "qupath"
STAND_IN = Path(__file__).parent / "qupath_stand_in"
needs_groovy = pytest.mark.skipif(
    not (shutil.which("groovy") and shutil.which("java")), reason="groovy is not installed (apt-get install groovy)"
)


def run_cases(cases, folder):
    """What came of each case: {"output": text} or {"error": text}. One process for all, since Java starts slowly."""
    (folder / "cases.json").write_text(json.dumps(cases))
    files = [str(STAND_IN / "run_cases.groovy"), str(folder / "cases.json"), str(folder / "results.json")]
    environment = os.environ | {
        # Debian's groovy looks in /usr/lib/jvm/default-java alone, which only default-jre brings.
        "JAVA_HOME": str(Path(shutil.which("java")).resolve().parents[1]),
        "JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # starts in half the time
    }
    subprocess.run(
        ["groovy", "-cp", str(STAND_IN), *files], check=True, env=environment, capture_output=True, timeout=120
    )
    return json.loads((folder / "results.json").read_text())
