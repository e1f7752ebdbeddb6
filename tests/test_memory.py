"""Freed memory that is kept is not mapped anew."""

import platform
import subprocess
import sys

import pytest

# Takes and frees the same 64 MiB ten times, after a first time, and prints how many pages were mapped for it.
SCRIPT = """
import resource, sys
sys.path.insert(0, "scripts")
import numpy as np
from histoloom.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(word: str) -> int:
    return int(subprocess.run([sys.executable, "-c", SCRIPT, word], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_blocks_that_are_freed_are_used_again():
    kept, mapped = pages("keep"), pages("let go")
    assert mapped > 1000  # ten times 64 MiB in pages of 4 KiB, or fewer where the system gives larger ones
    assert kept < mapped / 20
