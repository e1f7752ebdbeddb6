"""The folder is the registry."""

import pytest

from histoloom import plugins
from histoloom.errors import InputError

KINDS = ("datasets", "architectures", "losses", "metrics", "baselines")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in plugins.names(kind)])
def test_every_file_holds_a_function_of_its_name_that_says_what_it_is(kind, name):
    assert plugins.load(kind, name).__name__ == name
    assert plugins.load(kind, name).__doc__


def test_a_misspelt_name_is_answered_with_a_guess_and_the_choices():
    with pytest.raises(InputError, match=r"unknown architectures 'unet_smal'; did you mean 'unet_small'\? Choices"):
        plugins.path("architectures", "unet_smal")


def test_options_are_read_without_importing():
    assert plugins.options("architectures", "unet") == {"width": "64"}
    assert plugins.options("architectures", "unet_small") == {}


def test_a_file_without_its_function_is_refused(tmp_path, monkeypatch):
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "mine.py").write_text("def other(): ...\n")
    monkeypatch.setattr(plugins, "LIBRARY", tmp_path)
    plugins.options.cache_clear()
    with pytest.raises(InputError, match=r"mine\.py: no function named 'mine'"):
        plugins.options("losses", "mine")
    assert plugins.names("losses") == ["mine"]
