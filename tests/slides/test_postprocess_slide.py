"""A slide's prediction becomes the class map and the nuclei that the same pixels would give as one image."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from histoloom.files import write_json
from histoloom.formats.images import write_image
from histoloom.predict.regions.class_map import class_regions
from histoloom.predict.regions.settings import RegionSettings, plan_regions
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.nuclei.table import read_tables
from tests.predict.discs import as_probabilities, discs
from tests.predict.regions import regions_by_definition
from tests.scripts_run import outcome

SCRIPT = Path(__file__).parents[2] / "scripts" / "postprocess_slide.py"
HEIGHT, WIDTH, MPP, TISSUE_PX = 1100, 96, 0.5, 16
SETTINGS = RegionSettings("gaussian", 1.0, 1.5, 2.0, 40.0, 60.0, "um")
CENTRES = [(100, 60), (511, 30), (1023, 70), (1060, 40)]  # two of them on the borders of bands


def write_store(folder, values, facts):
    height, width, channels = values.shape
    store = BandStore.create(folder, Grid(height, width, channels, str(values.dtype), MPP, facts))
    for band in range(store.grid.bands):
        first, last = store.grid.rows(band)
        store.write(band, values[first:last])


def write_slide(folder, probabilities, tissue, outside):
    facts = {"classes": ["background", "a", "b"], "slide": "A 1", "outside": outside, "stride_px": 64}
    facts |= {"downsample": 1, "fold": 0}
    write_store(folder / "probabilities", probabilities, facts)
    write_image(folder / "tissue.png", tissue.astype(np.uint8) * 255)
    (folder / "maps").mkdir()
    (folder / "maps" / ".snakemake_timestamp").touch()  # of a folder that a rule declares, though nothing is in it
    height, width = probabilities.shape[:2]
    facts = {"slide": "A 1", "width": width, "height": height, "mpp": MPP, "tissue_mpp": TISSUE_PX * MPP}
    write_json(folder / "slide.json", facts)
    thresholds = {"method": "watershed", "options": {}, "min_area_px": 50, "tuned": False, "metric": "pq"}
    write_json(folder / "postprocess.json", {**thresholds, "score": None, "images": 0, "reason": ""})


def run_script(folder, settings=SETTINGS):
    flags = {"prediction-probabilities": folder / "probabilities", "prediction-maps": folder / "maps"}
    flags |= {"slide-json": folder / "slide.json", "tissue": folder / "tissue.png", "method": "watershed"}
    flags |= {
        "margin-px": 128,
        "seams": folder / "seams.json",
        "settings": folder / "postprocess.json",
        "classes": folder / "classes",
        "nuclei": folder / "nuclei",
    }
    flags |= {name.replace("_", "-"): value for name, value in vars(settings).items()}
    return outcome([str(SCRIPT), *(str(word) for flag, value in flags.items() for word in (f"--{flag}", value))])


@pytest.fixture(scope="module")
def clouds():
    """Probabilities of three classes in patches of all sizes, and discs that are certain."""
    random = np.random.default_rng(0)
    fields = [cv2.GaussianBlur(random.normal(size=(HEIGHT, WIDTH)), (0, 0), 6) for _ in range(3)]
    shares = np.exp(60 * np.stack(fields, axis=-1))
    return np.rint(255 * shares / shares.sum(axis=-1, keepdims=True)).astype(np.uint8)


@pytest.mark.parametrize("outside", [0, 255])
def test_a_slides_class_map_is_that_of_the_image(tmp_path, clouds, outside):
    shape = (-(-HEIGHT // TISSUE_PX), -(-WIDTH // TISSUE_PX))
    tissue = np.random.default_rng(1).random(shape) < 0.8
    inside = tissue.repeat(TISSUE_PX, 0).repeat(TISSUE_PX, 1)[:HEIGHT, :WIDTH]
    probabilities = np.where(inside[..., None], clouds, (255, 0, 0)).astype(np.uint8)
    write_slide(tmp_path, probabilities, tissue, outside)
    assert run_script(tmp_path) == "done"
    classes = BandStore.open(tmp_path / "classes")
    plan = plan_regions(SETTINGS, MPP, 50, "A 1")
    expected = regions_by_definition.regions(probabilities, plan, inside, outside)
    assert len(np.unique(expected)) == 3 + (outside == 255)
    assert np.array_equal(classes.rows(0, HEIGHT)[..., 0], expected)
    assert (classes.grid.mpp, classes.grid.facts["classes"]) == (MPP, ["background", "a", "b"])


def test_a_slide_all_of_tissue_is_an_image(tmp_path, clouds):
    write_slide(tmp_path, clouds, np.ones((-(-HEIGHT // TISSUE_PX), -(-WIDTH // TISSUE_PX)), bool), 255)
    assert run_script(tmp_path) == "done"
    found = BandStore.open(tmp_path / "classes").rows(0, HEIGHT)[..., 0]
    assert np.array_equal(found, class_regions(clouds, plan_regions(SETTINGS, MPP, 50, "")))


def test_nuclei_on_the_borders_of_bands_are_whole(tmp_path):
    mask = discs((HEIGHT, WIDTH), CENTRES, 12)
    write_slide(tmp_path, as_probabilities(mask * 2, 3), np.ones((69, 6), bool), 0)
    assert run_script(tmp_path, RegionSettings("none", 0.0, 0.0, 0.0, 0.0, 0.0, "um")) == "done"
    tables = list(read_tables(tmp_path / "nuclei"))
    places = [place for table in tables for place in zip(table.row.tolist(), table.column.tolist(), strict=True)]
    assert sorted(places) == [pytest.approx(centre) for centre in sorted(CENTRES)]
    assert sum(int(table.area_px.sum()) for table in tables) == mask.sum()
    assert all((table.class_index == 2).all() for table in tables)


def test_a_slide_without_tissue_is_background_without_nuclei(tmp_path):
    write_slide(tmp_path, as_probabilities(np.zeros((HEIGHT, WIDTH), int), 3), np.zeros((69, 6), bool), 0)
    assert run_script(tmp_path) == "done"
    assert not BandStore.open(tmp_path / "classes").rows(0, HEIGHT).any()
    assert sum(len(table) for table in read_tables(tmp_path / "nuclei")) == 0


def test_a_missing_band_is_named_and_nothing_is_left_half_done(tmp_path, clouds):
    write_slide(tmp_path, clouds, np.ones((69, 6), bool), 0)
    (tmp_path / "probabilities" / "000001.zst").unlink()
    assert "000001.zst: cannot be read" in run_script(tmp_path)
    assert not (tmp_path / "classes").exists()
    assert not (tmp_path / "nuclei").exists()
