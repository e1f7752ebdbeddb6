"""Shapes in signatures are checked while tests run, and only then; what tests of several rooms share."""

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# On a busy machine a deadline fails tests of which nothing is wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

install_import_hook("histoloom", "beartype.beartype")


@pytest.fixture
def one_thread():
    """Torch on one thread for a test, as workers of the tests share the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
