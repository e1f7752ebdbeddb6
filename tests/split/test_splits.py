"""Folds: every image tested once in each repeat, groups whole, shares as even as promised, lists followed."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.split.folds.clusters import connected, joined_groups
from histoloom.split.folds.fold_findings import fold_findings, joined_findings, repeat_findings
from histoloom.split.folds.members import Member
from histoloom.split.folds.splits import split_official
from histoloom.split.folds.strata import read_class_pixels
from tests.split.fold_cases import grouped, groups_of, names_of, pair, proportions, row, rows


def test_equal_groups_are_shared_equally():
    members = grouped(rows(2, 2, 2, 2, 2, 2))
    for fold in range(3):
        for part in ("train", "val", "test"):
            assert len(groups_of(members, fold, part)) == 2


def test_a_large_group_is_evened_out_by_small_ones():
    for seed in range(5):
        members = grouped(rows(6, 4, 4, 2, 2), seed=seed)
        tested = Counter(member.fold for member in members if member.part == "test")
        assert tested == {0: 6, 1: 6, 2: 6}


def test_each_stratum_is_in_each_fold():
    index = rows(*[4] * 9, strata=["breast"] * 3 + ["colon"] * 3 + ["skin"] * 3)
    stratum_of = {image.name: image.stratum for image in index}
    for seed in range(5):
        members = grouped(index, seed=seed, stratify=["stratum"])
        for fold in range(3):
            tested = Counter(stratum_of[name] for name in names_of(members, fold, "test"))
            assert tested == {"breast": 4, "colon": 4, "skin": 4}


def test_a_rare_class_is_in_each_fold():
    index = rows(*[3] * 12)
    pixels = {image.name: (100, 10 if image.group in ("g1", "g5", "g6") else 0) for image in index}
    for seed in range(5):
        members = grouped(index, seed=seed, pixels=pixels, stratify=["classes"])
        for fold in range(3):
            assert len(groups_of(members, fold, "test") & {"g1", "g5", "g6"}) == 1


def test_without_stratify_classes_and_strata_change_nothing():
    index = rows(1, 1, 1, 2, 3, 4)
    with_strata = [replace(image, stratum=image.group) for image in index]
    pixels = {image.name: (len(image.name) * number, number) for number, image in enumerate(index)}
    assert grouped(with_strata, pixels=pixels) == grouped(index)


def test_the_next_fold_of_the_repeat_validates():
    members = grouped(rows(*[1] * 8), 4, seed=1, repeats=2)
    for fold in range(8):
        following = fold - fold % 4 + (fold + 1) % 4
        assert groups_of(members, fold, "val") == groups_of(members, following, "test")


def test_validation_by_images_takes_its_fraction_of_the_groups_not_tested():
    members = grouped(rows(10, 10, 10), seed=1, validation="images", fraction=0.25)
    for fold in range(3):
        counts = Counter(member.part for member in members if member.fold == fold)
        assert counts == {"test": 10, "val": 5, "train": 15}


def test_every_group_gives_its_share_of_the_validation_images():
    for seed in range(10):
        members = grouped(rows(12, 8, 4), seed=seed, validation="images", fraction=0.25)
        for fold in range(3):
            held_out = Counter(member.group for member in members if (member.fold, member.part) == (fold, "val"))
            for group, size in (("g0", 12), ("g1", 8), ("g2", 4)):
                if group not in groups_of(members, fold, "test"):
                    assert abs(held_out[group] - 0.25 * size) <= 1


def test_validation_by_images_takes_at_least_one():
    members = grouped(rows(2, 2, 2), validation="images", fraction=0.001)
    assert Counter(member.part for member in members if member.fold == 0)["val"] == 1


def test_validation_by_images_keeps_one_picture_in_one_part():
    index = rows(12, 12, 12)
    pictures = {image.name: f"{image.group}-{int(image.name.split('-')[1]) // 3}" for image in index}
    for seed in range(5):
        members = grouped(index, seed=seed, validation="images", fraction=0.3, pictures=pictures)
        parts = defaultdict(set)
        for member in members:
            parts[member.fold, pictures[member.name]].add(member.part)
        assert all(len(seen) == 1 for seen in parts.values())
        assert len(names_of(members, 0, "val")) == 6  # 30 % of 24 is 7: two pictures of three images fit


def test_another_seed_and_another_repeat_give_other_folds():
    index = rows(*range(1, 13))  # groups of different sizes: the order must not be fixed by size alone
    draws = {tuple(grouped(index, seed=seed)) for seed in range(5)}
    assert len(draws) == 5
    members = grouped(index, repeats=5)
    tests = {frozenset(frozenset(names_of(members, 3 * r + fold, "test")) for fold in range(3)) for r in range(5)}
    assert len(tests) == 5
    assert list(repeat_findings(members, 3)) == []


def test_a_repeat_that_can_only_be_the_same_draw_is_told():
    (found,) = repeat_findings(grouped(rows(1, 1, 1), repeats=2), 3)
    assert (found.severity, found.kind, found.subject) == ("warning", "repeated_draw", "fold 3")
    assert "lower split.repeats" in found.message


def test_more_folds_than_groups_is_refused():
    with pytest.raises(InputError, match=r"2 groups \(g0, g1\); expected at least 3.*lower split.fold_count"):
        grouped(rows(4, 4))


def test_joined_groups_that_leave_too_few_are_told():
    joined = {"g1": "g0", "g2": "g0"}
    with pytest.raises(InputError, match=r"2 groups \(g0, g3\) after 2 were joined with others for near duplicates"):
        grouped(rows(2, 2, 2, 2), joined=joined)


def test_joined_groups_go_the_same_way_under_their_own_names():
    index = rows(1, 1, 1, 1, 1, 1)
    joined = joined_groups(index, [pair("g1-0", "g4-0"), pair("g4-0", "g5-0")])
    members = grouped(index, joined=joined)
    for fold in range(3):
        assert groups_of(members, fold, "test") & {"g1", "g4", "g5"} in ({"g1", "g4", "g5"}, set())
    (found,) = joined_findings(joined)
    assert (found.kind, found.subject) == ("joined_groups", "g1")
    assert "groups g1, g4, g5" in found.message


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=20))
def test_connected_is_the_reachability_of_a_graph(edges):
    reach = np.eye(16, dtype=bool)
    for one, other in edges:
        reach[one, other] = reach[other, one] = True
    for _ in range(4):  # squaring: paths of 2, 4, 8, 16 steps
        reach = reach @ reach
    names = [chr(ord("a") + number) for number in range(16)]
    found = connected(names, [(names[one], names[other]) for one, other in edges])
    assert found == {name: names[int(reach[number].argmax())] for number, name in enumerate(names)}


def test_proportions_are_shares_of_all_images():
    members = proportions(rows(*[2] * 50), test=0.2, fraction=0.1, repeats=3)
    for fold in range(3):
        assert Counter(m.part for m in members if m.fold == fold) == {"test": 20, "val": 10, "train": 70}
    assert len({frozenset(names_of(members, fold, "test")) for fold in range(3)}) == 3


def test_proportions_validate_by_images_too():
    members = proportions(rows(*[5] * 20), test=0.2, validation="images", fraction=0.1)
    assert Counter(member.part for member in members) == {"test": 20, "val": 10, "train": 70}


@pytest.mark.parametrize(("test", "fraction"), [(0.5, 0.5), (0.0, 0.2), (0.2, 0.0), (0.9, 0.2)])
def test_proportions_that_leave_a_part_empty_are_refused(test, fraction):
    with pytest.raises(InputError, match=r"split.test_fraction: .* together below 1"):
        proportions(rows(*[1] * 9), test=test, fraction=fraction)


def test_proportions_of_too_few_groups_are_refused():
    with pytest.raises(InputError, match=r"2 groups \(g0, g1\); expected at least 3, one for each part"):
        proportions(rows(9, 9))


def test_the_official_rotation_is_pannukes():
    index = [row(f"p{fold}", f"p{fold}", fold=fold) for fold in (2, 3, 1)]
    members = split_official(index, 3)
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


LISTED = [row("a", "one"), row("b", "two"), row("c", "three"), row("d", "four")]


def test_class_pixels_are_those_of_the_index(tmp_path):
    path = tmp_path / "images.csv"
    path.write_text("name,pixels_0,pixels_1\nb,5,0\na,3,4\nother,1,1\n")
    assert read_class_pixels(path, 2, LISTED[:2]) == {"a": (3, 4), "b": (5, 0)}
    with pytest.raises(InputError, match=r"has no column pixels_2; expected one for each of 3 classes"):
        read_class_pixels(path, 3, LISTED[:2])
    with pytest.raises(InputError, match=r"has no image 'c'; expected all of index.csv"):
        read_class_pixels(path, 2, LISTED)


def test_what_a_part_lacks_is_told():
    index = [row(f"{group}{n}", group, "skin" if group == "a" else "liver") for group in "abc" for n in range(2)]
    part_of = dict(zip("abc", ("train", "val", "test"), strict=True))
    members = [Member(0, part_of[image.group], image.name, image.group) for image in index]
    pixels = {image.name: (9, 1 if image.group == "c" else 0, 0) for image in index}
    found = fold_findings(members, index, ("background", "tumour", "necrosis"), pixels)
    assert [(finding.kind, finding.subject) for finding in found] == [
        ("class_missing", "tumour"),
        ("stratum_missing", "train of fold 0"),
        ("few_groups", "train of fold 0"),
        ("class_missing", "tumour"),
        ("stratum_missing", "val of fold 0"),
        ("few_groups", "val of fold 0"),
        ("stratum_missing", "test of fold 0"),
        ("few_groups", "test of fold 0"),
    ]
    assert {finding.severity for finding in found} == {"warning"}
    assert found[0].message.startswith("class 'tumour' has no pixel in train of fold 0; nothing of it can be learnt")
    assert found[1].message.startswith("1 strata (liver) have no image in train of fold 0")
