"""Probabilities and instance maps are rounded to bytes by hand-checked rules, and read back or refused."""

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.predict.probabilities import quantised, quantised_maps, read_maps, read_probabilities


def test_bytes_are_the_nearest_255th():
    probabilities = np.array([[[0.0, 1.0], [0.25, 0.75]]], np.float32)
    assert quantised(probabilities).tolist() == [[[0, 255], [64, 191]]]  # 63.75 and 191.25


def test_bytes_of_maps_are_the_nearest_127th_and_cut_off_at_one():
    maps = np.array([[[-1.0, 1.0], [0.25, -0.75]], [[-3.5, 1e9], [0.0, -0.003]]], np.float32)
    expected = [[[-127, 127], [32, -95]], [[-127, 127], [0, 0]]]  # 31.75, -95.25, -0.381
    bytes_ = quantised_maps(maps)
    assert bytes_.dtype == np.int8
    assert bytes_.tolist() == expected


def test_maps_are_read_as_written_and_none_where_there_are_none(tmp_path):
    maps = np.array([[[-127, 127], [5, 0]]], np.int8)
    np.save(tmp_path / "a.npy", maps)
    np.testing.assert_array_equal(read_maps(tmp_path, "a"), maps)
    assert read_maps(tmp_path, "b") is None


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"uint8 of shape \(4, 4, 2\)"),
        (np.zeros((4, 4, 3), np.int8), r"int8 of shape \(4, 4, 3\)"),
        (np.zeros((4, 4), np.int8), r"int8 of shape \(4, 4\)"),
    ],
)
def test_something_else_than_maps_is_refused(tmp_path, values, found):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=rf"a\.npy: {found}; expected int8 \(height, width, 2\).*predict again"):
        read_maps(tmp_path, "a")


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((40, 40, 2), np.int8))
    path.write_bytes(path.read_bytes()[:500])
    for read in (lambda: read_maps(tmp_path, "a"), lambda: read_probabilities(path, 2)):
        with pytest.raises(InputError, match=r"a\.npy: cannot be read as an array; expected one that predict wrote"):
            read()
