"""Which raw data a dataset has: the digest of its files, or of what was promised for a download."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histoloom.files import digest_of
from histoloom.raw_data import raw_digest
from histoloom.study.sections import raw_folder

CACHE = Path(".snakemake", "raw_data")


def receipt_of(dataset: str) -> Path:
    """Where the receipt of a dataset's download lies."""
    return Path("results", dataset, "source.json")


def is_download(config: Mapping[str, Any], dataset: str) -> bool:
    """Whether a dataset comes by download: it was, has to be, or was begun; not where somebody laid the files there."""
    folder = raw_folder(config, dataset)
    has_files = bool(config["datasets"][dataset].get("source", {}).get("files"))
    was_begun = (folder / ".downloads").is_dir()  # there from the first byte, so a broken download is gone on with
    return has_files and (not folder.is_dir() or was_begun or receipt_of(dataset).is_file())


def raw_data_digest(config: Mapping[str, Any], dataset: str) -> str:
    """12 hex digits of a dataset's raw files, or of the list of downloads that they come from unchanged."""
    # Of a download the digest is not known before it. It then stands in the receipt, and as long as the files are those
    # of the receipt their value here is the one that was there before the download, so nothing is prepared twice.
    folder, receipt = raw_folder(config, dataset), receipt_of(dataset)
    files = config["datasets"][dataset].get("source", {}).get("files", [])
    promised = digest_of(json.dumps(files, sort_keys=True).encode())[:12]
    if is_download(config, dataset) and not (folder.is_dir() and receipt.is_file()):
        return promised
    found = raw_digest(folder, CACHE / f"{dataset}.json")
    is_as_fetched = receipt.is_file() and json.loads(receipt.read_text(encoding="utf-8")).get("content") == found
    return promised if files and is_as_fetched else found
