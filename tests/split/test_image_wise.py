"""The split that leaks on purpose: images are dealt whatever their group, and that is told."""

import csv

import pytest

from histoloom.errors import InputError
from histoloom.split.folds.clusters import pictures_of
from histoloom.split.folds.leaks import check_leaks, parted_groups
from histoloom.split.folds.members import Member
from histoloom.split.folds.splits import Material, split_images
from tests.split.test_leaks import near, row, split_by_script

CASES = [row(f"case{case}_{image}", f"case{case}") for case in range(2) for image in range(6)]


def parts(members, fold):
    return {member.name: member.part for member in members if member.fold == fold}


@pytest.mark.parametrize("validation", ["groups", "images"])
def test_every_image_is_tested_once_and_keeps_its_group(validation):
    members = split_images(Material(CASES), 3, 1, validation, 0.25, seed=4)
    tested = [member.name for member in members if member.part == "test"]
    assert sorted(tested) == sorted(image.name for image in CASES)
    assert {(member.name, member.group) for member in members} == {(image.name, image.group) for image in CASES}
    for fold in range(3):
        # 12 images: 4 tested; 4 validate by groups (the next fold's), or a quarter of the other 8
        counts = list(parts(members, fold).values())
        assert (counts.count("test"), counts.count("val")) == (4, 4 if validation == "groups" else 2)


def test_two_groups_can_be_dealt_to_three_folds_which_whole_groups_cannot():
    members = split_images(Material(CASES), 3, 1, "groups", 0.2, seed=0)
    for fold in range(3):
        learnt = {name.partition("_")[0] for name, part in parts(members, fold).items() if part != "test"}
        assert learnt == {"case0", "case1"}


def test_one_picture_under_two_names_stays_in_one_part():
    pairs = [near("case0_0", "case1_5")]
    for seed in range(6):
        members = split_images(Material(CASES, pictures=pictures_of(CASES, pairs)), 3, 1, "groups", 0.2, seed)
        check_leaks(members, CASES, pairs, may_part_groups=True)
        for fold in range(3):
            assert parts(members, fold)["case0_0"] == parts(members, fold)["case1_5"]


def test_parted_groups_pass_only_where_they_may_and_images_never():
    members = split_images(Material(CASES), 3, 1, "groups", 0.2, seed=0)
    check_leaks(members, CASES, may_part_groups=True)
    with pytest.raises(InputError, match="one group in two parts"):
        check_leaks(members, CASES)
    tested = next(member for member in members if (member.fold, member.part) == (0, "test"))
    twice = [*members, Member(0, "train", tested.name, tested.group)]
    with pytest.raises(InputError, match="one image in two parts"):
        check_leaks(twice, CASES, may_part_groups=True)


def test_tests_whose_group_was_learnt_from_are_counted():
    members = [
        Member(0, "train", "a", "one"),
        Member(0, "val", "b", "two"),
        Member(0, "test", "c", "one"),
        Member(0, "test", "d", "two"),
        Member(0, "test", "e", "three"),
    ]
    (found,) = parted_groups(members)
    assert (found.severity, found.kind) == ("warning", "groups_parted")
    assert found.message.startswith("2 of 3 tests are of images whose group (case, slide) is also in train or val")
    assert parted_groups(members[:2] + members[4:]) == []


def test_the_script_tells_of_the_leak_and_other_schemes_still_refuse_it(tmp_path):
    done = split_by_script(tmp_path, CASES, scheme="images")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "findings.csv").open() as file:
        told = [line for line in csv.DictReader(file) if line["kind"] == "groups_parted"]
    assert len(told) == 1 and told[0]["message"].startswith("12 of 12 tests")
    assert "2 groups (case0, case1); expected at least 3" in split_by_script(tmp_path, CASES).stderr
