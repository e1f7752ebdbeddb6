"""Training images divided into parts: whole groups, everything left out once a draw, the test part nowhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import IndexRow
from histoloom.rounds.parts import divided, left_out
from histoloom.split.folds.members import Member


def row(name: str) -> IndexRow:
    group = name.partition("_")[0]
    return IndexRow(name, Path(), Path(), None, 8, 8, None, group, "", None, "", f"sha-{name}")


def fold(train: list[str], val: tuple[str, ...] = ("v_0",), test: tuple[str, ...] = ("t_0",)):
    parts = {"train": train, "val": val, "test": test}
    return [Member(3, part, name, name.partition("_")[0]) for part, names in parts.items() for name in names]


def division(train: list[str], parts: int, draws: int = 1, seed: int = 0, near=(), equal: tuple[str, ...] = ()):
    """Of images of which `near` are pairs that look alike, and `equal` have the same pixels."""
    members = fold(train)
    index = [row(member.name) for member in members]
    index = [replace(each, sha256="equal") if each.name in equal else each for each in index]
    pairs = [Duplicate("toy", names[0], "toy", names[1], "near", 3, "none") for names in near]
    return divided(members, index, parts, draws, seed, {}, (), pairs)


def table(found) -> list[dict[str, str]]:
    return [{"fold": str(one.fold), "part": one.part, "name": one.name} for one in found.members]


GROUPED = [f"{group}_{number}" for group in "abcde" for number in range(3)]


@pytest.mark.parametrize(("parts", "draws"), [(2, 1), (3, 2), (5, 3)])
def test_each_training_image_is_left_out_once_a_draw_and_trains_all_other_parts(parts, draws):
    found = division(GROUPED, parts, draws)
    places = left_out(table(found))
    assert list(places) == sorted(GROUPED)
    assert all([part // parts for part in of_image] == list(range(draws)) for of_image in places.values())
    for number in range(parts * draws):
        of_part = {part: {one.name for one in found.members if (one.fold, one.part) == (number, part)}
                   for part in ("train", "val", "test")}  # fmt: skip
        assert of_part["val"] == {"v_0"}
        assert of_part["train"] == set(GROUPED) - of_part["test"]
        assert of_part["test"]


def test_groups_stay_whole_and_the_test_part_is_nowhere():
    found = division(GROUPED, 2)
    assert found.dealt_by == "group"
    assert "t_0" not in {one.name for one in found.members}
    for group in "abcde":
        assert len({one.fold for one in found.members if one.part == "test" and one.group == group}) == 1


def test_fewer_groups_than_parts_are_dealt_by_images_which_the_table_says():
    found = division(["a_0", "a_1", "a_2", "b_0"], 3)
    assert found.dealt_by == "image"
    assert {line[-1] for line in found.rows()} == {"image"}
    assert {one.group for one in found.members if one.part == "test"} == {"a", "b"}  # whose images they are stays
    assert set(left_out(table(found))) == {"a_0", "a_1", "a_2", "b_0"}


def apart(found, one: str, other: str) -> bool:
    """Whether some part leaves one of two images out and trains with the other."""
    places = left_out(table(found))
    return places[one] != places[other]


SEEDS = range(8)  # of two halves of five groups, two given ones lie apart in most draws


def test_groups_with_near_duplicates_go_together_and_all_of_their_images():
    assert any(apart(division(GROUPED, 2, seed=seed), "a_0", "b_1") for seed in SEEDS)
    for seed in SEEDS:
        found = division(GROUPED, 2, seed=seed, near=[("a_0", "b_1")])
        assert found.dealt_by == "group"
        assert not apart(found, "a_0", "b_1")
        assert not apart(found, "a_2", "b_0")
        assert {one.group for one in found.members if one.name in ("a_0", "b_1")} == {"a", "b"}  # stay their own


def test_groups_with_identical_pictures_go_together():
    assert not any(apart(division(GROUPED, 2, seed=seed, equal=("c_0", "e_2")), "c_0", "e_2") for seed in SEEDS)


ONE_GROUP = [f"a_{number}" for number in range(5)]


@pytest.mark.parametrize("twins", [{"near": [("a_1", "a_4")]}, {"equal": ("a_1", "a_4")}])
def test_images_of_one_picture_go_together_where_single_images_are_dealt(twins):
    assert any(apart(division(ONE_GROUP, 2, seed=seed), "a_1", "a_4") for seed in SEEDS)
    for seed in SEEDS:
        found = division(ONE_GROUP, 2, seed=seed, **twins)
        assert found.dealt_by == "image"
        assert not apart(found, "a_1", "a_4")


def test_groups_that_twins_leave_too_few_of_are_dealt_by_images():
    found = division(["a_0", "a_1", "b_0", "b_1"], 2, near=[("a_0", "b_0")])
    assert found.dealt_by == "image"
    assert not apart(found, "a_0", "b_0")


def test_fewer_pictures_than_parts_are_refused():
    with pytest.raises(InputError, match=r"rounds\.parts: 3 of 3 training images, which show 2 pictures"):
        division(["a_0", "a_1", "a_2"], 3, equal=("a_0", "a_1"))


def test_other_seeds_and_draws_divide_otherwise_and_the_same_seed_alike():
    first = division(GROUPED, 2, draws=4)
    assert division(GROUPED, 2, draws=4).rows() == first.rows()
    assert division(GROUPED, 2, draws=4, seed=1).rows() != first.rows()
    one_half = [{one.name for one in first.members if (one.fold, one.part) == (2 * draw, "test")} for draw in range(4)]
    assert any(half not in (one_half[0], set(GROUPED) - one_half[0]) for half in one_half[1:])


def test_more_parts_than_images_are_refused():
    with pytest.raises(InputError, match=r"rounds\.parts: 3 of 2 training images"):
        division(["a_0", "b_0"], 3)
