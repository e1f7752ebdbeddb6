"""What every split keeps, whatever the groups: each image tested once, groups whole, shares as even as promised."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.split.folds.clusters import joined_groups, pictures_of
from histoloom.split.folds.strata import deal
from tests.split.fold_cases import grouped, groups_of, names_of, pair, proportions, row, rows

groupings = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(["", "breast", "colon"]), st.integers(0, 5), st.integers(0, 3)),
    min_size=12,
    max_size=40,
)
choices = st.fixed_dictionaries(
    {
        "validation": st.sampled_from(["groups", "images"]),
        "fraction": st.floats(0.05, 0.5),
        "seed": st.integers(0, 1000),
        "repeats": st.integers(1, 3),
        "stratify": st.sets(st.sampled_from(["stratum", "classes"])).map(sorted),
    }
)


def random_material(grouping):
    """An index with at least five groups, class pixels, and pictures that several images show."""
    index = [row(f"x{number}", f"g{group}", stratum) for number, (group, stratum, _, _) in enumerate(grouping)]
    pixels = {f"x{number}": (50, few * many) for number, (_, _, few, many) in enumerate(grouping)}
    index += rows(2, 2, 2, 2, 2)
    return index, {image.name: pixels.get(image.name, (40, 7)) for image in index}


@settings(max_examples=60, deadline=None)
@given(groupings, choices, st.integers(3, 5))
def test_every_image_is_tested_once_in_each_repeat_and_groups_stay_whole(grouping, choice, fold_count):
    index, pixels = random_material(grouping)
    names = sorted(image.name for image in index)
    members = grouped(index, fold_count, pixels=pixels, **choice)
    assert {member.fold for member in members} == set(range(fold_count * choice["repeats"]))
    for repeat in range(choice["repeats"]):
        folds = range(repeat * fold_count, (repeat + 1) * fold_count)
        assert sorted(m.name for m in members if m.part == "test" and m.fold in folds) == names
    for fold in range(fold_count * choice["repeats"]):
        assert sorted(member.name for member in members if member.fold == fold) == names
        train, val, test = (groups_of(members, fold, part) for part in ("train", "val", "test"))
        assert val and test
        assert not (train | val) & test
        assert choice["validation"] == "images" or not train & val


@settings(max_examples=30, deadline=None)
@given(groupings, choices, st.floats(0.1, 0.4))
def test_groups_stay_whole_in_proportions(grouping, choice, test_share):
    index, pixels = random_material(grouping)
    members = proportions(index, test=test_share, pixels=pixels, **choice)
    for fold in range(choice["repeats"]):
        assert sorted(m.name for m in members if m.fold == fold) == sorted(image.name for image in index)
        assert not (groups_of(members, fold, "train") | groups_of(members, fold, "val")) & groups_of(
            members, fold, "test"
        )


@settings(max_examples=40, deadline=None)
@given(groupings, choices, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(grouping, choice, random):
    index, pixels = random_material(grouping)
    shuffled = random.sample(index, len(index))
    mixed = dict(random.sample(sorted(pixels.items()), len(pixels)))
    twins = [pair("g1-0", "x3"), pair("g1-1", "x3"), pair("x5", "x6", "identical")]
    turned = [pair(twin.second, twin.first, twin.kind) for twin in random.sample(twins, 3)]
    for split in (grouped, proportions):
        one = split(index, pixels=pixels, pictures=pictures_of(index, twins), **choice)
        two = split(shuffled, pixels=mixed, pictures=pictures_of(shuffled, turned), **choice)
        assert one == two
    assert joined_groups(index, twins) == joined_groups(shuffled, turned)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5), st.integers(0, 5)), min_size=9, max_size=30),
    st.integers(2, 5),
    st.booleans(),
    st.integers(0, 99),
)
def test_equal_bins_differ_by_no_more_than_promised(groups, bins, is_stratified, seed):
    counts = np.array(groups)[:, : 3 if is_stratified else 1]
    counts = counts[:, counts.any(axis=0)]
    names = [f"g{number}" for number in range(len(groups))]
    bin_of = deal(names, counts, [1 / bins] * bins, str(seed))
    images = [
        sum(size for name, (size, _, _) in zip(names, groups, strict=True) if bin_of[name] == b) for b in range(bins)
    ]
    largest, total = counts[:, 0].max(), counts[:, 0].sum()
    assert min(images) > 0
    assert max(images) - min(images) <= (2 if counts.shape[1] > 1 else 1) * largest
    assert max(images) <= total / bins + largest


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), min_size=5, max_size=30),
    st.floats(0.1, 0.4),
    st.floats(0.1, 0.4),
    st.integers(0, 99),
)
def test_no_bin_exceeds_its_target_by_more_than_the_largest_group(groups, test, val, seed):
    names = [f"g{number}" for number in range(len(groups))]
    counts = np.array(groups)
    targets = [test, 1 - test - val, val]
    bin_of = deal(names, counts[:, counts.any(axis=0)], targets, str(seed))
    for number, target in enumerate(targets):
        images = sum(size for name, (size, _) in zip(names, groups, strict=True) if bin_of[name] == number)
        assert 0 < images <= target * counts[:, 0].sum() + counts[:, 0].max() + 1e-6


def test_a_bin_with_most_of_a_class_still_gets_its_images():
    # g0 holds nine tenths of ten classes, so all other groups do better elsewhere: only the bound brings them here.
    counts = np.ones((60, 11), np.int64)
    counts[0, 1:] = 9 * 59
    names = [f"g{number}" for number in range(60)]
    images = Counter(deal(names, counts, [1 / 6] * 6, "0").values())
    assert max(images.values()) - min(images.values()) <= 2
    images = Counter(deal(names, counts, [0.3, 0.6, 0.1], "0").values())
    assert images[0] <= 18 + 1 and images[1] <= 36 + 1 and images[2] <= 6 + 1


def test_stratified_shares_are_closer_than_unstratified_ones():
    # 200 groups of one image, a class that a tenth of them have and five organs: how far the folds' shares are apart.
    random = np.random.default_rng(7)
    index = [row(f"i{number}", f"g{number}", f"organ{random.integers(5)}") for number in range(200)]
    pixels = {image.name: (1000, int(random.integers(900)) * int(random.random() < 0.1)) for image in index}

    def spread(members):
        shares = [sum(pixels[name][1] for name in names_of(members, fold, "test")) for fold in range(3)]
        return (max(shares) - min(shares)) / sum(shares)

    assert spread(grouped(index, pixels=pixels, stratify=["stratum", "classes"])) < 0.05
    assert spread(grouped(index)) > 0.1
