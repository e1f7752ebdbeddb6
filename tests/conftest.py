"""What holds for all tests: shapes are checked while they run, long files begin first; and what several rooms share."""

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# On a busy machine a deadline fails tests of which nothing is wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

install_import_hook("histoloom", "beartype.beartype")

# Files that take minutes for few tests. A worker that began one last would be alone with it at the end.
LONG = (
    "test_commands_run.py",
    "test_kill_and_resume.py",
    "test_snakemake.py",
    "test_shared_learning.py",
    "test_tuned_training.py",
    "test_failing_training.py",
    "test_rounds_workflow.py",
    "test_shared_compiled.py",
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture
def one_thread():
    """Torch on one thread for a test, as workers of the tests share the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
