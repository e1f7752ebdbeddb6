"""What every reader of a dataset keeps to."""

import inspect

import pytest

from histoloom import plugins
from histoloom.errors import InputError


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_reader_says_what_it_reads_and_under_which_licence(name):
    reader = plugins.load("datasets", name)
    parameters = inspect.signature(reader).parameters
    assert "Source:" in reader.__doc__
    assert "Raises InputError" in reader.__doc__
    assert next(iter(parameters)) == "root"
    assert parameters["licence"].default
    assert parameters["citation"].default


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_reader_refuses_a_missing_folder(name, tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder; expected .*; .*mend 'root'"):
        plugins.load("datasets", name)(tmp_path / "nowhere")
