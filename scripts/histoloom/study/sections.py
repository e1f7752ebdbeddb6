"""What a config says of one dataset and architecture: the stronger of several sections wins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def section(config: Mapping[str, Any], name: str, dataset: str, architecture: str = "") -> dict[str, Any]:
    """A section's values for a dataset and architecture; stronger ones win: section < dataset < architecture < pair."""
    owners = (
        config,
        config["datasets"].get(dataset, {}),
        config["architectures"].get(architecture, {}),
        config["pairs"].get(f"{dataset}/{architecture}", {}),
    )
    return {key: value for owner in owners for key, value in owner.get(name, {}).items()}


def raw_folder(config: Mapping[str, Any], dataset: str) -> Path:
    """The folder of a dataset's raw data; "{samples}" in it stands for study.samples."""
    root = config["datasets"][dataset]["root"]
    return Path(root.replace("{samples}", config["study"].get("samples", "{samples}")))


def fold_count(split: Mapping[str, Any]) -> int:
    """Number of folds that a split section asks for: repeats give further ones."""
    scheme = split["scheme"]
    if scheme in ("grouped", "images"):
        return split["fold_count"] * split["repeats"]
    return split["repeats"] if scheme == "proportions" else split["fold_count"]


def network(config: Mapping[str, Any], architecture: str) -> tuple[str, str]:
    """The plug-in, (kind, name), of an architecture of the catalogue."""
    return "architectures", config["architectures"][architecture]["network"]


def owner(config: Mapping[str, Any], name: str, value: str, dataset: str, architecture: str = "") -> tuple[str, ...]:
    """The key of the strongest section that sets a value: pair, architecture, dataset, or the section itself."""
    owners = (("pairs", f"{dataset}/{architecture}"), ("architectures", architecture), ("datasets", dataset))
    for kind, entry in owners:
        if value in config[kind].get(entry, {}).get(name, {}):
            return kind, entry, name, value
    return name, value
