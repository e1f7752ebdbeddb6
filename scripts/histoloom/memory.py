"""Lack of memory: told from other errors, and told to the user with what to change."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from histoloom.errors import InputError

# torch raises a plain RuntimeError where it is not the caching allocator of a GPU that fails.
WORDS = ("DefaultCPUAllocator", "can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that the machine's or the device's memory ran out."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
    )


@contextmanager
def lack_of_memory_told(what: str, cure: str) -> Iterator[None]:
    """Turn an error for lack of memory into an InputError that says what was computed and what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        raise InputError(f"out of memory: {what};\nexpected {cure}") from error
