"""What a run left on disk, so that two runs can be laid side by side: config, code, data and scores of each image."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from histoloom.errors import InputError
from histoloom.prepared import read_description, read_table
from histoloom.report.provenance import data_digest

KEYS = ("dataset", "architecture", "fold", "name", "group", "stratum", "class")  # of scores.csv; the rest are metrics
DIGEST = re.compile(r"'([0-9a-f]{12})'")
CARD = "figures/card_{}.md"  # of an architecture, in a dataset's folder
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """One run's results. `scores` and `classes` are by dataset, for those that were scored.

    `code` gives, for each file that Snakemake made, (rule, fingerprint of its code); it is empty where results were
    copied without Snakemake's own records. `commits` are by "dataset/architecture", as the model cards state them.
    """

    place: str
    config: Mapping[str, Any]
    scores: Mapping[str, pd.DataFrame]
    classes: Mapping[str, tuple[str, ...]]
    images: Mapping[str, str]  # digest of the prepared images
    code: Mapping[str, tuple[str, str]]
    commits: Mapping[str, str]


def read_run(place: Path) -> Run:
    """Read a run from its results folder or, where that has reports of several studies, from one report's folder.

    Raises InputError where the record of the config, or any table of scores, is missing.
    """
    report = _report_folder(place)
    results = report.parents[1]
    config = yaml.safe_load((report / "config.yaml").read_text(encoding="utf-8"))
    tables = {name: results / name / "scores.csv" for name in config["study"]["datasets"]}
    scored = [name for name, table in tables.items() if table.is_file()]
    if not scored:
        raise InputError(
            f"{results}: no <dataset>/scores.csv of {', '.join(tables)}; expected one; run the study first"
        )
    raw_digests = set(config.get("raw_data", {}).values())
    return Run(
        place=str(place),
        config=config,
        scores={name: read_scores(tables[name]) for name in scored},
        classes={name: read_description(results / name / "prepared" / "dataset.json").classes for name in scored},
        images={name: data_digest(read_table(results / name / "prepared" / "index.csv")) for name in scored},
        code=code_fingerprints(results.resolve().parent / ".snakemake" / "metadata", raw_digests),
        commits=_commits(results, scored, config["study"]["architectures"]),
    )


def read_scores(path: Path) -> pd.DataFrame:
    """Read scores.csv: names as text, whatever they look like; metrics as numbers, NaN where undefined."""
    # "NA" and "null" may be names, so that only empty cells of metrics are undefined.
    found = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [key for key in KEYS if key not in found]:
        raise InputError(f"{path}: no column '{missing[0]}'; expected scores of this version; run the study again")
    metrics = [column for column in found if column not in KEYS]
    return found.assign(**{metric: found[metric].mask(found[metric] == "").astype(float) for metric in metrics})


def code_fingerprints(metadata: Path, raw_digests: Collection[str] = ()) -> dict[str, tuple[str, str]]:
    """(Rule, fingerprint of its code) of each file that Snakemake has a record of; {} without such records.

    Params are recorded without their names: a file counts if just one of its params looks like a fingerprint and is
    none of `raw_digests`.
    """
    found = {}
    for path in sorted(file for file in metadata.rglob("*") if file.is_file()):
        # A long name is cut into folders, each but the last part marked with an @.
        encoded = "".join(part.removeprefix("@") for part in path.relative_to(metadata).parts)
        try:
            output = base64.urlsafe_b64decode(encoded).decode()
            record = json.loads(path.read_text(encoding="utf-8"))
        except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError):
            continue  # Snakemake, too, passes over records that were cut off
        digests = {match[1] for match in map(DIGEST.fullmatch, record.get("params") or ()) if match} - {*raw_digests}
        if len(digests) == 1:
            found[output] = (record["rule"], digests.pop())
    return found


def front_matter(text: str) -> dict[str, Any]:
    """The YAML block that opens a Markdown page; {} where there is none.

    >>> front_matter("---\\nlicense: mit\\n---\\n# A page")
    {'license': 'mit'}
    """
    found = FRONT_MATTER.match(text)
    return (yaml.safe_load(found[1]) or {}) if found else {}


def _report_folder(place: Path) -> Path:
    if (place / "config.yaml").is_file():
        return place.resolve()
    reports = sorted(path.parent for path in place.glob("report/*/config.yaml"))
    if not reports:
        raise InputError(
            f"{place}: no report/<study>/config.yaml; expected a results folder, or a study's folder in its report/; "
            "run the study to its end first"
        )
    if len(reports) > 1:
        raise InputError(f"{place}: reports of {len(reports)} studies; expected one; give its folder, say {reports[0]}")
    return reports[0].resolve()


def _commits(results: Path, datasets: Collection[str], architectures: Collection[str]) -> dict[str, str]:
    models = [(dataset, name) for dataset in datasets for name in architectures]
    cards = {f"{dataset}/{name}": results / dataset / CARD.format(name) for dataset, name in models}
    stated = {
        model: front_matter(card.read_text(encoding="utf-8")).get("histoloom", {}).get("commit")
        for model, card in cards.items()
        if card.is_file()
    }
    return {model: commit for model, commit in stated.items() if commit}
