import numpy as np
import pytest

from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.slides.band_store import BAND_PX, BandStore, Grid
from histoloom.slides.export.areas import area_table, count_nuclei, count_pixels
from histoloom.slides.nuclei.table import NucleiTable

NAMES = ("background", "tumour", "stroma")


def stored(folder, classes: np.ndarray, mpp: float = 0.5) -> BandStore:
    store = BandStore.create(folder / "classes", Grid(*classes.shape, 1, "uint8", mpp, {"classes": list(NAMES)}))
    for band in range(store.grid.bands):
        store.write(band, classes[slice(*store.grid.rows(band)), :, None])
    return store


def nuclei(*described: tuple[int, float, float, int]) -> NucleiTable:
    """Nuclei without outlines, each class, row, column and area."""
    kinds, rows, columns, areas = np.array(described, np.float64).reshape(-1, 4).T
    none = {"ring_start": np.zeros(len(kinds) + 1, np.int64), "vertex_start": np.zeros(1, np.int64)}
    none |= {"vertices": np.zeros((0, 2), np.int32), "mean_probability": np.ones(len(kinds), np.float32)}
    return NucleiTable(kinds.astype(np.uint8), areas.astype(np.int32), rows, columns, **none)


def table(folder, classes: np.ndarray, tissue: np.ndarray, tables, scale: float = 1.0) -> dict[str, dict[str, object]]:
    """Columns of each class's row."""
    store = stored(folder, classes)
    pixels = count_pixels(store, TissueMask(tissue, scale, *classes.shape), len(NAMES))
    columns, rows = area_table("s", "m", NAMES, 0.5, pixels, count_nuclei(tables, store, len(NAMES)), 1.01)
    return {row[2]: dict(zip(columns, row, strict=True)) for row in rows}


def test_areas_shares_and_densities_of_a_slide_counted_by_hand(tmp_path):
    classes = np.zeros((2000, 2000), np.uint8)  # 1 mm a side
    classes[:1000, :1000] = 1  # 0.25 mm²
    classes[1000:, 1000:1500] = 2  # 0.125 mm²
    tissue = np.zeros((20, 20), bool)
    tissue[:, :15] = True  # 0.75 mm², one pixel for 100
    found = [nuclei((1, 10.2, 20.0, 80), (1, 999.49, 0, 120)), nuclei((1, 1500, 1200, 40), (2, 1600, 300, 60))]
    rows = table(tmp_path, classes, tissue, found, 100.0)
    assert rows["tumour"] == {
        "slide": "s",
        "model": "m",
        "class": "tumour",
        "area_mm2": 0.25,
        "tissue_share": pytest.approx(1 / 3, abs=1e-6),
        "nuclei": 3,
        "nuclei_per_mm2_tissue": 4,
        "mean_nucleus_area_um2": 20,  # 80 px of 0.25 µm²
        "nuclei_per_mm2_in_background": 0,
        "nuclei_per_mm2_in_tumour": 8,
        "nuclei_per_mm2_in_stroma": 8,
        "seam_index": 1.01,
    }
    stroma, background = rows["stroma"], rows["background"]
    assert (stroma["area_mm2"], stroma["tissue_share"]) == (0.125, pytest.approx(1 / 6, abs=1e-6))
    assert (stroma["nuclei"], stroma["mean_nucleus_area_um2"]) == (1, 15)
    assert stroma["nuclei_per_mm2_in_background"] == pytest.approx(1 / 0.375, abs=1e-3)
    assert (background["area_mm2"], background["tissue_share"]) == (0.375, 0.5)
    assert (background["nuclei"], background["mean_nucleus_area_um2"]) == (0, None)


def test_a_centroid_lies_in_the_pixel_whose_centre_is_nearest(tmp_path):
    classes = np.zeros((BAND_PX + 2, 4), np.uint8)
    classes[BAND_PX - 1, 2], classes[BAND_PX, 3] = 1, 2
    found = nuclei((1, BAND_PX - 0.51, 2.49, 1), (1, BAND_PX - 0.49, 2.51, 1), (2, 0, 0, 1), (2, BAND_PX + 1.4, 3.4, 1))
    counts = count_nuclei([found], stored(tmp_path, classes), 3)
    assert counts.nuclei.tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [2, 0, 0, 0]]


def test_what_nobody_looked_at_is_in_no_class_and_no_share(tmp_path):
    classes = np.full((40, 40), 255, np.uint8)
    classes[:10] = 1
    rows = table(tmp_path, classes, np.ones((40, 40), bool), [nuclei((1, 5, 5, 4), (1, 30, 5, 4))])
    assert [row["tissue_share"] for row in rows.values()] == [0, 0.25, 0]
    assert rows["tumour"]["nuclei"] == 2
    assert rows["tumour"]["nuclei_per_mm2_in_tumour"] == pytest.approx(1 / (400 * 0.25e-6))


def test_regions_beyond_the_tissue_count_as_area_but_not_as_share(tmp_path):
    classes = np.zeros((40, 40), np.uint8)
    classes[:20] = 1
    tissue = np.zeros((40, 40), bool)
    tissue[10:30] = True
    rows = table(tmp_path, classes, tissue, [])
    assert (rows["tumour"]["area_mm2"], rows["tumour"]["tissue_share"]) == (0.0002, 0.5)
    assert rows["background"]["area_mm2"] == 0.0001


def test_without_tissue_cells_are_empty_instead_of_infinite(tmp_path):
    rows = table(tmp_path, np.zeros((30, 30), np.uint8), np.zeros((30, 30), bool), [nuclei()])
    assert len(rows) == 3
    for row in rows.values():
        assert (row["area_mm2"], row["nuclei"]) == (0, 0)
        empty = [name for name, value in row.items() if value is None]
        assert len(empty) == 3 + 3  # share, density, mean area, and the density in each of three classes


def test_shares_of_any_map_add_up_to_one(tmp_path):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, (BAND_PX * 2 + 77, 130)).astype(np.uint8)
    tissue = rng.random((139, 17)) < 0.3
    rows = table(tmp_path, classes, tissue, [], scale=130 / 16.5)
    assert sum(row["tissue_share"] for row in rows.values()) == pytest.approx(1, abs=2e-6)
