"""What the page of the config says runs again first is what the rules hang on: values are changed, flags compared."""

import copy
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from histoloom.site.config_keys import config_keys
from histoloom.site.reruns import NOTHING, runs_again
from histoloom.study.study import Study

REPOSITORY = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((REPOSITORY / "workflow" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
WILDCARDS = SimpleNamespace(
    dataset="one", architecture="two", fold="0", baseline="all_background", overlap="4", round="1"
)
# Sections whose rules hang on flags alone, not also on results or on files that this test does not have.
SECTIONS = (
    "prepare",
    "inspect",
    "split",
    "normalise",
    "tiles",
    "tune",
    "train",
    "augment",
    "rounds",
    "predict",
    "regions",
    "evaluate",
)
# Another text of each kind, since a text may name a plug-in; other values are turned round or raised.
TEXTS = {
    "method": "hover",
    "loss": "dice",
    "schedule": "poly",
    "select_metric": "iou",
    "tune_metric": "aji",
}
RULES = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
)
FOUND = re.findall(
    r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?: with)?:\n(?:(?!^\w).*\n)*?        flags=study\.(\w+)\.(\w+),",
    RULES,
    re.MULTILINE,
)
STAGES = ("prepare", "split", "tune", "train", "rounds", "predict", "evaluate")
FLAGS = [(rule, stage, method) for rule, stage, method in FOUND if stage in STAGES and rule != "download"]


def study_config():
    """The default config with one dataset and one architecture that override nothing."""
    config = copy.deepcopy(CONFIG)
    config["datasets"] = {"one": {"reader": "folder", "root": "."}}
    config["architectures"], config["pairs"] = {"two": {"network": "unet_small"}}, {}
    config["study"] |= {"datasets": ["one"], "architectures": ["two"]}
    return config


def changed(key, value):
    """Another value that the key may have."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 + 1
    if isinstance(value, dict):
        return {"foreground": [0.4, 0.5]} if key.endswith("tune") else {"foreground": 0.4}
    if isinstance(value, list):
        return {"regions.tried": [{"opening": 1.0}], "regions.tried_overlaps": [16]}.get(key, value[:-1])
    return TEXTS.get(key.partition(".")[2], "another")


def rules_that_hang_on(key):
    section, name = key.split(".")
    before, after = study_config(), study_config()
    after[section][name] = changed(key, before[section][name])
    studies = Study(before), Study(after)
    flags = ((rule, [getattr(getattr(one, stage), method) for one in studies]) for rule, stage, method in FLAGS)
    return {rule for rule, (old, new) in flags if old(WILDCARDS) != new(WILDCARDS)}


# Read by what is not flags: what tables hold, a file that is an input, which jobs there are.
OTHERWISE = ("evaluate.metrics", "evaluate.published", "split.list", "tune.workers", "tune.folds")
KEYS = [
    key.key
    for key in config_keys(SCHEMA)
    if key.key.split(".")[0] in SECTIONS and "[]" not in key.key and key.key not in OTHERWISE
]


def test_the_rules_were_found():
    assert {"split", "train", "predict", "postprocess", "tune_postprocess", "summarise"} <= {rule for rule, *_ in FLAGS}
    assert len(KEYS) > 80


@pytest.mark.parametrize("key", KEYS)
def test_what_runs_again_first_is_a_rule_whose_flags_the_value_is_in(key):
    said = runs_again(key)
    found = rules_that_hang_on(key)
    if said == NOTHING:
        assert found == set()
    else:
        named = set(re.findall(r"\w+", said)) & {rule for rule, *_ in FLAGS}
        assert named & found, f"{key}: the page says {said}, the rules {sorted(found)}"
        assert first_stage(named) == first_stage(found), f"{key}: the page says {said}, the rules {sorted(found)}"


def first_stage(rules):
    """Of the stages of some rules the one that comes first in the way of the data."""
    return min(STAGES.index(stage) for rule, stage, _ in FLAGS if rule in rules)
