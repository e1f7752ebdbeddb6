"""Stored facts come back as they were, only those asked for are read, and a damaged file is named."""

from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.evaluate.counting.stored_counts import Counts, read_counts, write_counts
from histoloom.evaluate.scores import class_scores
from histoloom.evaluate.statistics.averaging import pooled
from histoloom.evaluate.statistics.bootstrap import resample
from tests.evaluate.tables.made_counts import CLASSES, made_counts

SCORES = ("brier", "brier_skill", "ece", "auroc", "auprc")
MANY = 3_000_000_000  # more than 2^31; twice as many are more than 2^32


def counts_of(architecture="unet", fold=0, **facts) -> Counts:
    made = made_counts([0.25, 0.5], "ab", architecture, folds=[fold, fold])
    return replace(made, facts={**made.facts, **facts})


def histograms():
    """Half of the pixels of image 0 are of the class, two of image 1; half of these have probability 1, all else 0."""
    found = np.zeros((2, 2, 512), np.int64)
    found[:, :, 0], found[:, :, 256], found[:, :, 256 + 255] = [[MANY], [MANY]], [[MANY // 2], [1]], [[MANY // 2], [1]]
    return found


def written(path, counts):
    write_counts(path, counts)
    return path


def damage(path, name):
    """Turn bytes in the middle of one stored array around."""
    with ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
    stored = bytearray(path.read_bytes())
    middle = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    for place in range(middle, middle + 8):
        stored[place] ^= 0xFF
    path.write_bytes(stored)


def test_all_facts_come_back_by_architecture_and_fold(tmp_path):
    parts = [counts_of(name, fold, pairs=np.full((2, 2, 4), fold + 0.5)) for fold in (0, 1) for name in ("unet", "fpn")]
    paths = [written(tmp_path / f"{place}.npz", part) for place, part in enumerate(parts)]
    found = read_counts(paths, 2)
    assert [(one.architecture, one.images["fold"].tolist()) for one in found] == [
        ("unet", [0, 0, 1, 1]),
        ("fpn", [0, 0, 1, 1]),
    ]
    assert found[0].facts["pairs"][:, 0, 0].tolist() == [0.5, 0.5, 1.5, 1.5]
    assert found[1].facts["confusion"][:, 1, 1].tolist() == [250, 500, 250, 500]


def test_facts_that_are_not_asked_for_are_not_even_read(tmp_path):
    path = written(tmp_path / "c.npz", counts_of(pairs=np.random.default_rng(0).random((2, 2, 4))))
    damage(path, "fact_pairs")
    (found,) = read_counts([path], 2, ["confusion", "probabilities"])
    assert list(found.facts) == ["confusion"]
    assert dict(read_counts([path], 2, [])[0].facts) == {}
    with pytest.raises(
        InputError, match=r"c\.npz: cannot be read \(.*; expected the counts of a fold; delete the file"
    ):
        read_counts([path], 2)


@pytest.mark.parametrize("kept", [0, 3, 200, -40])
def test_a_truncated_file_is_named(tmp_path, kept):
    path = written(tmp_path / "c.npz", counts_of())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"c\.npz: cannot be read"):
        read_counts([path], 2)


@pytest.mark.parametrize("facts", [{}, {"confusion": np.ones((2, 4), np.int64)}])
def test_a_file_without_confusion_matrices_is_named(tmp_path, facts):
    made = made_counts([0.25, 0.5], "ab")
    path = tmp_path / "c.npz"
    images = {name: made.images[name].to_numpy() for name in ("fold",)}
    texts = {name: made.images[name].to_numpy(np.str_) for name in ("name", "group", "stratum")}
    none = np.array([], np.str_)
    about = {"dataset": "lab", "architecture": "unet", "unit": "px", "size_names": none, "lengths": none}
    np.savez(path, **about, **images, **texts, **{f"fact_{name}": each for name, each in facts.items()})
    with pytest.raises(InputError, match=r"c\.npz: cannot be read"):
        read_counts([path], 2)


def test_counts_of_other_classes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"counts of 2 classes; expected 3 as in dataset\.json"):
        read_counts([written(tmp_path / "c.npz", counts_of())], 3)


def test_folds_with_other_facts_are_refused(tmp_path):
    paths = [
        written(tmp_path / "0.npz", counts_of(pairs=np.zeros((2, 2, 4)))),
        written(tmp_path / "1.npz", counts_of(fold=1)),
    ]
    with pytest.raises(InputError, match=r"1\.npz: other facts, unit or sizes than in .*0\.npz"):
        read_counts(paths, 2)


def test_probabilities_take_half_the_room_and_give_the_same_scores(tmp_path):
    whole = counts_of(probabilities=histograms())
    (found,) = read_counts([written(tmp_path / "c.npz", whole)], 2)
    assert found.facts["probabilities"].dtype == np.uint32
    drawn = resample("ab", 50, np.random.default_rng(0))
    for metric in SCORES:
        first, second = (class_scores(metric, each.facts["probabilities"], CLASSES) for each in (whole, found))
        assert {name: each.tolist() for name, each in first.items()} == {
            name: each.tolist() for name, each in second.items()
        }
        assert pooled(whole, metric, CLASSES, drawn) == pooled(found, metric, CLASSES, drawn)


def test_pooled_probabilities_do_not_overflow(tmp_path):
    # Of 9e9 + 2 pixels 1.5e9 + 1 of the class were missed; image by image, 1.5e9 of 6e9 and 1 of 3e9 + 2.
    (found,) = read_counts([written(tmp_path / "c.npz", counts_of(probabilities=histograms()))], 2)
    of_images = class_scores("brier", found.facts["probabilities"], CLASSES)["nucleus"]
    assert of_images == pytest.approx([0.25, 1 / (MANY + 2)])
    mean = pooled(found, "brier", CLASSES, resample("ab", 9, np.random.default_rng(0)))["nucleus"].mean
    assert mean == pytest.approx((MANY // 2 + 1) / (3 * MANY + 2))


def test_the_same_counts_give_the_same_bytes_whatever_kind_their_probabilities_are(tmp_path):
    first = written(tmp_path / "a.npz", counts_of(probabilities=histograms()))
    second = written(tmp_path / "b.npz", counts_of(probabilities=histograms().astype(np.float64)))
    assert first.read_bytes() == second.read_bytes()
