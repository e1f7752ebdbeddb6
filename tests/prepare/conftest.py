"""What tests of several files of this room share."""

import pytest

from tests.prepare.file_server import running_server


@pytest.fixture
def server():
    with running_server() as server:
        yield server
