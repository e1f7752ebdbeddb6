"""One config of several files: sections merge key by key, entries of the catalogues are replaced whole.

Snakemake itself merges everything key by key; then an architecture of the demo's name would inherit the demo's options.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from histoloom.study.text import read_config_text

CATALOGUES = ("datasets", "architectures", "pairs")


def read_config(files: Sequence[Path | str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The config that `files`, later ones stronger, and `overrides` (from --config) state, as `merged` lays them."""
    return merged([read_config_text(Path(file)).values for file in files], overrides)


def merged(layers: Sequence[Mapping[str, Any]], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `layers` (files) upon each other, entries of catalogues whole, and `overrides` on top key by key.

    >>> base = {"datasets": {"a": {"reader": "pannuke", "root": "x"}}, "train": {"epochs": 5, "flip": True}}
    >>> merged([base, {"datasets": {"a": {"root": "y"}}, "train": {"epochs": 9}}], {})
    {'datasets': {'a': {'root': 'y'}}, 'train': {'epochs': 9, 'flip': True}}
    """
    config: dict[str, Any] = {}
    for layer in layers:
        for name in CATALOGUES:
            _remove_entries(config.get(name), layer.get(name))
        merge(config, layer)
    merge(config, overrides)
    return config


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay `over` upon `base`, in place: dicts by key, anything else is replaced.

    >>> base = {"a": {"b": 1, "c": [1]}}
    >>> merge(base, {"a": {"c": [2]}})
    >>> base
    {'a': {'b': 1, 'c': [2]}}
    """
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = copy.deepcopy(value)


def _remove_entries(catalogue: Any, stated: Any) -> None:
    if isinstance(catalogue, dict) and isinstance(stated, Mapping):
        for name in stated:
            catalogue.pop(name, None)
