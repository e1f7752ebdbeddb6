"""Nuclei of a slide are those of the whole image at once, whatever the blocks: none doubled, cut or missing."""

import cv2
import numpy as np
import pytest
from rasterio.features import rasterize
from shapely import Polygon
from skimage.measure import regionprops_table

from histoloom.errors import InputError
from histoloom.plugins import load
from histoloom.predict.postprocess import describe_nuclei, without_small
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.nuclei.blocks import MARGIN_PX, nuclei_of_slide
from histoloom.slides.nuclei.measures import measured
from histoloom.slides.nuclei.table import joined
from tests.slides.made_nuclei import made_ids, made_maps, made_probabilities

cv2.setNumThreads(1)
OPTIONS = {"watershed": {"foreground": 0.5, "min_distance_px": 6}, "hover": {"foreground": 0.5, "edge": 0.4}}


def found(method, probabilities, maps=None, *, min_area_px=10, **blocks):
    """The tables of a slide in memory, joined."""
    read_maps = None if maps is None else lambda first, last: maps[first:last]
    shape = probabilities.shape[:2]
    read = lambda first, last: probabilities[first:last]  # noqa: E731
    return joined(nuclei_of_slide(read, read_maps, shape, method, OPTIONS[method], min_area_px=min_area_px, **blocks))


def as_set(table):
    """Each nucleus by all that is known of it."""
    columns = (table.class_index, table.area_px, table.row, table.column, table.mean_probability)
    outlines = (tuple(ring.tobytes() for ring in table.rings(number)) for number in range(len(table)))
    return set(zip(*(column.tolist() for column in columns), outlines, strict=True))


def whole(method, probabilities, maps=None, min_area_px=10):
    """The instance map of the whole image at once, by the method as it is used on images."""
    return without_small(load("postprocessors", method)(probabilities, maps, **OPTIONS[method]), min_area_px)


def painted(table, shape):
    """The outlines as an instance map, painted by GDAL."""
    rings = [table.rings(number) for number in range(len(table))]
    shapes = [(Polygon(first, others), number) for number, (first, *others) in enumerate(rings, start=1)]
    return rasterize(shapes, out_shape=shape, fill=0, dtype=np.int32)


def same_nuclei(one, other):
    """Whether two instance maps have the same nuclei, whatever their ids."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", OPTIONS)
def test_blocks_find_the_nuclei_of_the_whole_image(method, seed):
    shape = ((400, 520), (313, 631), (700, 200))[seed]
    ids = made_ids(shape, seed, spacing_px=(16, 22, 30)[seed])
    probabilities, maps = made_probabilities(ids, seed), made_maps(ids, seed) if method == "hover" else None
    table = found(method, probabilities, maps, block_px=((150, 200), (200, 133), (150, 4096))[seed])
    nuclei = whole(method, probabilities, maps)
    assert table.disputed == 0
    assert len(table) == nuclei.max() > 100
    assert same_nuclei(painted(table, shape), nuclei)


def test_a_nucleus_has_the_class_place_area_and_probability_that_images_have():
    probabilities = made_probabilities(made_ids((300, 400), 4), 4, classes=4)
    table = found("watershed", probabilities, block_px=(100, 150))
    expected = describe_nuclei(whole("watershed", probabilities), probabilities)
    order = np.lexsort((table.column, table.row))
    for place, nucleus in zip(order, sorted(expected, key=lambda each: (each.row, each.column)), strict=True):
        assert (table.class_index[place], table.area_px[place]) == (nucleus.class_index, nucleus.area_px)
        assert (table.row[place], table.column[place]) == pytest.approx((nucleus.row, nucleus.column), abs=1e-9)
        assert table.mean_probability[place] == pytest.approx(nucleus.mean_probability, rel=1e-6)


def test_sums_are_right_where_those_of_all_pixels_before_have_more_than_32_bits():
    # 4200 x 4200 pixels of 255 are 4.5e9, 2^32 is 4.3e9; the nucleus lies at the end.
    nuclei = np.zeros((4200, 4200), np.int32)
    nuclei[-3:, -7:] = 1
    probabilities = np.broadcast_to(np.array([0, 255], np.uint8), (4200, 4200, 2))
    assert measured(nuclei, probabilities).class_sums.tolist() == [[3 * 7 * 255]]


def test_measures_are_those_of_scikit_image():
    ids = whole("watershed", made_probabilities(made_ids((200, 300), 6), 6))
    measures = measured(ids, np.full((*ids.shape, 3), (5, 50, 200), np.uint8))
    expected = regionprops_table(ids, properties=("area", "centroid", "bbox"))
    assert np.array_equal(measures.area_px, expected["area"])
    for name, sums in (("centroid-0", measures.row_sum), ("centroid-1", measures.column_sum)):
        assert np.allclose(sums / measures.area_px, expected[name])
    assert np.array_equal(measures.box.T, [expected[f"bbox-{i}"] - (i > 1) for i in range(4)])
    assert np.array_equal(measures.class_sums, measures.area_px[:, None] * [50, 200])


def test_tables_come_by_row_of_blocks_and_one_whose_centroid_is_on_the_border_belongs_below_and_right_of_it():
    probabilities = np.zeros((128, 128, 2), np.uint8)
    probabilities[..., 0] = 255
    for row, column in ((62, 20), (63, 62), (20, 63)):  # 5 px a side: centroids at row 64, 65 and 22, column 22, 64, 65
        probabilities[row : row + 5, column : column + 5] = (0, 255)
    read = lambda first, last: probabilities[first:last]  # noqa: E731
    tables = list(
        nuclei_of_slide(read, None, (128, 128), "watershed", {}, min_area_px=1, block_px=(64, 64), margin_px=16)
    )
    assert [sorted(zip(table.row, table.column, strict=True)) for table in tables] == [[(22, 65)], [(64, 22), (65, 64)]]
    assert [table.area_px.tolist() for table in tables] == [[25], [25, 25]]
    assert sum(table.disputed for table in tables) == 0


def test_the_same_nuclei_come_whatever_the_blocks_and_the_margin_above_the_default():
    probabilities = made_probabilities(made_ids((320, 400), 9), 9)
    sets = [as_set(found("watershed", probabilities, block_px=each)) for each in ((320, 400), (128, 77))]
    sets.append(as_set(found("watershed", probabilities, block_px=(170, 170), margin_px=MARGIN_PX + 31)))
    assert sets[0] == sets[1] == sets[2]
    assert len(sets[0]) > 100


def test_a_nucleus_longer_than_the_margin_is_counted_as_disputed():
    probabilities = np.full((200, 256, 2), (255, 0), np.uint8)
    rows, columns = np.mgrid[:200, :256]
    disc = (rows - 100) ** 2 + (columns - 128) ** 2 <= 70**2
    probabilities[disc] = (0, 255)
    assert found("watershed", probabilities, block_px=(200, 128), margin_px=32).disputed == 2
    table = found("watershed", probabilities, block_px=(200, 128), margin_px=80)
    assert (table.disputed, table.area_px.tolist()) == (0, [disc.sum()])


def test_small_nuclei_are_left_out():
    probabilities = made_probabilities(made_ids((200, 300), 6), 6)
    areas = np.bincount(whole("watershed", probabilities, min_area_px=0).ravel())[1:]
    table = found("watershed", probabilities, min_area_px=150, block_px=(90, 90))
    assert sorted(table.area_px) == sorted(areas[areas >= 150])
    assert 0 < len(table) < len(areas)


def test_each_row_is_read_once_and_blocks_without_foreground_are_not_processed(monkeypatch):
    probabilities = np.full((700, 600, 2), (255, 0), np.uint8)
    probabilities[600:620, 500:520] = (0, 255)
    reads, seen = [], []

    def read(first, last):
        reads.extend(range(first, last))
        return probabilities[first:last]

    watershed = load("postprocessors", "watershed")

    def watched(part, maps, **options):
        seen.append(part.shape)
        return watershed(part, maps, **options)

    monkeypatch.setattr("histoloom.slides.nuclei.blocks.load", lambda kind, name: watched)
    blocks = {"min_area_px": 1, "block_px": (200, 200), "margin_px": 50}
    tables = list(nuclei_of_slide(read, None, (700, 600), "watershed", {}, **blocks))
    assert reads == list(range(700))
    assert [len(table) for table in tables] == [0, 0, 0, 1]
    # The last row of blocks, and the one above it, which sees 50 of its rows.
    assert seen == [(300, 250, 2), (150, 250, 2)]


def test_a_slide_without_foreground_gives_empty_tables():
    ground = np.full((300, 300, 2), (255, 0), np.uint8)
    for method in OPTIONS:
        table = found(method, ground, np.zeros((300, 300, 2), np.int8), block_px=(100, 100))
        assert (len(table), table.disputed) == (0, 0)


def test_a_band_store_is_read_as_an_array_is(tmp_path):
    probabilities = made_probabilities(made_ids((1100, 200), 3), 3)
    store = BandStore.create(tmp_path, Grid(1100, 200, 3, "uint8", 0.25))
    for band in range(store.grid.bands):
        store.write(band, probabilities[slice(*store.grid.rows(band))])
    tables = nuclei_of_slide(
        store.rows, None, (1100, 200), "watershed", OPTIONS["watershed"], min_area_px=10, block_px=(300, 300)
    )
    assert as_set(joined(tables)) == as_set(found("watershed", probabilities, block_px=(1100, 200)))


def test_options_that_the_method_refuses_are_named():
    with pytest.raises(InputError, match=r"option foreground=2\.0; expected above 0"):
        list(nuclei_of_slide(lambda a, b: np.zeros((b - a, 9, 2), np.uint8), None, (9, 9), "watershed",
                             {"foreground": 2.0}, min_area_px=0))  # fmt: skip


def test_a_method_whose_nuclei_are_in_pieces_is_refused(monkeypatch):
    def halves(probabilities, maps):
        ids = np.zeros(probabilities.shape[:2], np.int32)
        ids[1, 1] = ids[5, 5] = 1
        return ids

    monkeypatch.setattr("histoloom.slides.nuclei.blocks.load", lambda kind, name: halves)
    with pytest.raises(ValueError, match="1 nuclei are in 2 pieces; expected each in one"):
        list(nuclei_of_slide(lambda a, b: np.zeros((b - a, 9, 2), np.uint8), None, (9, 9), "halves", {}, min_area_px=0))
