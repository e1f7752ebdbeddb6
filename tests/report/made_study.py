"""A finished study's tables, made by hand: one dataset, two folds, two models and a baseline."""

from pathlib import Path

import yaml

from histoloom.files import write_json, write_table

EVIL = "<script>alert(1)</script> | *x* {{ 7*7 }}"
DATASET = "toy"
CLASSES = ("background", "tumour", EVIL)
GROUPS = tuple(f"case{number}" for number in range(8))
SCORES = ("dataset", "architecture", "fold", "name", "group", "stratum", "class", "dice", "hd95")
CONFIG = {
    "study": {
        "name": EVIL,
        "seed": 0,
        "datasets": [DATASET],
        "architectures": ["unet", "tiny"],
        "baselines": ["otsu"],
    },
    "datasets": {DATASET: {"reader": "folder", "root": "data/toy"}},
    "architectures": {"unet": {"network": "unet", "options": {"width": 8}}, "tiny": {"network": "unet_small"}},
    "pairs": {"toy/unet": {"train": {"epochs": 3}}},
    "train": {
        "epochs": 9, "loss": "dice", "optimiser": "adam", "learning_rate": 0.001, "schedule": "cosine",
        "select_metric": "dice", "select_class": "foreground", "precision": "auto",
    },
    "augment": {"flip": True, "noise": 0.0},
    "tiles": {"downsample": 1, "tile_px": 64, "stride_px": 64},
    "normalise": {"method": "none"},
    "split": {"scheme": "grouped", "fold_count": 2, "validation": "images"},
    "predict": {
        "overlap": 4, "window": "hann", "window_px": 0, "tta": False, "batch_size": 8, "precision": "auto",
        "compile": False, "method": "watershed", "method_options": {}, "min_area_px": 30, "tune": {},
        "tune_metric": "pq",
    },
    "regions": {"unit": "um", "kernel": "none"},
    "evaluate": {"metrics": ["dice", "hd95"], "bootstrap": 200},
    "report": {"headline_metric": "dice", "headline_class": "foreground"},
    "raw_data": {DATASET: "0123456789ab"},
}  # fmt: skip


def write_study(results: Path, unet: float = 0.8, config: dict = CONFIG, slug: str = "toy") -> Path:
    """Write all tables below `results`; `unet` is the Dice of that model in every image. Gives the report's folder."""
    folder = results / DATASET
    _write_data(folder)
    rows = [row for name, dice in (("unet", unet), ("tiny", 0.7), ("otsu", 0.5)) for row in _scores_of(name, dice)]
    write_table(folder / "scores.csv", SCORES, rows)
    _write_tables(folder)
    for fold in (0, 1):
        _write_fold(folder / "unet" / f"fold{fold}", has_diverged=fold == 1)
    report = results / "report" / slug
    report.mkdir(parents=True, exist_ok=True)
    (report / "config.yaml").write_text(yaml.safe_dump(config))
    return report


def card_flags(results: Path, report: Path) -> list[str]:
    """The words of write_model_card.py for the model unet; the card goes where the workflow has it."""
    folder = results / DATASET
    model = folder / "unet"
    named = {
        "dataset": folder / "prepared" / "dataset.json",
        "index": folder / "prepared" / "index.csv",
        "folds": folder / "folds.csv",
        "measures": folder / "inspection" / "images.csv",
        "config": report / "config.yaml",
        "markdown": folder / "figures" / "card_unet.md",
        "html": folder / "figures" / "card_unet.html",
    }
    tables = ("summary", "comparison", "strata", "fold-spread", "costs")
    named |= {name: folder / f"{name.replace('-', '_')}.csv" for name in tables}
    flags = [word for name, path in named.items() for word in (f"--{name}", str(path))]
    folds = [model / f"fold{fold}" for fold in (0, 1)]
    flags += ["--history", *(str(fold / "history.csv") for fold in folds)]
    return [*flags, "--model", *(str(fold / "model.safetensors") for fold in folds), "--architecture", "unet"]


def _write_data(folder: Path) -> None:
    about = {
        "name": DATASET, "reader": "folder", "classes": CLASSES, "has_instances": False, "licence": EVIL,
        "citation": EVIL, "facts": {EVIL: EVIL}, "warnings": [EVIL], "skipped": 2,
    }  # fmt: skip
    write_json(folder / "prepared" / "dataset.json", about)
    names = [(f"{group}_{number}", group) for group in GROUPS for number in (0, 1)]
    columns = ("name", "height", "width", "mpp", "group", "stratum", "sha256")
    index = [
        (name, 10, 20, 0.25, group, EVIL if number < 4 else "Skin", "ab") for number, (name, group) in enumerate(names)
    ]
    write_table(folder / "prepared" / "index.csv", columns, index)
    parts = [(fold, part, name, group) for fold in (0, 1) for name, group in names for part in [_part(fold, group)]]
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), parts)
    measured = [(name, 10, 20, 50) for name, _ in names]  # a quarter of the pixels
    write_table(folder / "inspection" / "images.csv", ("name", "height", "width", "annotated_px"), measured)


def _part(fold: int, group: str) -> str:
    number = GROUPS.index(group)
    if number % 2 == fold:
        return "test"
    return "val" if number in (6, 7) else "train"


def _scores_of(architecture: str, dice: float) -> list[tuple]:
    rows = []
    for place, group in enumerate(GROUPS):
        for number in (0, 1):
            key = (DATASET, architecture, place % 2, f"{group}_{number}", group, "Skin")
            # Images differ, so that means are not those of one image; both classes have the same Dice.
            value = round(dice + place / 100, 6)
            rows += [(*key, name, value, 10 - 10 * value) for name in ("foreground", "mean", *CLASSES)]
    return rows


def _write_tables(folder: Path) -> None:
    definition = (
        "Sørensen-Dice overlap in [0, 1]; all classes but background merged; image mean: over images where defined."
    )
    columns = ("dataset", "architecture", "kind", "metric", "class", "mean", "low", "high", "images", "groups",
               "definition", "skipped", "diverged")  # fmt: skip
    means = [
        ("unet", "model", 0.835, 0.82, 0.85),
        ("tiny", "model", 0.735, 0.72, 0.75),
        ("otsu", "baseline", 0.535, 0.52, 0.55),
    ]
    rows = [
        (DATASET, *one[:2], "dice", name, *one[2:], 16, 8, definition, 2, "1" if one[0] == "unet" else "")
        for one in means
        for name in ("foreground", "mean", "tumour")
    ]
    rows.append((DATASET, "unet", "model", "dice", EVIL, None, None, None, 0, 0, definition, 2, "1"))
    rows.append(
        (DATASET, EVIL, "published", "dice", "foreground", 0.9, None, None, 100, 9, f"Other 2020; {EVIL}.", 0, "")
    )
    write_table(folder / "summary.csv", columns, rows)
    compared = ("dataset", "metric", "class", "first", "second", "difference", "low", "high", "images", "groups",
                "skipped", "p", "p_holm")  # fmt: skip
    pairs = [("unet", "tiny"), ("unet", "otsu")]
    values = (0.1, 0.09, 0.11), (0.3, 0.28, 0.32)
    write_table(folder / "comparison.csv", compared, [
        (DATASET, "dice", "foreground", *pair, *three, 16, 8, 2, 0.0078, 0.0156)
        for pair, three in zip(pairs, values, strict=True)
    ])  # fmt: skip
    key = (DATASET, "unet", "model", "dice", "foreground")
    heads = ("dataset", "architecture", "kind", "metric", "class")
    strata = [(*key, "Skin", 0.9, 0.85, 0.95, 12, 6), (*key, EVIL, 0.4, None, None, 4, 1)]
    write_table(folder / "strata.csv", (*heads, "stratum", "mean", "low", "high", "images", "groups"), strata)
    spread = [(*key, 2, 0.83, 0.01, 0.82, 0.84)]
    write_table(folder / "fold_spread.csv", (*heads, "folds", "mean", "sd", "least", "most"), spread)
    costs = ("seconds_per_mm2", "seconds_per_megapixel", "peak_memory_mib", "parameters", "training_seconds", "device")
    write_table(folder / "costs.csv", (*heads[:3], *costs), [(*key[:3], 1.5, 0.094, 812.25, 1234567, 75, "cpu")])


def _write_fold(folder: Path, has_diverged: bool) -> None:
    columns = ("epoch", "learning_rate", "train_loss", "val_loss", "val_score", "seconds", "images_per_second", "best",
               "steps", "skipped_steps", "ended")  # fmt: skip
    ended = "diverged" if has_diverged else "finished"
    rows = [(1, 0.001, 0.9, 0.8, 0.5, 20, 9, 1, 10, 0, ""), (2, 0.001, 0.8, 0.7, 0.625, 25, 9, 1, 10, 0, ""),
            (3, 0.001, 0.8, 0.7, 0.6, 30, 9, 0, 10, 1, ended)]  # fmt: skip
    write_table(folder / "history.csv", columns, rows)
    (folder / "model.safetensors").write_bytes(b"weights")
