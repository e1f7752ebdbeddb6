"""Memory: freed blocks kept for the next step, and the lack of it told to the user with what to change."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from histoloom.errors import InputError

# torch raises a plain RuntimeError where it is not the caching allocator of a GPU that fails; oneDNN, which computes
# convolutions on a CPU, tells of nothing but the primitive; OpenCV has an exception of its own.
WORDS = (
    "DefaultCPUAllocator",
    "can't allocate memory",
    "could not create a primitive",
    "std::bad_alloc",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
WORDS_OF_OPENCV = "Insufficient memory"

# Of malloc.h: from which size on a block is mapped by itself, and how much free memory at the top goes back.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc keep large blocks that are freed, instead of handing each back to the system; whether it could.

    A step on the CPU takes and frees the same blocks of megabytes again and again. Mapped anew, each costs a page fault
    every 4 KiB: half the time of the losses, and of other arithmetic between a network's layers. Elsewhere than on
    glibc nothing happens.
    Source: mallopt(3).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another C library, or none that can be opened like this
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, LARGEST))


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that the machine's or the device's memory ran out."""
    words = WORDS if isinstance(error, RuntimeError) else (WORDS_OF_OPENCV,)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(each in str(error) for each in words)


@contextmanager
def lack_of_memory_told(what: str, cure: str) -> Iterator[None]:
    """Turn an error for lack of memory into an InputError that says what was computed and what to change."""
    try:
        yield
    except Exception as error:  # OpenCV's is none of Python's kinds
        if not is_lack_of_memory(error):
            raise
        raise InputError(f"out of memory: {what};\nexpected {cure}") from error
