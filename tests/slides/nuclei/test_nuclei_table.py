"""Tables of nuclei survive their file, are joined in order, and damaged ones are refused."""

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.slides.nuclei.table import NucleiTable, joined, read_table, read_tables, write_table, write_tables

SQUARE, INNER = [(0, 0), (9, 0), (9, 9), (0, 9)], [(3, 3), (3, 5), (5, 5), (5, 3)]
TRIANGLE = [(20, 20), (22, 20), (20, 22)]


def table(*outlines, disputed=0):
    """Nuclei with these rings each; the other columns count up."""
    rings = [ring for outline in outlines for ring in outline]
    numbers = np.arange(1, len(outlines) + 1)
    return NucleiTable(
        numbers.astype(np.uint8),
        numbers.astype(np.int32),
        numbers + 0.25,
        numbers + 0.5,
        (numbers / 8).astype(np.float32),
        np.cumsum([0, *map(len, outlines)]),
        np.cumsum([0, *map(len, rings)]),
        np.array([vertex for ring in rings for vertex in ring], np.int32).reshape(-1, 2),
        disputed,
    )


def outlines_of(nuclei):
    return [[[tuple(map(int, vertex)) for vertex in ring] for ring in nuclei.rings(i)] for i in range(len(nuclei))]


def test_a_nucleus_has_its_exterior_and_its_holes():
    assert outlines_of(table([SQUARE, INNER], [TRIANGLE])) == [[SQUARE, INNER], [TRIANGLE]]


def test_joined_tables_keep_order_and_outlines():
    both = joined([table([SQUARE, INNER], disputed=2), table(), table([TRIANGLE], [SQUARE], disputed=1)])
    assert outlines_of(both) == [[SQUARE, INNER], [TRIANGLE], [SQUARE]]
    assert both.class_index.tolist() == [1, 1, 2]
    assert both.row.tolist() == [1.25, 1.25, 2.25]
    assert both.disputed == 3


def test_no_tables_join_to_an_empty_one():
    nothing = joined([])
    assert len(nothing) == 0
    assert nothing.vertices.shape == (0, 2)
    assert nothing.ring_start.tolist() == nothing.vertex_start.tolist() == [0]


def test_a_table_is_read_as_it_was_written_and_its_bytes_are_the_same_again(tmp_path):
    written = table([SQUARE, INNER], [TRIANGLE], disputed=4)
    write_table(tmp_path / "a.npz", written)
    write_table(tmp_path / "b.npz", written)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    found = read_table(tmp_path / "a.npz")
    assert outlines_of(found) == outlines_of(written)
    assert found.disputed == 4
    assert found.mean_probability.tolist() == [0.125, 0.25]
    assert (found.row.dtype, found.area_px.dtype) == (np.float64, np.int32)


def test_a_folder_is_read_in_the_order_it_was_written_in(tmp_path):
    tables = [table(*[[TRIANGLE]] * count, disputed=count % 2) for count in (*range(11), 3)]
    assert write_tables(tmp_path, iter(tables)) == (58, 6)
    assert [len(each) for each in read_tables(tmp_path)] == [*range(11), 3]


@pytest.mark.parametrize("content", [b"", b"no zip", "half", "another"], ids=["empty", "text", "half", "another zip"])
def test_a_damaged_table_is_named(tmp_path, content):
    path = tmp_path / "000000.npz"
    write_table(path, table([SQUARE]))
    if content == "another":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes(path.read_bytes()[:700] if content == "half" else content)
    with pytest.raises(InputError, match=r"000000\.npz: cannot be read \(\w+\); expected a table of nuclei; remove it"):
        list(read_tables(tmp_path))


def test_missing_tables_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no table of nuclei; expected 000000\.npz"):
        list(read_tables(tmp_path))
    write_tables(tmp_path, [table(), table()])
    (tmp_path / "000000.npz").unlink()
    with pytest.raises(InputError, match=r"000000\.npz: cannot be read \(FileNotFoundError\)"):
        list(read_tables(tmp_path))
