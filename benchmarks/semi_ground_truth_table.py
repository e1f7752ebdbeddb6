"""The tables of benchmarks/semi_ground_truth.md, from the lines that benchmarks/semi_ground_truth.py wrote."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from real_samples import processor, reading

from histoloom.evaluate.statistics.bootstrap import interval
from histoloom.rounds.verdict import verdict

Line = Mapping[str, Any]
METRICS = ("Dice", "IoU")  # the columns of a line's scores, after the group
CEILING, GOAL = "dense", 1 / 3
RESAMPLES = 10_000


def tables(lines: Sequence[Line], path: Path) -> str:
    """The whole file; what a person wrote under "Reading" stays."""
    datasets = dict.fromkeys(line["dataset"] for line in lines)
    parts = [text for name in datasets for text in section([line for line in lines if line["dataset"] == name], name)]
    return "\n".join([introduction(), *parts, reading(path)])


def introduction() -> str:
    """What was run and how to read it."""
    return f"""# Semi-ground truth

Made by `python benchmarks/semi_ground_truth.py` with the flags in its first lines, one thread a run on {os.cpu_count()}
cores shared with other work, {processor()}, no GPU, Python {platform.python_version()}. The workflow's own scripts,
called in one process a seed, with the config `benchmarks/semi_ground_truth.yaml`: `unet_small`, the recipe of
[accuracy.md](accuracy.md). A training takes 24 to 48 seconds of a core.

Dense truth is reduced to strokes of a pen 5 px wide by `scripts/draw_strokes.py`, to 1, 5 or 20 % of each image's
pixels (`sparse_1`, `sparse_5`, `sparse_20`), in training and validation images. They alone train, and choose epochs and
rounds. Test images keep their dense truth: scores are means over test images of all foreground as one class. `dense` is
trained and validated on the whole truth of the same images. Seeds draw images, strokes and weights; seed and number of
views are the same in all rows.

- **nuclei**: CoNSeP patches of 256 px, nuclei of all kinds as one class. A fold (four tiles, 64 patches) is tested,
  another one by each seed; two of the other eight tiles validate (32 patches), two patches of each of the remaining six
  train. The parts of the rounds are whole tiles.
- **slide**: the same patches, as though the four tiles of a fold were one slide of which somebody annotates a little:
  of each tile three patches train, two validate, eleven are tested. The parts of the rounds are patches.
- **tumour**: ten tiles of 640 px of one patient's oral squamous cell carcinoma, tumour against the rest: five train,
  two validate, three are tested, others by each seed. The parts of the rounds are tiles.

What was tried, on the strokes of `sparse_5`:

- `default`: the section `rounds` of the default config; `default_1` and `default_20` the same, but on the strokes of
  `sparse_1` and `sparse_20`;
- `wide`: confidence 0.8 instead of 0.9, no cap, accepted pixels with weight 1, one round;
- `wide_seen`: the same, but labelled by the model that was trained on the image;
- `near_seen`: as `wide_seen`, but nuclei are accepted within 8 px of a drawn nucleus alone;
- `background`: `default`, but background alone is accepted; `background_wide`: `wide` likewise; `background_sure` with
  confidence 0.9, `background_light` with weight 0.5;
- `mean_teacher`: no rounds, but the squared difference to the averaged network's probabilities as a further term
  (weight 5) on all pixels (Tarvainen and Valpola 2017);
- `rest`: no rounds and no model's labels: all that nobody drew counts as background with weight 0.03, as unlabelled
  examples beside positive ones (Elkan and Noto 2008); `rest_heavy` with weight 0.1.

With rounds the score is that of the round that scored best (IoU) on people's pixels of the validation images; round 0
is the training on the strokes alone.

Differences are paired, over images where both scores are defined (a patch without nuclei has none, unless one is found
in it); their 95 % intervals are a bootstrap that draws seeds, then tiles among each one's test images. Three seeds are
few.
"""


def section(lines: Sequence[Line], dataset: str) -> list[str]:
    """All tables of a dataset."""
    seeds, floors = sorted({line["seed"] for line in lines}), floors_of(lines)
    arms = list(floors)
    kept = {(arm, seed): kept_line(lines, arm, seed) for arm in arms for seed in seeds}
    kept = {key: line for key, line in kept.items() if line}
    rules = [arm for arm in arms if any(line["round"] for line in lines if line["arm"] == arm)]
    return [
        f"## {dataset}",
        "",
        *score_table(kept, arms, seeds, set(rules)),
        *gap_table(kept, floors, seeds),
        *round_table(lines, rules),
    ]


def floors_of(lines: Sequence[Line]) -> dict[str, str]:
    """Of each arm the strokes that it was trained on, by which its gain is counted; the arms in the tables' order."""
    strokes = {line["arm"]: line["strokes"] for line in lines}
    drawn = sorted({arm for arm in strokes if arm.startswith("sparse_")}, key=lambda arm: int(arm.split("_")[1]))
    order = [CEILING, *drawn, *(arm for arm in strokes if arm not in (CEILING, *drawn))]
    return {arm: strokes[arm] for arm in order if arm in strokes}


def kept_line(lines: Sequence[Line], arm: str, seed: int) -> Line | None:
    """The line of the round that people's held-out pixels chose; None where the arm was not run for the seed."""
    rounds = sorted(
        (line for line in lines if (line["arm"], line["seed"]) == (arm, seed)), key=lambda line: line["round"]
    )
    if not rounds or not (rounds[-1]["round"] or rounds[-1]["is_last"]):
        return None
    return rounds[verdict([line["val"] for line in rounds], len(rounds), len(rounds)).best]


def score_table(
    kept: Mapping[tuple[str, int], Line], arms: Sequence[str], seeds: Sequence[int], rules: set[str]
) -> list[str]:
    """Scores of each arm by seed; of rounds, which one was chosen."""
    header = " | ".join(f"Dice, seed {seed}" for seed in seeds)
    rows = [f"| trained on | {header} | mean Dice | mean IoU |", "|---|" + "---|" * (len(seeds) + 2)]
    for arm in arms:
        found = [kept.get((arm, seed)) for seed in seeds]
        cells = [cell(line, arm in rules) for line in found]
        means = [f"{mean_score(found, column):.3f}" if all(found) else "" for column in range(2)]
        if any(found):
            rows.append(f"| {' | '.join([arm, *cells, *means])} |")
    return [*rows, ""]


def cell(line: Line | None, has_rounds: bool) -> str:
    """A seed's Dice, and the round that was chosen."""
    if line is None:
        return "not run"
    chosen = f" (round {line['round']})" if has_rounds else ""
    return f"{mean_score([line], 0):.3f}{chosen}"


def mean_score(lines: Sequence[Line], column: int) -> float:
    """Mean over seeds of the mean over test images where the score is defined."""
    return float(np.mean([np.nanmean([value(row[1 + column]) for row in line["scores"].values()]) for line in lines]))


def value(score: float | None) -> float:
    """A score as a number, NaN where undefined."""
    return np.nan if score is None else score


def gap_table(kept: Mapping[tuple[str, int], Line], floors: Mapping[str, str], seeds: Sequence[int]) -> list[str]:
    """What dense truth is better by than strokes, and each rule than its strokes, also as a share of that gap."""
    rows = [
        "| better by | than | seeds | Dice | IoU | share of the gap in Dice | in IoU | goal of a third |",
        "|---|---|---|---|---|---|---|---|",
    ]
    gaps = [(CEILING, arm) for arm, floor in floors.items() if arm == floor != CEILING]
    for arm, floor in [*gaps, *((arm, floor) for arm, floor in floors.items() if arm != floor)]:
        shared = [seed for seed in seeds if all((name, seed) in kept for name in (arm, floor, CEILING))]
        if not shared:
            continue
        compared = [gains([kept[name, seed] for name in (floor, CEILING, arm)]) for seed in shared]
        drawn = resampled(compared, np.random.default_rng(0))
        point = np.mean([np.nanmean(np.concatenate(groups), axis=0) for groups in compared], axis=0)
        differences = [with_interval(point[metric, 1], drawn[:, metric, 1]) for metric in range(2)]
        shares = ["", "", ""] if arm == CEILING else gap_shares(point, drawn)
        rows.append(f"| {arm} | {floor} | {len(shared)} | {' | '.join([*differences, *shares])} |")
    return [*rows, ""]


def gains(lines: Sequence[Line]) -> list[Float64[np.ndarray, "images metrics arms"]]:
    """By group: of each test image what CEILING and the arm are better by than the strokes, in Dice and in IoU."""
    floor, *others = (line["scores"] for line in lines)
    groups: dict[str, list[np.ndarray]] = {}
    for name, (group, *base) in floor.items():
        rows = [
            [value(score) - value(low) for score, low in zip(other[name][1:], base, strict=True)] for other in others
        ]
        groups.setdefault(group, []).append(np.array(rows).T)
    return [np.array(images) for images in groups.values()]


def resampled(
    compared: Sequence[Sequence[Float64[np.ndarray, "images metrics arms"]]], rng: np.random.Generator
) -> Float64[np.ndarray, "resamples metrics arms"]:
    """Mean gains of resamples: seeds are drawn, then the groups of each drawn seed."""
    sums = [np.array([np.nansum(group, axis=0) for group in groups]) for groups in compared]
    counts = [np.array([(~np.isnan(group)).sum(axis=0) for group in groups]) for groups in compared]
    drawn = []
    for _ in range(RESAMPLES):
        means = []
        for seed in rng.integers(len(sums), size=len(sums)):
            groups = rng.integers(len(sums[seed]), size=len(sums[seed]))
            means.append(sums[seed][groups].sum(axis=0) / np.maximum(counts[seed][groups].sum(axis=0), 1))
        drawn.append(np.mean(means, axis=0))
    return np.array(drawn)


def gap_shares(
    point: Float64[np.ndarray, "metrics arms"], drawn: Float64[np.ndarray, "resamples metrics arms"]
) -> list[str]:
    """The share of the gap that is closed, in Dice and IoU; resamples without a gap have none."""
    cells = []
    for metric in range(2):
        gap, gain = drawn[:, metric, 0], drawn[:, metric, 1]
        shares = np.divide(gain, gap, out=np.full(gap.shape, np.nan), where=gap > 0)
        cells.append(with_interval(point[metric, 1] / point[metric, 0], shares))
    met = point[:, 1] >= GOAL * point[:, 0]
    return [*cells, "met" if met.all() else "missed"]


def with_interval(point: float, drawn: Float64[np.ndarray, " resamples"]) -> str:
    """A value with its interval."""
    low, high = interval(drawn)
    return f"{point:.3f} ({low:.3f} to {high:.3f})"


def round_table(lines: Sequence[Line], rules: Sequence[str]) -> list[str]:
    """What each round came to, chosen or not, and how right it was in what it accepted; means over its seeds."""
    if not rules:
        return []
    rows = [
        "| rule, round | seeds | Dice on test images: strokes alone, round | score on people's held-out pixels: "
        "strokes alone, round | accepted, share of all training pixels | right: background, foreground | of the "
        "foreground is accepted |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in rules:
        own = [line for line in lines if line["arm"] == arm]
        for number in sorted({line["round"] for line in own} - {0}):
            of_round = [line for line in own if line["round"] == number]
            seeds = [line["seed"] for line in of_round]
            pair = [[line for line in own if line["round"] == 0 and line["seed"] in seeds], of_round]
            dices = ", ".join(f"{mean_score(each, 0):.3f}" for each in pair)
            held_out = ", ".join(f"{np.mean([line['val'] for line in each]):.3f}" for each in pair)
            cells = [f"{arm}, {number}", str(len(seeds)), dices, held_out, *accepted_cells(of_round)]
            rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


def accepted_cells(of_round: Sequence[Line]) -> list[str]:
    """Pixels accepted, against the dense truth."""
    accepted = np.sum([line["accepted"] for line in of_round], axis=0)  # classes x (accepted, right, of the class)
    pixels = accepted[:, 2].sum()
    right = [f"{found / named:.3f}" if named else "none" for named, found, _ in accepted]
    return [
        f"{accepted[:, 0].sum() / pixels:.3f}",
        ", ".join(right),
        f"{accepted[1:, 1].sum() / accepted[1:, 2].sum():.3f}",
    ]
