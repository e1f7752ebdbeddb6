"""A study laid over the default config, for the tests of what the check says."""

from pathlib import Path

import pytest
import yaml

from histoloom.study.check import config_problems

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
