"""What a config may not choose for splits and stain normalisation, and what it is told then."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            "normalise: {method: makenko}",
            "normalise.method: 'makenko' is no file in scripts/histoloom/normalisers; did you mean 'macenko'? "
            "choices: macenko, reinhard, reinhard_modified",
        ),
        (
            "split: {scheme: list, fold_count: 1}",
            'split.scheme: list; expected split.list, a CSV with the columns name, fold, part; add "list: folds.csv"',
        ),
        ("split: {scheme: list, list: no.csv}", "split.list: no file no.csv; expected a CSV; mend the path"),
        (
            "split: {scheme: official, near_duplicates: join}",
            "split.near_duplicates: join; expected stop or warn, since scheme official fixes the folds; "
            "change one of the two",
        ),
        (
            "split: {fold_count: 1}",
            "split.fold_count: 1; expected 2 or more folds, else nothing is left to train on; raise it, "
            "or set scheme: proportions",
        ),
        (
            "split: {scheme: images, fold_count: 2}",
            "split.fold_count: 2; expected 3 or more, since one fold tests and one validates; raise it, "
            "or set validation: images",
        ),
        (
            "split: {scheme: official, repeats: 2}",
            "split.repeats: 2; expected 1, since scheme official draws nothing; change one of the two",
        ),
        (
            "split: {scheme: list, list: folds.csv, repeats: 2}",
            "split.repeats: 2; expected 1, since scheme list draws nothing; change one of the two",
        ),
    ],
)
def test_what_cannot_be_split_or_normalised_is_told_before_anything_runs(study, values, message):
    Path("folds.csv").write_text("name,fold,part\n")
    found = study(f"datasets: {{demo_breast: {{reader: brecahad, root: ., {values}}}}}\n")
    assert found == [f"study.yaml:1: datasets.demo_breast.{message}"]


def test_splits_that_draw_may_be_repeated(study):
    for scheme in ("grouped", "proportions", "images"):
        text = f"datasets: {{demo_breast: {{reader: brecahad, root: ., split: {{scheme: {scheme}, repeats: 2}}}}}}\n"
        assert study(text) == [], scheme
