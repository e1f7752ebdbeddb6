"""One small network at a time, built once for all the tests of a file."""

import pytest
import torch

from tests.architectures.architecture_case import NAMES, Architecture, built_and_watched


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=NAMES)
def architecture(request) -> Architecture:
    return built_and_watched(request.param)
