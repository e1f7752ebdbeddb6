"""Folds: every image tested once, groups whole, leaks named."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.files import write_table
from histoloom.prepared import INDEX_COLUMNS, IndexRow, part_names
from histoloom.split.splits import Member, check_leaks, split_grouped, split_official

SCRIPT = Path(__file__).parents[2] / "scripts" / "split_dataset.py"


def row(name, group="", stratum="", fold=None, pixels=None):
    nowhere = Path("unread.png")
    return IndexRow(name, nowhere, nowhere, None, 8, 8, None, group, stratum, fold, "", pixels or f"sha-{name}")


def rows(*sizes, strata=None):
    """Groups g0, g1, ... of the given numbers of images."""
    strata = strata or [""] * len(sizes)
    return [
        row(f"g{group}-{image}", f"g{group}", stratum)
        for group, (size, stratum) in enumerate(zip(sizes, strata, strict=True))
        for image in range(size)
    ]


def groups_of(members, fold, part):
    return {member.group for member in members if (member.fold, member.part) == (fold, part)}


def names_tested(members, fold):
    return [member.name for member in members if (member.fold, member.part) == (fold, "test")]


def test_equal_groups_are_shared_equally():
    members = split_grouped(rows(2, 2, 2, 2, 2, 2), 3, "groups", 0.2, seed=0)
    for fold in range(3):
        for part in ("train", "val", "test"):
            assert len(groups_of(members, fold, part)) == 2


def test_a_large_group_is_evened_out_by_small_ones():
    members = split_grouped(rows(6, 4, 4, 2, 2), 3, "groups", 0.2, seed=5)
    tested = Counter(member.fold for member in members if member.part == "test")
    assert tested == {0: 6, 1: 6, 2: 6}


def test_each_stratum_is_in_each_fold():
    strata = ["breast"] * 3 + ["colon"] * 3 + ["skin"] * 3
    index = rows(*[4] * 9, strata=strata)
    stratum_of = {image.name: image.stratum for image in index}
    for seed in range(5):
        members = split_grouped(index, 3, "groups", 0.2, seed)
        for fold in range(3):
            tested = Counter(stratum_of[name] for name in names_tested(members, fold))
            assert tested == {"breast": 4, "colon": 4, "skin": 4}


def test_the_next_fold_validates():
    members = split_grouped(rows(1, 1, 1, 1), 4, "groups", 0.2, seed=1)
    for fold in range(4):
        assert groups_of(members, fold, "val") == groups_of(members, (fold + 1) % 4, "test")


def test_validation_by_images_takes_its_fraction_of_the_groups_not_tested():
    members = split_grouped(rows(10, 10, 10), 3, "images", 0.25, seed=1)
    for fold in range(3):
        counts = Counter(member.part for member in members if member.fold == fold)
        assert counts == {"test": 10, "val": 5, "train": 15}


def test_validation_by_images_takes_at_least_one():
    members = split_grouped(rows(2, 2, 2), 3, "images", 0.001, seed=1)
    assert Counter(member.part for member in members if member.fold == 0)["val"] == 1


def test_another_seed_gives_other_folds():
    index = rows(*[1] * 12)
    splits = {tuple(split_grouped(index, 3, "groups", 0.2, seed)) for seed in range(5)}
    assert len(splits) == 5


def test_more_folds_than_groups_is_refused():
    with pytest.raises(InputError, match=r"2 groups \(g0, g1\); expected at least 3.*lower split.fold_count"):
        split_grouped(rows(4, 4), 3, "groups", 0.2, seed=0)


def test_two_folds_with_validation_by_groups_leave_no_training():
    index = rows(1, 1, 1, 1)
    members = split_grouped(index, 2, "groups", 0.2, seed=0)
    with pytest.raises(InputError, match=r"fold 0 has no image in train"):
        check_leaks(members, index)


def test_the_official_rotation_is_pannukes():
    index = [row(f"p{fold}", f"p{fold}", fold=fold) for fold in (2, 3, 1)]
    members = split_official(index, 3)
    check_leaks(members, index)
    parts = [{member.part: member.name for member in members if member.fold == fold} for fold in range(3)]
    assert parts == [
        {"train": "p1", "val": "p2", "test": "p3"},
        {"train": "p2", "val": "p1", "test": "p3"},
        {"train": "p3", "val": "p2", "test": "p1"},
    ]


def test_fewer_official_splits_are_the_first_ones():
    index = [row(f"p{fold}", f"p{fold}", fold=fold) for fold in (1, 2, 3)]
    assert split_official(index, 2) == [member for member in split_official(index, 3) if member.fold < 2]


@pytest.mark.parametrize("folds", [(1, 2), (0, 1, 2), (1, 2, 3, 4), (None,), (1, 2, 3, None)])
def test_other_official_folds_are_refused(folds):
    with pytest.raises(InputError, match="expected exactly 1, 2, 3"):
        split_official([row(f"p{fold}", fold=fold) for fold in folds], 3)


def test_a_fourth_official_split_is_refused():
    with pytest.raises(InputError, match=r"split.fold_count: 5; expected at most 3"):
        split_official([row(f"p{fold}", fold=fold) for fold in (1, 2, 3)], 5)


INDEX = [row("a", "one"), row("b", "two"), row("c", "three"), row("d", "three")]
SOUND = [Member(0, "train", "a", "one"), Member(0, "val", "b", "two"), Member(0, "test", "c", "three")]


def test_a_sound_table_passes():
    check_leaks(SOUND, INDEX)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_group_in_test_and_elsewhere_is_refused(part):
    with pytest.raises(InputError, match=rf"one group in two parts: 'd' \({part}\) and 'c' \(test\), group 'three'"):
        check_leaks([*SOUND, Member(0, part, "d", "three")], INDEX)


def test_an_image_in_two_parts_is_refused():
    with pytest.raises(InputError, match=r"one image in two parts: 'c' \(train\) and 'c' \(test\)"):
        check_leaks([*SOUND, Member(0, "train", "c", "other")], INDEX)


@pytest.mark.parametrize(("twin", "part"), [("a", "train"), ("b", "val")])
def test_identical_pixels_under_another_name_are_refused(twin, part):
    index = [replace(image, sha256="same") if image.name in (twin, "c") else image for image in INDEX]
    with pytest.raises(InputError, match=rf"identical pixels in two parts: '{twin}' \({part}\) and 'c' \(test\)"):
        check_leaks(SOUND, index)


def test_identical_pixels_in_train_and_val_are_refused_with_the_cure():
    index = [replace(image, sha256="same") if image.name in "ab" else image for image in INDEX]
    with pytest.raises(InputError, match=r"'a' \(train\) and 'b' \(val\), groups 'one' and 'two'") as caught:
        check_leaks(SOUND, index)
    assert "remove one of the two from the dataset (two blank tiles are identical too)" in str(caught.value)


def test_identical_pixels_within_one_part_pass():
    index = [replace(image, sha256="same") if image.name in "cd" else image for image in INDEX]
    check_leaks([*SOUND, Member(0, "test", "d", "three")], index)


def test_a_group_parted_between_two_test_parts_is_refused():
    second = [Member(1, "train", "a", "one"), Member(1, "val", "b", "two"), Member(1, "test", "d", "three")]
    with pytest.raises(InputError, match=r"'three' is parted: 'c' \(test of fold 0\) and 'd' \(test of fold 1\)"):
        check_leaks(SOUND + second, INDEX)


def test_an_image_that_is_not_in_the_index_is_refused():
    with pytest.raises(InputError, match="fold 0 holds c; expected images of index"):
        check_leaks(SOUND, INDEX[:2])


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_an_empty_part_is_refused(part):
    with pytest.raises(InputError, match=f"no image in {part}"):
        check_leaks([member for member in SOUND if member.part != part], INDEX)


groupings = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["", "breast", "colon"])), min_size=12, max_size=50)
choices = st.fixed_dictionaries(
    {
        "fold_count": st.integers(3, 5),
        "validation": st.sampled_from(["groups", "images"]),
        "validation_fraction": st.floats(0.05, 0.5),
        "seed": st.integers(0, 1000),
    }
)


def random_index(grouping):
    index = [row(f"x{number}", f"g{group}", stratum) for number, (group, stratum) in enumerate(grouping)]
    return index + rows(2, 2, 2, 2, 2)  # always as many groups as folds


@settings(max_examples=60, deadline=None)
@given(groupings, choices)
def test_every_image_is_tested_once_and_groups_stay_whole(grouping, choice):
    index = random_index(grouping)
    members = split_grouped(index, **choice)
    tested = [member.name for member in members if member.part == "test"]
    assert sorted(tested) == sorted(image.name for image in index)
    for fold in range(choice["fold_count"]):
        in_fold = [member for member in members if member.fold == fold]
        assert sorted(member.name for member in in_fold) == sorted(image.name for image in index)
        seen = groups_of(members, fold, "train") | groups_of(members, fold, "val")
        assert groups_of(members, fold, "test")
        assert not seen & groups_of(members, fold, "test")
        if choice["validation"] == "groups":
            assert not groups_of(members, fold, "train") & groups_of(members, fold, "val")
    check_leaks(members, index)


@settings(max_examples=40, deadline=None)
@given(groupings, choices, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(grouping, choice, random):
    index = random_index(grouping)
    shuffled = random.sample(index, len(index))
    assert split_grouped(shuffled, **choice) == split_grouped(index, **choice)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=9, max_size=30), st.integers(0, 99))
def test_folds_differ_by_no_more_than_the_largest_group(sizes, seed):
    members = split_grouped(rows(*sizes), 3, "groups", 0.2, seed)
    tested = Counter(member.fold for member in members if member.part == "test")
    assert max(tested.values()) - min(tested.values()) <= max(sizes)


def write_index(path, index):
    values = {"image": "i.png", "mask": "m.png", "instances": "", "height": 8, "width": 8, "mpp": "", "source": ""}
    table = [
        values | {"name": r.name, "group": r.group, "stratum": r.stratum, "fold": r.fold, "sha256": r.sha256}
        for r in index
    ]
    write_table(path, INDEX_COLUMNS, table)


def split_by_script(folder, index, **changes):
    write_index(folder / "index.csv", index)
    flags = {"scheme": "grouped", "fold-count": 3, "validation": "groups", "validation-fraction": 0.2, "seed": 1}
    flags |= {"index": folder / "index.csv", "folds": folder / "folds.csv"} | changes
    command = [sys.executable, SCRIPT, *(text for key, value in flags.items() for text in (f"--{key}", str(value)))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_writes_folds_that_later_stages_read(tmp_path):
    done = split_by_script(tmp_path, rows(1, 1, 1))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "folds.csv").read_text().startswith("fold,part,name,group\n0,train,g")
    names = [name for part in ("train", "val", "test") for name in part_names(tmp_path / "folds.csv", 0, part)]
    assert sorted(names) == ["g0-0", "g1-0", "g2-0"]


def test_the_script_refuses_a_leak_and_leaves_nothing(tmp_path):
    index = [replace(image, sha256="same") for image in rows(1, 1, 1)]
    done = split_by_script(tmp_path, index)
    assert done.returncode == 1
    assert done.stderr.startswith("error: folds.csv: fold 0 has identical pixels")
    assert len(done.stderr.splitlines()) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["index.csv"]
