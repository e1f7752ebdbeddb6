"""A study laid over the default config, for the tests of what the check says; edits of a finished study's files."""

from pathlib import Path

import pytest
import yaml

from histoloom.study.checks.complaint import config_problems

BASE = Path(__file__).parents[2] / "config" / "config.yaml"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that lays `text` over the default config, whose data folders are there, and gives the problems."""
    monkeypatch.chdir(tmp_path)
    for dataset in yaml.safe_load(BASE.read_text())["datasets"].values():
        Path(dataset["root"]).mkdir(parents=True)

    def problems(text, overrides=None):
        Path("study.yaml").write_text(text)
        return config_problems([BASE, Path("study.yaml")], overrides or {})

    return problems


@pytest.fixture
def edit(finished):
    """A function that changes a file of the module's `finished` study by (old, new), or makes it; undone afterwards."""
    before = {}

    def change(name, old="", new=""):
        path = finished / name
        before[path] = path.read_bytes() if path.exists() else None
        text = path.read_text() if path.exists() else ""
        assert old in text, name
        path.write_text(text.replace(old, new, 1) if old else text + new)

    yield change
    for path, content in before.items():
        path.unlink() if content is None else path.write_bytes(content)
