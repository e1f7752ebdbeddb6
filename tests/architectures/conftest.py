"""One small network at a time, built once for all the tests of a file."""

import pytest

from tests.architectures.architecture_case import NAMES, Architecture, built_and_watched


@pytest.fixture(autouse=True)
def each_on_one_thread(one_thread):
    """Networks this small are slower on several."""


@pytest.fixture(scope="module", params=NAMES)
def architecture(request) -> Architecture:
    return built_and_watched(request.param)
