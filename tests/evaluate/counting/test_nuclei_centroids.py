"""Centroids are paired one to one within the radius, and the cheapest choice is taken wherever there is one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial.distance import cdist
from skimage.measure import regionprops

from histoloom.evaluate.counting.nuclei_centroids import centres, pair_centroids
from histoloom.evaluate.counting.nuclei_counts import nuclei_counts
from histoloom.evaluate.counting.nucleus_table import nucleus_table
from histoloom.evaluate.counting.one_to_one import one_to_one
from tests.evaluate.counting.drawn_nuclei import RADIUS_PX, discs, nuclei, one_class, predicted_of

POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=9)


def points(values: list[tuple[int, int]]) -> np.ndarray:
    return np.array(values, np.float64).reshape(-1, 2)


def counted(truth, mask, predicted, classes, radius_px: float = RADIUS_PX) -> list[list[float]]:
    found = nuclei_counts(truth, np.array([mask], np.uint8), predicted, classes, 3, ["centroids"], radius_px, [])
    return found["centroids"].tolist()


def test_a_nucleus_counts_as_paired_missed_extra_or_of_another_class():
    truth = nuclei([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0])
    mask = [1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0]
    predicted = nuclei([0, 7, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9])
    # 1 is found one pixel off, 2 as class 2, 3 not at all; 9 is from nowhere.
    found = counted(truth, mask, predicted, {7: 1, 8: 2, 9: 2}, radius_px=1.0)
    assert found == [[2, 0, 0, 1, 1], [1, 0, 1, 0, 0], [0, 1, 0, 1, 1]]


@pytest.mark.parametrize(("radius_px", "paired"), [(2.9, 0), (3.0, 1)])
def test_the_radius_itself_is_within(radius_px, paired):
    assert counted(nuclei([1, 0, 0, 0]), [1, 0, 0, 0], nuclei([0, 0, 0, 5]), {5: 1}, radius_px)[0][0] == paired


def test_where_a_nucleus_lies_in_pieces_its_centroid_is_that_of_all_its_pixels():
    assert counted(nuclei([1, 0, 0, 0, 1]), [1, 0, 0, 0, 1], nuclei([0, 0, 5, 0, 0]), {5: 1}, 0.0)[0] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_centroids_agree_with_scikit_image(seed):
    truth = discs(seed)
    table = nucleus_table(truth, (truth > 0).astype(np.uint8), np.zeros_like(truth), {}, 2)
    found = centres(table.truth_position, table.runs, len(table.overlaps.truth_ids))
    expected = {region.label: region.centroid for region in regionprops(truth)}
    np.testing.assert_allclose(found, [expected[number] for number in table.overlaps.truth_ids.tolist()])


@pytest.mark.parametrize("seed", range(5))
def test_nuclei_that_moved_a_little_are_paired_as_hovernet_pairs_them(seed):
    rng = np.random.default_rng(seed)
    truth = discs(seed, count=40, size=200)
    places = np.array([region.centroid for region in regionprops(truth)])
    moved = rng.permutation(places + rng.normal(0, 0.5, places.shape))
    rows, columns, _ = as_hovernet(places, moved)
    found = pair_centroids(places, moved, RADIUS_PX)
    assert [each.tolist() for each in found] == [rows.tolist(), columns.tolist()]


@pytest.mark.parametrize("seed", range(5))
def test_hovernets_way_never_finds_more_pairs(seed):
    truth, predicted = discs(seed), predicted_of(discs(seed), seed)
    places = [np.array([region.centroid for region in regionprops(each)]) for each in (truth, predicted)]
    found = len(pair_centroids(*places, RADIUS_PX)[0])
    assert as_hovernet(*places)[2] <= found
    classes = one_class(predicted)
    counts = nuclei_counts(truth, (truth > 0).astype(np.uint8), predicted, classes, 2, ["centroids"], RADIUS_PX, [])
    assert counts["centroids"][0].tolist() == [found, 0, 0, len(places[1]) - found, len(places[0]) - found]


def as_hovernet(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """All points by the least total distance, then without pairs beyond the radius."""
    distance = cdist(truth, predicted)
    rows, columns = linear_sum_assignment(distance)
    near = distance[rows, columns] <= RADIUS_PX
    return rows[near], columns[near], int(near.sum())


@settings(max_examples=40, deadline=None)
@given(POINTS, POINTS, st.sampled_from([0.0, 1.0, 2.5, 5.0]))
def test_there_are_as_many_pairs_as_can_be_at_the_least_distance(truth, predicted, radius_px):
    rows, columns = pair_centroids(points(truth), points(predicted), radius_px)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)
    if not truth or not predicted:
        assert not len(rows)
        return
    distance = cdist(points(truth), points(predicted))
    near = distance <= radius_px
    assert near[rows, columns].all()
    assert len(rows) == (maximum_bipartite_matching(csr_array(near.astype(np.int8))) >= 0).sum()
    # A full table in which what is too far costs more than all that is near.
    costs = np.where(near, distance, 1e4)
    best = costs[linear_sum_assignment(costs)]
    assert distance[rows, columns].sum() == pytest.approx(best[best < 1e4].sum())


def test_a_far_nucleus_does_not_cost_a_near_pair():
    # By the least total distance of all, 0-20 and 11-11 (20 in all) would leave one pair; within 11 px there are two.
    rows, columns = pair_centroids(points([(0, 0), (0, 11)]), points([(0, 11), (0, 20)]), 11.0)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (1, 1)]


def test_two_thousand_nuclei_all_within_reach_of_each_other_are_paired_exactly():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 400, (2000, 2))
    order = rng.permutation(2000)
    rows, columns = pair_centroids(truth, truth[order], 12.0)
    assert rows.tolist() == list(range(2000))
    assert order[columns].tolist() == list(range(2000))


@pytest.mark.parametrize("seed", range(3))
def test_one_to_one_agrees_with_the_assignment_of_a_full_table(seed):
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((40, 30)) < 0.1, rng.random((40, 30)), 2.0)
    rows, columns = np.nonzero(table < 2)
    taken = one_to_one(rows, columns, table[rows, columns], 1.0)
    full = np.minimum(table, 1.0)
    assert len(np.unique(rows[taken])) == len(np.unique(columns[taken])) == taken.sum()
    assert (1 - table[rows, columns])[taken].sum() == pytest.approx((1 - full)[linear_sum_assignment(full)].sum())


def test_a_pair_that_costs_more_than_staying_alone_is_not_made():
    assert one_to_one(np.array([0, 1]), np.array([0, 1]), np.array([3.0, 1.0]), 2.0).tolist() == [False, True]


def test_without_candidates_nothing_is_paired():
    assert not one_to_one(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 1.0).size
