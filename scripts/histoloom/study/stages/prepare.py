"""What the rules of stage prepare hang on: downloads, readers, raw files, inspection."""

import ast
from collections.abc import Mapping
from typing import Any

from histoloom import plugins
from histoloom.flags import flags
from histoloom.study.raw import is_download, raw_data_digest, receipt_of
from histoloom.study.sections import raw_folder, section
from histoloom.study.workflow import code_with_plugins


class Prepare:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def fetch_flags(self, wildcards: Any) -> list[str]:
        """Where the dataset's files are downloaded from and to, with their digests, and what else there is to do."""
        dataset = self.config["datasets"][wildcards.dataset]
        source, root = dataset.get("source", {}), raw_folder(self.config, wildcards.dataset)
        files = [
            [file["url"], file["sha256"], "yes" if file.get("unpack", True) else "no"]
            for file in source.get("files", [])
        ]
        given, defaults = dataset.get("options", {}), plugins.options("datasets", dataset["reader"])
        told = {key: given.get(key) or ast.literal_eval(defaults[key]) for key in ("licence", "citation")}
        told["steps"] = source.get("steps", "")
        # An empty word is lost on its way through Snakemake's quoting, and a flag without its word ends the script.
        said = {key: text for key, text in told.items() if text}
        return [*(word for file in files for word in ("--file", *file)), *flags({"root": root} | said)]

    def fetched(self, wildcards: Any) -> list[str]:
        """The receipt of a download, for a dataset that has to be downloaded or was, be it in part."""
        return [receipt_of(wildcards.dataset).as_posix()] if is_download(self.config, wildcards.dataset) else []

    def flags(self, wildcards: Any) -> list[str]:
        """Flags of the prepare section and of the dataset's reader."""
        dataset = self.config["datasets"][wildcards.dataset]
        root = raw_folder(self.config, wildcards.dataset)
        reader = {"reader": dataset["reader"], "root": root, "option": dataset.get("options", {})}
        return flags(section(self.config, "prepare", wildcards.dataset) | reader)

    def code(self, wildcards: Any) -> str:
        """Code of the script and of the reader."""
        return code_with_plugins("prepare_dataset", ("datasets", self.config["datasets"][wildcards.dataset]["reader"]))

    def raw_digest(self, wildcards: Any) -> str:
        """Names, sizes and content of the raw data, which is no declared input: copying it would rerun everything."""
        return raw_data_digest(self.config, wildcards.dataset)

    def inspect_code(self, wildcards: Any) -> str:
        """Code of the script, and of the metrics by which it compares two annotators."""
        return code_with_plugins("inspect_dataset", ("metrics", "dice"), ("metrics", "pq"))

    def inspect_flags(self, wildcards: Any) -> list[str]:
        """Flags of the inspect section."""
        return flags(section(self.config, "inspect", wildcards.dataset))
