"""The parts of a model card that say what a model was made of: data, training, and where all of it came from."""

from collections.abc import Iterator, Mapping, Sequence

from histoloom.prepared import PARTS
from histoloom.report.cards.card_blocks import Block, Facts, Part, Table, Text
from histoloom.report.cards.card_sources import CardSources, Row
from histoloom.report.rendering import duration, number
from histoloom.study.config_words import shown

SECTIONS = ("train", "augment", "tiles", "normalise", "split", "predict", "regions")
MOST_STRATA = 12


def data_part(sources: CardSources) -> Part:
    """What the model learnt from: images, groups, classes, licence, and every warning that comes with them."""
    about = sources.description
    facts = [
        ("dataset", f"{about.name}, read by {about.reader}"),
        ("licence of the data", about.licence or "not stated"),
        ("citation", about.citation or "not stated"),
        ("images", f"{len(sources.index):,} in {len({row['group'] for row in sources.index}):,} groups"),
        ("sizes", _sizes(sources.index)),
        ("resolution", sources.mpp),
        ("classes", ", ".join(about.classes)),
        ("single nuclei", "annotated" if about.has_instances else "not told apart in the truth"),
        ("annotated", f"{sources.annotated_share:.1%} of the pixels"),
        ("strata", _strata(sources.strata_counts)),
        ("raw files left out", str(about.skipped)),
        *((name.replace("_", " "), str(value)) for name, value in about.facts.items()),
    ]
    warnings = tuple(Text(warning, is_note=True) for warning in about.warnings)
    return Part("Data", (Facts(tuple(facts)), *warnings, _fold_table(sources.folds)))


def training_part(sources: CardSources) -> Part:
    """The network, the course of each fold, and every value of the config that decides the weights."""
    network = sources.config["architectures"][sources.architecture]
    train = sources.values("train")
    facts = (
        ("network", network["network"]),
        ("its options", shown(network.get("options", {})) if network.get("options") else "none"),
        ("seed", str(sources.config["study"]["seed"])),
        ("epochs", f"at most {train['epochs']}"),
        ("loss", str(train["loss"])),
        ("optimiser", f"{train['optimiser']}, learning rate {train['learning_rate']}, schedule {train['schedule']}"),
        ("best epoch by", f"{train['select_metric']} of {train['select_class']} on the validation part"),
        ("precision", str(train["precision"])),
        ("stain normalisation", str(sources.values("normalise")["method"])),
    )
    heads = ("fold", "ended", "epochs", "best epoch", "validation score", "validation loss", "steps left out", "time")
    rows = tuple((str(fold), *_course(rows)) for fold, rows in sorted(sources.histories.items()))
    configured = (
        Facts(tuple((key, shown(value)) for key, value in sources.values(name).items()), folded=f"config: {name}")
        for name in SECTIONS
    )
    return Part("Training", (Facts(facts), *_divergence(sources), Table("Folds", heads, rows, names=2), *configured))


def provenance_part(sources: CardSources) -> Part:
    """Study, code, packages and digests: what has to be the same for the same weights."""
    facts = (
        ("study", sources.config["study"]["name"]),
        ("code", f"{sources.commit} (when this card was written)"),
        ("raw data, digest", str(sources.config.get("raw_data", {}).get(sources.dataset, "not recorded"))),
        ("prepared images, SHA-256", sources.image_digest),
        *((f"{name}, SHA-256", digest) for name, digest in sources.weights.items()),
        *sources.versions.items(),
    )
    return Part("Provenance", (Facts(facts),))


def _divergence(sources: CardSources) -> Iterator[Block]:
    if sources.diverged:
        folds = ", ".join(map(str, sources.diverged))
        yield Text(
            f"Training diverged on fold {folds}: loss or gradient became no number. The weights are those before.",
            is_note=True,
        )


def _course(history: Sequence[Row]) -> tuple[str, ...]:
    if not history:
        return ("no epoch", "0", "", "", "", "", "")
    best = [row for row in history if row["best"] == "1"][-1]
    seconds = sum(float(row["seconds"]) for row in history)
    return (
        history[-1]["ended"] or "not ended",
        str(len(history)),
        best["epoch"],
        number(float(best["val_score"])),
        number(float(best["val_loss"])),
        str(sum(int(row["skipped_steps"]) for row in history)),
        duration(seconds),
    )


def _fold_table(folds: Sequence[Row]) -> Table:
    members: dict[tuple[int, str], list[Row]] = {}
    for row in folds:
        members.setdefault((int(row["fold"]), row["part"]), []).append(row)
    rows = tuple(
        (str(fold), *(_members(members.get((fold, part), [])) for part in PARTS))
        for fold in sorted({fold for fold, _ in members})
    )
    return Table("Images (groups) of each fold", ("fold", "training", "validation", "test"), rows)


def _members(rows: Sequence[Row]) -> str:
    return f"{len(rows)} ({len({row['group'] for row in rows})})"


def _sizes(index: Sequence[Row]) -> str:
    sizes = sorted({(int(row["height"]), int(row["width"])) for row in index})
    texts = [f"{height} x {width}" for height, width in sizes]
    return f"{texts[0]} px" if len(texts) == 1 else f"{texts[0]} to {texts[-1]} px" if texts else "no image"


def _strata(counts: Mapping[str, int]) -> str:
    if not counts:
        return "not stated"
    named = [f"{name} ({count})" for name, count in list(counts.items())[:MOST_STRATA]]
    return ", ".join(named) + (f" and {len(counts) - MOST_STRATA} more" if len(counts) > MOST_STRATA else "")
