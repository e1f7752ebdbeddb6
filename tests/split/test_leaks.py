"""The leak check: no planted leak passes, no clean split is stopped, and both files are named."""

import subprocess
import sys
from collections import defaultdict
from dataclasses import astuple, replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.files import write_json, write_table
from histoloom.prepare.duplicates.pairs import DUPLICATE_COLUMNS, Duplicate, read_duplicates
from histoloom.prepared import INDEX_COLUMNS, IndexRow, part_names, read_table
from histoloom.split.folds.clusters import check_known, joined_groups, pictures_of
from histoloom.split.folds.leaks import check_leaks, near_findings
from histoloom.split.folds.members import Member
from histoloom.split.folds.splits import Material, split_grouped, split_official, split_proportions

SCRIPT = Path(__file__).parents[2] / "scripts" / "split_dataset.py"


def row(name, group="", fold=None, pixels=None):
    nowhere = Path("unread.png")
    return IndexRow(
        name, nowhere, nowhere, None, 8, 8, None, group, "", fold, f"raw/{name}.tif", pixels or f"sha-{name}"
    )


def near(first, second, change="none", kind="near"):
    return Duplicate("toy", first, "toy", second, kind, 12, change)


INDEX = [row("a", "one"), row("b", "two"), row("c", "three"), row("d", "three")]
SOUND = [Member(0, "train", "a", "one"), Member(0, "val", "b", "two"), Member(0, "test", "c", "three")]


def with_pixels(*names):
    return [replace(image, sha256="same") if image.name in names else image for image in INDEX]


def test_a_sound_table_passes():
    check_leaks(SOUND, INDEX)
    check_leaks([*SOUND, Member(0, "test", "d", "three")], INDEX, [near("c", "d")])


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_group_in_test_and_elsewhere_is_refused(part):
    with pytest.raises(InputError, match=rf"one group in two parts: 'd' \({part}\) and 'c' \(test\), group 'three'"):
        check_leaks([*SOUND, Member(0, part, "d", "three")], INDEX)


def test_the_groups_of_the_index_count_too():
    with pytest.raises(InputError, match=r"one group in two parts: 'd' \(train\) and 'c' \(test\)"):
        check_leaks([*SOUND, Member(0, "train", "d", "said to be another")], INDEX)


@pytest.mark.parametrize(("part", "first"), [("train", "test"), ("val", "test"), ("train", "val")])
def test_an_image_in_two_parts_is_refused(part, first):
    name, group = {"test": ("c", "three"), "val": ("b", "two")}[first]
    with pytest.raises(InputError, match=rf"one image in two parts: '{name}' \(\w+\) and '{name}' \(\w+\)"):
        check_leaks([*SOUND, Member(0, part, name, group)], INDEX)


@pytest.mark.parametrize(("twin", "part"), [("a", "train"), ("b", "val")])
def test_identical_pixels_under_another_name_are_refused(twin, part):
    with pytest.raises(InputError, match=rf"identical pixels in two parts: '{twin}' \({part}\) and 'c' \(test\)"):
        check_leaks(SOUND, with_pixels(twin, "c"))


def test_identical_pixels_in_train_and_val_are_refused_with_the_cure():
    with pytest.raises(InputError, match=r"'a' \(train\) and 'b' \(val\), groups 'one' and 'two'") as caught:
        check_leaks(SOUND, with_pixels("a", "b"))
    assert "remove one of the two from the dataset, or set split.near_duplicates: join" in str(caught.value)


def test_identical_pixels_within_one_part_pass():
    check_leaks([*SOUND, Member(0, "test", "d", "three")], with_pixels("c", "d"))


def test_flipped_copies_are_refused_through_an_image_that_takes_no_part():
    # "c" is the first of three, and duplicates.csv pairs the others with it only.
    table = [Member(0, "train", "a", "one"), Member(0, "val", "b", "two"), Member(0, "test", "d", "three")]
    pairs = [near("c", "a", "mirrored", "identical"), near("c", "d", "turned 90 degrees", "identical")]
    with pytest.raises(InputError, match=r"identical pixels, flipped or turned, in two parts: 'a' \(train\) and 'd'"):
        check_leaks(table, INDEX, pairs)


def test_copies_of_a_near_duplicate_are_near_duplicates():
    index = [replace(image, sha256="same") if image.name in "bd" else image for image in INDEX]
    table = [Member(0, "train", "a", "one"), Member(0, "val", "c", "three"), Member(0, "test", "b", "two")]
    with pytest.raises(InputError, match=r"near duplicates in two parts: 'a' \(train\) and 'b' \(test\)"):
        check_leaks(table, index, [near("a", "d")])


def test_two_images_that_are_near_a_third_one_are_not_near_each_other():
    table = [Member(0, "train", "a", "one"), Member(0, "val", "b", "two"), Member(0, "test", "d", "three")]
    check_leaks(table, INDEX, [near("a", "c"), near("c", "d")])


def test_a_group_parted_between_two_test_parts_is_refused():
    second = [Member(1, "train", "a", "one"), Member(1, "val", "b", "two"), Member(1, "test", "d", "three")]
    with pytest.raises(InputError, match=r"'three' is parted: 'c' \(test of fold 0\) and 'd' \(test of fold 1\)"):
        check_leaks(SOUND + second, INDEX)


def test_an_image_that_is_not_in_the_index_is_refused():
    with pytest.raises(InputError, match="fold 0 holds c; expected images of index"):
        check_leaks(SOUND, INDEX[:2])
    with pytest.raises(InputError, match=r"duplicates.csv: image 'c' is not in index.csv"):
        check_known(INDEX[:2], [near("a", "c")])


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_an_empty_part_is_refused(part):
    with pytest.raises(InputError, match=f"no image in {part}"):
        check_leaks([member for member in SOUND if member.part != part], INDEX)


def test_the_official_rotation_may_test_a_fold_twice():
    index = [row(f"p{fold}", f"p{fold}", fold) for fold in (1, 2, 3)]
    check_leaks(split_official(index, 3), index)


def test_a_near_duplicate_that_may_pass_is_told():
    (found,) = near_findings(SOUND, INDEX, [near("a", "c", "mirrored"), near("c", "d")])
    assert (found.severity, found.kind, found.subject) == ("warning", "near_duplicate", "a")
    assert "'a' in train and 'c' in test, which look alike (mirrored, 12 hash bits differ)" in found.message


CASES = (("a", "one"), ("b", "two"), ("c", "three"))
ROTATED = [
    Member(fold, part, *CASES[(fold + step) % 3])
    for fold in range(3)
    for step, part in enumerate(("test", "val", "train"))
]
GOLDEN = {
    # One line for each of the faults of row B7: a slide in two folds, one picture under two names, an altered copy.
    "group": (
        [replace(image, group="one") if image.name == "c" else image for image in INDEX[:3]],
        [],
        "folds.csv: fold 0 has one group in two parts: 'c' (train) and 'a' (test), group 'one'; expected what is "
        "tested to be unseen; split by group, or give both images one group or drop one\n"
        "'c' is raw/c.tif, tested in fold 2; 'a' is raw/a.tif, tested in fold 0",
    ),
    "identical": (
        with_pixels("a", "c")[:3],
        [],
        "folds.csv: fold 0 has identical pixels in two parts: 'a' (test) and 'c' (train), groups 'one' and 'three'; "
        "expected each picture in one part;\nremove one of the two from the dataset, or set split.near_duplicates: "
        "join with scheme grouped or proportions\n"
        "'a' is raw/a.tif, tested in fold 0; 'c' is raw/c.tif, tested in fold 2",
    ),
    "near": (
        INDEX[:3],
        [near("a", "c", "turned 90 degrees")],
        "folds.csv: fold 0 has near duplicates in two parts: 'a' (test) and 'c' (train), groups 'one' and 'three' "
        "(turned 90 degrees, 12 hash bits differ); expected each picture in one part;\nremove one of the two, or set "
        "split.near_duplicates: join (with scheme grouped or proportions; their groups then stay together) or warn "
        "(where they differ after all)\n"
        "'a' is raw/a.tif, tested in fold 0; 'c' is raw/c.tif, tested in fold 2",
    ),
}


@pytest.mark.parametrize("index, pairs, message", GOLDEN.values(), ids=GOLDEN.keys())
def test_a_leak_names_both_files_and_both_folds(index, pairs, message):
    with pytest.raises(InputError) as caught:
        check_leaks(ROTATED, index, pairs)
    assert str(caught.value) == message
    assert message.count("\n") < 4


groups = st.lists(st.integers(0, 9), min_size=12, max_size=30)
places = st.lists(st.sampled_from(["train", "val", "test"]), min_size=40, max_size=40)
ties = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39), st.sampled_from(["near", "identical"])), max_size=4)
shas = st.lists(st.integers(0, 400), min_size=40, max_size=40)


def is_clean(members, index, pairs):
    """The definition, pair of images by pair: nothing shared between parts, by an equivalence over identical ones."""
    same = {(one.name, other.name) for one in index for other in index if one.sha256 == other.sha256}
    same |= {names for p in pairs if p.kind == "identical" for names in ((p.first, p.second), (p.second, p.first))}
    while bigger := {(x, z) for x, y in same for w, z in same if y == w} - same:
        same |= bigger
    alike = set(same)
    for p in (p for p in pairs if p.kind == "near"):
        copies = [[y for x, y in same if x == name] for name in (p.first, p.second)]
        alike |= {names for x in copies[0] for y in copies[1] for names in ((x, y), (y, x))}
    for one, other in combinations(members, 2):
        shares_group = one.group == other.group and "test" in (one.part, other.part)
        if one.part != other.part and (shares_group or (one.name, other.name) in alike):
            return False
    return True


@settings(max_examples=200, deadline=None)
@given(groups, places, ties, shas)
def test_the_check_agrees_with_the_definition_of_a_leak(grouping, parts, tied, pixels):
    index = [row(f"x{number}", f"g{group}", pixels=f"sha{pixels[number]}") for number, group in enumerate(grouping)]
    pairs = [near(f"x{one}", f"x{other}", kind=kind) for one, other, kind in tied if max(one, other) < len(index)]
    # Mostly whole groups, so that clean tables come up too: the part of a group is that of its number.
    members = [
        Member(0, parts[group if number % 12 else number + 10], f"x{number}", f"g{group}")
        for number, group in enumerate(grouping)
    ]
    assume({member.part for member in members} == {"train", "val", "test"})
    if is_clean(members, index, pairs):
        check_leaks(members, index, pairs)
        assert near_findings(members, index, pairs) == []
    else:
        with pytest.raises(InputError, match=r"in two parts: 'x\d+' \(\w+\) and 'x\d+' \(\w+\)"):
            check_leaks(members, index, pairs)


def groups_index(grouping):
    index = [row(f"x{number}", f"g{group}") for number, group in enumerate(grouping)]
    return index + [row(f"y{number}", f"h{number}") for number in range(6)]


@settings(max_examples=60, deadline=None)
@given(groups, st.data())
def test_a_planted_leak_never_passes_and_a_clean_split_always_does(grouping, data):
    index = groups_index(grouping)
    seed, repeats = data.draw(st.integers(0, 99)), data.draw(st.integers(1, 2))
    validation = data.draw(st.sampled_from(["groups", "images"]))
    members = data.draw(
        st.sampled_from(
            [
                split_grouped(Material(index), 3, repeats, validation, 0.2, seed),
                split_proportions(Material(index), repeats, 0.3, validation, 0.2, seed),
            ]
        )
    )
    check_leaks(members, index)
    parts = defaultdict(dict)
    for member in members:
        parts[member.fold][member.name] = member.part
    one, other = data.draw(st.lists(st.sampled_from(index), min_size=2, max_size=2, unique_by=lambda image: image.name))
    straddles = any(part[one.name] != part[other.name] for part in parts.values())
    tested_apart = any(
        "test" in (pair := {part[one.name], part[other.name]}) and len(pair) == 2 for part in parts.values()
    )
    assume(straddles)
    for kind in ("near", "identical"):
        with pytest.raises(InputError, match=rf"in two parts: '({one.name}|{other.name})'"):
            check_leaks(members, index, [near(one.name, other.name, kind=kind)])
    with pytest.raises(InputError, match="identical pixels in two parts"):
        check_leaks(members, [replace(image, sha256="same") if image in (one, other) else image for image in index])
    if tested_apart:
        with pytest.raises(InputError, match="one group in two parts"):
            check_leaks(members, [replace(image, group=one.group) if image == other else image for image in index])


@settings(max_examples=60, deadline=None)
@given(groups, ties, st.integers(0, 99), st.sampled_from(["groups", "images"]))
def test_joined_near_duplicates_never_leak(grouping, tied, seed, validation):
    index = groups_index(grouping)
    pairs = [near(f"x{one}", f"x{other}", kind=kind) for one, other, kind in tied if max(one, other) < len(grouping)]
    material = Material(index, joined_groups(index, pairs), pictures_of(index, pairs))
    check_leaks(split_grouped(material, 3, 2, validation, 0.2, seed), index, pairs)
    check_leaks(split_proportions(material, 2, 0.3, validation, 0.2, seed), index, pairs)


def split_by_script(folder, index, pairs=(), **changes):
    values = dict.fromkeys(INDEX_COLUMNS, "") | {"image": "i.png", "mask": "m.png", "height": 8, "width": 8}
    table = [
        values
        | {"name": r.name, "group": r.group, "stratum": r.stratum, "fold": r.fold, "sha256": r.sha256}
        | {"source": r.source}
        for r in index
    ]
    write_table(folder / "index.csv", INDEX_COLUMNS, table)
    write_table(folder / "images.csv", ("name", "pixels_0", "pixels_1"), [(r.name, 60, 4) for r in index])
    write_table(folder / "duplicates.csv", DUPLICATE_COLUMNS, [astuple(pair) for pair in pairs])
    known = {"name": "toy", "reader": "toy", "classes": ["background", "tumour"], "has_instances": False}
    write_json(folder / "dataset.json", {**known, "licence": "", "citation": "", "facts": {}, "warnings": []})
    flags = {"index": "index.csv", "measures": "images.csv", "duplicates": "duplicates.csv", "dataset": "dataset.json"}
    flags |= {"folds": "folds.csv", "fold-findings": "findings.csv", "list": None, "stratify": "classes"}
    flags = {key: value and str(folder / value) if key != "stratify" else value for key, value in flags.items()}
    flags |= {"scheme": "grouped", "fold-count": 3, "validation": "groups", "validation-fraction": 0.2, "seed": 1}
    words = [word for key, value in (flags | changes).items() for word in (f"--{key}", value) if word is not None]
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def test_the_script_writes_folds_that_later_stages_read(tmp_path):
    done = split_by_script(tmp_path, INDEX[:3])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "folds.csv").read_text().startswith("fold,part,name,group\n0,train,")
    names = [name for part in ("train", "val", "test") for name in part_names(tmp_path / "folds.csv", 0, part)]
    assert sorted(names) == ["a", "b", "c"]
    kinds = [row["kind"] for row in read_table(tmp_path / "findings.csv")]
    assert kinds == ["few_groups"] * 9


@pytest.mark.parametrize("kind", ["near", "identical"])
def test_the_script_refuses_a_leak_and_leaves_nothing(kind, tmp_path):
    done = split_by_script(tmp_path, INDEX[:3], [near("a", "b", kind=kind)])
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: dataset 'toy': folds.csv: fold 0 has {kind}")
    assert "raw/a.tif, tested in fold" in done.stderr and "raw/b.tif, tested in fold" in done.stderr
    assert len(done.stderr.splitlines()) <= 4
    assert not {"folds.csv", "findings.csv"} & {path.name for path in tmp_path.iterdir()}


def test_warn_lets_near_duplicates_pass_and_tells_them_but_not_identical_ones(tmp_path):
    done = split_by_script(tmp_path, INDEX[:3], [near("a", "b")], **{"near-duplicates": "warn"})
    assert done.returncode == 0, done.stderr
    assert {row["kind"] for row in read_table(tmp_path / "findings.csv")} == {"few_groups", "near_duplicate"}
    done = split_by_script(tmp_path, INDEX[:3], [near("a", "b", kind="identical")], **{"near-duplicates": "warn"})
    assert "identical pixels" in done.stderr


def test_join_keeps_the_groups_of_near_duplicates_together(tmp_path):
    index = [*INDEX, row("e", "five")]
    done = split_by_script(tmp_path, index, [near("a", "b")], **{"near-duplicates": "join"})
    assert done.returncode == 0, done.stderr
    tests = [set(part_names(tmp_path / "folds.csv", fold, "test")) for fold in range(3)]
    assert any({"a", "b"} <= names for names in tests)
    assert "info,joined_groups,one" in (tmp_path / "findings.csv").read_text()


def test_pairs_with_other_datasets_are_no_leak_of_this_one(tmp_path):
    pairs = [Duplicate("other", "a", "toy", "b", "identical", 0, "none")]
    assert split_by_script(tmp_path, INDEX[:3], pairs).returncode == 0
    with pytest.raises(InputError, match=r"duplicates.csv: kind 'close'; expected one of identical, blank, near"):
        write_table(tmp_path / "duplicates.csv", DUPLICATE_COLUMNS, [astuple(near("a", "b", kind="close"))])
        read_duplicates(tmp_path / "duplicates.csv", "toy")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"scheme": "official", "near-duplicates": "join"}, "join with split.scheme: official; expected stop or warn"),
        ({"scheme": "list", "near-duplicates": "join"}, "join with split.scheme: list; expected stop or warn"),
        ({"scheme": "official", "repeats": 2}, "split.repeats: 2 with split.scheme: official; expected 1"),
        ({"scheme": "list"}, "split.list: not set; expected a CSV"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(changes, message, tmp_path):
    done = split_by_script(tmp_path, INDEX[:3], **changes)
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert done.stderr.startswith("error: dataset 'toy': split.")


def test_too_few_groups_are_told_with_the_dataset(tmp_path):
    done = split_by_script(tmp_path, INDEX[:2])
    assert done.stderr.startswith("error: dataset 'toy': index.csv: 2 groups (one, two); expected at least 3")


BLANK = with_pixels("a", "c")
BLANK_TWINS = [near("a", "c", kind="blank")]


def test_equal_blank_images_are_no_leak_but_copies_beside_them_are():
    check_leaks(ROTATED, BLANK[:3], BLANK_TWINS)
    turned = [near("a", "c", "turned 90 degrees", "blank")]
    check_leaks(ROTATED, INDEX[:3], turned)
    with pytest.raises(InputError, match="identical pixels in two parts"):
        check_leaks(ROTATED, BLANK[:3])
    copied = [replace(image, sha256="copy") if image.name in "be" else image for image in [*BLANK, row("e", "five")]]
    table = [*SOUND, Member(0, "train", "e", "five")]
    with pytest.raises(InputError, match=r"identical pixels in two parts: 'b' \(val\) and 'e' \(train\)"):
        check_leaks(table, copied, BLANK_TWINS)


def test_blank_images_join_neither_groups_nor_pictures():
    assert joined_groups(BLANK, BLANK_TWINS) == {"one": "one", "two": "two", "three": "three"}
    assert pictures_of(BLANK, BLANK_TWINS) == {name: name for name in "abcd"}
    assert joined_groups(BLANK, [])["three"] == "one"


@pytest.mark.parametrize("choice", ["stop", "join", "warn"])
def test_blank_twins_split_under_every_choice_and_are_told_once(choice, tmp_path):
    done = split_by_script(tmp_path, BLANK, BLANK_TWINS, **{"near-duplicates": choice})
    assert done.returncode == 0, done.stderr
    findings = read_table(tmp_path / "findings.csv")
    (told,) = [finding for finding in findings if finding["kind"] == "blank_twins"]
    assert (told["severity"], told["subject"]) == ("info", "folds")
    assert told["message"].startswith("2 images (a, c) show nothing and have the pixels of another of them")
    assert "joined_groups" not in {finding["kind"] for finding in findings}
