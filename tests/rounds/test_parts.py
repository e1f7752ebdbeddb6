"""Training images divided into parts: whole groups, everything left out once a draw, the test part nowhere."""

from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.prepared import IndexRow
from histoloom.rounds.parts import divided, left_out
from histoloom.split.folds.members import Member


def row(name: str) -> IndexRow:
    group = name.partition("_")[0]
    return IndexRow(name, Path(), Path(), None, 8, 8, None, group, "", None, "", "")


def fold(train: list[str], val: tuple[str, ...] = ("v_0",), test: tuple[str, ...] = ("t_0",)):
    parts = {"train": train, "val": val, "test": test}
    return [Member(3, part, name, name.partition("_")[0]) for part, names in parts.items() for name in names]


def division(train: list[str], parts: int, draws: int = 1, seed: int = 0):
    members = fold(train)
    return divided(members, [row(member.name) for member in members], parts, draws, seed, {}, ())


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


def test_other_seeds_and_draws_divide_otherwise_and_the_same_seed_alike():
    first = division(GROUPED, 2, draws=4)
    assert division(GROUPED, 2, draws=4).rows() == first.rows()
    assert division(GROUPED, 2, draws=4, seed=1).rows() != first.rows()
    one_half = [{one.name for one in first.members if (one.fold, one.part) == (2 * draw, "test")} for draw in range(4)]
    assert any(half not in (one_half[0], set(GROUPED) - one_half[0]) for half in one_half[1:])


def test_more_parts_than_images_are_refused():
    with pytest.raises(InputError, match=r"rounds\.parts: 3 of 2 training images"):
        division(["a_0", "b_0"], 3)
