"""The parts of a model card that say how good a model is: scores, comparisons, strata, spread over folds, costs."""

from collections.abc import Iterator, Sequence

from histoloom.report.cards.card_blocks import Facts, Part, Table, Text
from histoloom.report.cards.card_sources import CardSources, Row, interval_text
from histoloom.report.front.costs import cost_of
from histoloom.report.front.front_page import shared_definition
from histoloom.report.front.verdict import KINDS, MODEL, PUBLISHED, Score, ranked
from histoloom.report.rendering import duration, number, significant

MERGED = ("foreground", "mean", "all")  # classes of which every metric is shown


def scores_part(sources: CardSources) -> Part:
    """Every metric of the merged classes, the headline metric of each class, and what the metrics mean."""
    metric, _ = sources.headline
    merged = [score for score in sources.mine if score.class_name in MERGED and score.mean is not None]
    single = [score for score in sources.mine if score.metric == metric and score.class_name not in MERGED]
    metrics = dict.fromkeys(score.metric for score in sources.mine)
    definitions = tuple((name, shared_definition(_of_metric(sources.mine, name))) for name in metrics)
    lost = sorted({score.metric for score in sources.mine if score.mean is None and score.class_name in MERGED})
    heads = ("metric", "class", "mean", "95 % interval", "images", "groups")
    blocks = [
        Text(
            "All on test images, each predicted by the fold that neither trained nor was selected on it, on the grid "
            "of the annotation. The interval is a bootstrap over groups (patients, cases or slides), so that images of "
            "one group do not pass for independent ones."
        ),
        Table("All classes together", heads, tuple(map(_score_row, merged)), names=2),
    ]
    if single:
        blocks.append(Table(f"{metric} of each class", heads, tuple(map(_score_row, single)), names=2))
    if lost:
        blocks.append(Text(f"Undefined here, as no image has what the definition needs: {', '.join(lost)}."))
    meaning = Facts(
        (
            *definitions,
            ("class foreground", "all classes but background merged into one; of nuclei, all nuclei as one class"),
            ("class mean", "mean over the classes but background of their means, undefined ones left out"),
        ),
        folded="What the metrics mean",
    )
    return Part("Scores", (*blocks, meaning))


def comparison_part(sources: CardSources) -> Part:
    """The model beside baselines, other models, a second annotator and published figures, in the headline score."""
    metric, class_name = sources.headline
    others = [
        score
        for score in ranked(score for score in sources.scores if (score.metric, score.class_name) == sources.headline)
        if score.architecture != sources.architecture
    ]
    others.sort(key=lambda score: KINDS.index(score.kind))
    if not others:
        return Part("Beside others", (Text("Nothing else was scored on these images."),))
    heads = (
        "scored",
        "kind",
        "verdict on this model",
        "its mean",
        "this minus it",
        "95 % interval",
        "p (Holm)",
        "groups",
    )
    rows = tuple(_rival_row(sources, score) for score in others)
    blocks = [
        Table(f"{metric} of {class_name}", heads, rows, names=3),
        Text(
            "Differences are taken image by image. “Better” and “worse” are said only where the interval excludes 0, "
            "Wilcoxon's test over groups (Holm-corrected) gives p below 0.05, and enough groups stand behind both."
        ),
    ]
    sources_of = tuple((one.architecture, one.definition) for one in others if one.kind == PUBLISHED)
    if sources_of:
        blocks.append(Facts(sources_of, folded="Published figures: other images, other definitions"))
    return Part("Beside others", tuple(blocks))


def strata_part(sources: CardSources) -> Part:
    """The headline score of each stratum, lowest first."""
    metric, class_name = sources.headline
    rows = sorted(sources.own_rows(sources.strata), key=lambda row: float(row["mean"] or "inf"))
    if not rows:
        lacking = f"{metric} of {class_name} was not scored by stratum."
        unknown = "The dataset does not say which stratum (such as the tissue) its test images are of."
        return Part("By stratum", (Text(lacking if sources.tested_strata else unknown),))
    heads = ("stratum", "mean", "95 % interval", "images", "groups")
    cells = tuple((row["stratum"], *_numbers(row), row["images"], row["groups"]) for row in rows)
    return Part("By stratum", (Table(f"{metric} of {class_name}, lowest first", heads, cells),))


def spread_part(sources: CardSources) -> Part:
    """How far the folds' means lie apart: what another split of the same data would change."""
    metric, class_name = sources.headline
    rows = sources.own_rows(sources.spread)
    if not rows or int(rows[0]["folds"]) < 2:
        return Part("Spread over folds", (Text(f"{_too_few_folds(sources, rows)}, so the spread is not known."),))
    heads = ("folds", "mean of the folds", "standard deviation", "least", "most")
    cells = tuple(
        (row["folds"], *(number(_value(row[name])) for name in ("mean", "sd", "least", "most"))) for row in rows
    )
    return Part("Spread over folds", (Table(f"{metric} of {class_name}", heads, cells, names=0),))


def costs_part(sources: CardSources) -> Part:
    """What predicting and training cost, and on what machine that was measured."""
    row = next((row for row in sources.costs if row["architecture"] == sources.architecture), None)
    if row is None:
        return Part("Cost", (Text("Not measured."),))
    cost = cost_of(row)
    memory = "not known" if cost.peak_memory_mib is None else f"{significant(cost.peak_memory_mib)} MiB"
    rows = [
        ("prediction, per mm²", duration(cost.seconds_per_mm2) if cost.seconds_per_mm2 else "not known: no mpp stated"),
        ("prediction, per megapixel", duration(cost.seconds_per_megapixel)),
        ("largest memory, in prediction", memory),
        ("parameters", "not known" if cost.parameters is None else f"{int(cost.parameters):,}"),
        ("training of the kept model, one fold", duration(cost.training_seconds)),
        ("measured on", row["device"] or "not recorded"),
    ]
    return Part("Cost", (Facts(tuple(rows)),))


def summary_sentences(sources: CardSources) -> Iterator[str]:
    """The headline score, and what it is beside the best baseline."""
    metric, class_name = sources.headline
    score = sources.main_score
    if score is None or score.mean is None:
        yield f"{metric} of {class_name} is undefined for this model."
        return
    yield (
        f"{metric} of {class_name}: {number(score.mean)} (95 % interval {interval_text(score.low, score.high)}), mean "
        f"over {score.images} test images in {score.groups} groups."
    )
    floor = next(
        (one for one in ranked(_of_headline(sources)) if one.kind == "baseline" and one.mean is not None), None
    )
    if floor and (difference := sources.against(floor.architecture)):
        yield (
            f"Beside the best baseline, {floor.architecture} ({number(floor.mean)}): "
            f"{number(difference.difference, signed=True)}, {difference.judgement}."
        )


def _too_few_folds(sources: CardSources, rows: Sequence[Row]) -> str:
    score, trained = " of ".join(sources.headline), len(sources.histories)
    if trained == 1:
        return "There was one fold"
    if not rows:
        return f"{score} was not scored fold by fold"
    if rows[0]["folds"] == "0":
        return f"{score} is undefined in each of {trained} folds"
    return f"{score} is defined in one of {trained} folds alone"


def _of_headline(sources: CardSources) -> list[Score]:
    return [score for score in sources.scores if (score.metric, score.class_name) == sources.headline]


def _of_metric(scores: list[Score], metric: str) -> list[Score]:
    return [score for score in scores if score.metric == metric]


def _score_row(score: Score) -> tuple[str, ...]:
    key = (score.metric, score.class_name, number(score.mean), interval_text(score.low, score.high))
    return (*key, str(score.images), str(score.groups))


def _rival_row(sources: CardSources, score: Score) -> tuple[str, ...]:
    kind = score.kind if score.kind != MODEL else "other model"
    difference = sources.against(score.architecture)
    if difference is None:
        return (score.architecture, kind, "not compared", number(score.mean), "", "", "", str(score.groups))
    p = "none" if difference.p_holm is None else f"{difference.p_holm:.2g}"
    return (
        score.architecture,
        kind,
        difference.judgement,
        number(score.mean),
        number(difference.difference, signed=True),
        interval_text(difference.low, difference.high, signed=True),
        p,
        str(difference.groups),
    )


def _numbers(row: dict[str, str]) -> tuple[str, str]:
    return number(_value(row["mean"])), interval_text(_value(row["low"]), _value(row["high"]))


def _value(text: str) -> float | None:
    return float(text) if text else None
