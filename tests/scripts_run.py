"""Scripts run in the tests' own process."""

import runpy
import sys

import pytest


def outcome(words: list[str]) -> str:
    """Run a script in this process, where shapes are checked and nothing is imported again; give its last words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            return str(end)
    return "done"
