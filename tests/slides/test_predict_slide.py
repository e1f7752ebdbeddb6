"""The script that predicts a slide gives what the engine gives of the slide's pixels, or says why it cannot."""

import json

import numpy as np
import pytest
import torch

from histoloom.formats.images import read_mask
from histoloom.formats.slides.slide import Slide
from histoloom.networks import load_model, save_model
from histoloom.predict.engine.engine import Engine, EngineSettings
from histoloom.predict.inference import predict_image
from histoloom.predict.probabilities import quantised, quantised_maps
from histoloom.slides.band_store import BandStore
from histoloom.slides.prediction.slide_pixels import SlidePixels
from histoloom.split.normalisation import write_reference
from tests.colour.test_stain import stained
from tests.lease_case import QUICK, held
from tests.scripts_run import outcome
from tests.slides.slide_case import CLASSES, SlideCase

SETTINGS = EngineSettings(overlap=4, window="hann", batch_size=8, precision="float32")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def case(tmp_path):
    return SlideCase(tmp_path, 1100, 150).write()


def stored(case, name):
    store = BandStore.open(case.folder / "prediction" / name)
    return store.grid, store.rows(0, store.grid.height)


def tissue_of(case, shape):
    """The pixel of tissue.png in which each working pixel's centre lies."""
    mask = read_mask(case.folder / "tissue.png") > 0
    places = [
        np.minimum((np.arange(side) + 0.5) * (full / side) // 16, most - 1).astype(int)
        for side, full, most in zip(shape, (case.height, case.width), mask.shape, strict=True)
    ]
    return mask[np.ix_(*places)]


def off_by_one_at_most(found, expected):
    # Batches differ, so the last bit may fall on the other side of a rounding.
    difference = np.abs(found.astype(int) - expected)
    return difference.max() <= 1 and (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("mpp", [0.5, 1.0])
def test_tissue_of_a_slide_is_predicted_as_an_image_of_it_is_and_glass_is_background(case, mpp):
    case.write_model("model.safetensors", mpp=mpp)
    assert outcome(case.words()) == "done"
    network, card = load_model(case.folder / "model.safetensors")
    with Slide(case.folder / "slide.tif") as slide:
        pixels = SlidePixels(slide, mpp)
        image = pixels.rows(0, pixels.height)
    probabilities, maps = predict_image(Engine([network], card, SETTINGS, torch.device("cpu")), image)
    grid, found = stored(case, "probabilities")
    assert found.shape == (round(1100 * 0.5 / mpp), round(150 * 0.5 / mpp), 3)
    assert (grid.dtype, grid.mpp) == ("uint8", mpp)
    is_tissue = tissue_of(case, found.shape[:2])
    assert 0.2 < is_tissue.mean() < 0.8
    assert off_by_one_at_most(found[is_tissue], quantised(probabilities)[is_tissue])
    assert (found[~is_tissue] == [255, 0, 0]).all()
    grid, found = stored(case, "maps")
    assert (grid.dtype, found.shape[2]) == ("int8", 2)
    assert off_by_one_at_most(found[is_tissue], quantised_maps(maps)[is_tissue])
    assert not found[~is_tissue].any()
    assert not (case.folder / "state").exists()


def test_facts_of_the_slide_stand_in_the_store(case):
    case.flags = {"outside": 255}
    assert outcome(case.words()) == "done"
    assert stored(case, "probabilities")[0].facts == {
        "classes": CLASSES,
        "slide": "slide.tif",
        "slide_mpp": 0.5,
        "slide_width": 150,
        "slide_height": 1100,
        "outside": 255,
        "stride_px": 16,
        "downsample": 1,
        "fold": 0,
        "not_normalised": "",
    }


def test_an_ensemble_without_maps_writes_the_mean_of_probabilities_alone(case):
    names = ["0.safetensors", "1.safetensors"]
    for seed, name in enumerate(names):
        case.write_model(name, seed, has_maps=False)
    found = []
    for models in (names, names[:1], names[1:]):
        case.models, case.flags = models, {"choose": "all"}
        assert outcome(case.words()) == "done"
        found.append(stored(case, "probabilities")[1].astype(int))
    assert list((case.folder / "prediction" / "maps").iterdir()) == []
    assert np.abs(2 * found[0] - found[1] - found[2]).max() <= 2  # each is rounded
    assert np.abs(found[1] - found[2]).max() > 5


def test_a_model_without_resolution_needs_it_as_a_flag(case):
    case.write_model("model.safetensors", mpp=None)
    assert "does not say at how many µm per pixel it was trained" in outcome(case.words())
    case.flags = {"mpp": 1.0}
    assert outcome(case.words()) == "done"
    assert stored(case, "probabilities")[0].height == 550


@pytest.mark.parametrize(
    ("flags", "models", "message"),
    [
        (
            {"mpp": 0.25},
            ["model.safetensors"],
            "model.safetensors: trained at 0.5 µm per pixel, but --mpp is 0.25; expected the same",
        ),
        (
            {},
            ["model.safetensors", "others.safetensors"],
            "others.safetensors: classes ['background', 'gland']; expected ['background', 'stroma'",
        ),
        ({}, ["model.safetensors", "coarse.safetensors"], "coarse.safetensors: mpp 1.0; expected 0.5 as of"),
        ({}, ["missing.safetensors"], "missing.safetensors: no such model"),
        ({"overlap": 9}, ["model.safetensors"], "overlap 9 of tiles of 32 px; expected a tile_px divisible by 3"),
        ({"slide": "none.tif"}, ["model.safetensors"], "none.tif: cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(case, flags, models, message):
    case.write_model("others.safetensors", classes=["background", "gland"])
    case.write_model("coarse.safetensors", mpp=1.0)
    case.flags, case.models = {"choose": "all", **flags}, models
    said = outcome(case.words())
    assert said.startswith("error: ")
    assert message in said
    assert len(said.splitlines()) <= 4
    assert not (case.folder / "prediction").exists()


def test_a_mask_of_another_slide_is_refused(case):
    facts = json.loads((case.folder / "slide.json").read_text())
    (case.folder / "slide.json").write_text(json.dumps(facts | {"tissue_mpp": 2.0}))
    assert "tissue mask: 69 x 9 pixels; expected 275.0 x 37.5" in outcome(case.words())
    (case.folder / "slide.json").write_text(json.dumps({"slide": "slide.tif"}))
    assert "slide.json: KeyError: 'width'; expected slide, width" in outcome(case.words())


def test_a_model_that_gives_no_numbers_is_told_and_nothing_published(case):
    network, card = load_model(case.folder / "model.safetensors")
    next(network.parameters()).data.fill_(torch.nan)
    save_model(case.folder / "model.safetensors", network.state_dict(), card)
    assert "unet: band 0: gave no numbers (NaN) at some pixels" in outcome(case.words())
    assert not (case.folder / "prediction").exists()


def test_an_interrupted_prediction_goes_on_at_its_band_and_other_settings_begin_anew(case, monkeypatch):
    assert outcome(case.words()) == "done"
    expected, write, asked = case.result(), BandStore.write, []
    case.flags = {"probabilities": case.folder / "prediction" / "again", "maps": case.folder / "prediction" / "m"}

    def full_disk(store, band, values):
        if band == 1:
            raise OSError(28, "No space left on device")
        write(store, band, values)

    monkeypatch.setattr(BandStore, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        outcome(case.words())
    assert not (case.folder / "prediction" / "again").exists()
    case.flags |= {"overlap": 1}
    with pytest.raises(OSError, match="No space left"):
        outcome(case.words())
    assert len(list((case.folder / "state").iterdir())) == 2
    case.flags |= {"overlap": 4}
    monkeypatch.setattr(
        BandStore, "write", lambda store, band, values: asked.append(band) or write(store, band, values)
    )
    assert outcome(case.words()) == "done"
    assert set(asked) == {1, 2}
    found = case.result()
    for name in ("000000.zst", "000001.zst", "000002.zst", "store.json"):
        assert found[f"again/{name}"] == expected[f"probabilities/{name}"]
        assert found[f"m/{name}"] == expected[f"maps/{name}"]


def test_a_second_prediction_of_the_same_is_refused_and_touches_nothing(case, monkeypatch, capsys):
    def full_disk(store, band, values):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(BandStore, "write", full_disk)
        outcome(case.words())
    (folder,) = (case.folder / "state").iterdir()
    half_written = folder / "probabilities" / ".part-of-the-first-writer"
    half_written.write_bytes(b"half a band")
    monkeypatch.setattr("histoloom.lease.SPANS", QUICK)
    with held(folder) as process:
        assert outcome(case.words()) == "3"
        said = capsys.readouterr().err
        assert f"error: {folder}: another run is at work here (user " in said
        assert f", process {process.pid}, job none, since " in said
        assert half_written.exists()
        assert not (case.folder / "prediction").exists()
    assert outcome(case.words()) == "done"
    assert not (case.folder / "state").exists()


def test_the_best_of_several_models_is_the_one_with_the_highest_validation_score(case):
    case.models = ["0.safetensors", "1.safetensors", "2.safetensors"]
    for fold, score in enumerate((0.4, 0.7, float("nan"))):
        case.write_model(f"{fold}.safetensors", seed=fold, fold=fold, score=score)
    assert outcome(case.words()) == "done"
    grid, found = stored(case, "probabilities")
    assert grid.facts["fold"] == 1
    case.models = ["1.safetensors"]
    assert outcome(case.words()) == "done"
    np.testing.assert_array_equal(stored(case, "probabilities")[1], found)


def test_a_model_of_normalised_images_sees_the_slide_in_their_stain(case):
    reference = [stained("blue").reshape(-1, 3)]
    write_reference(case.folder / "reference.npz", "reinhard", reference)
    assert outcome(case.words()) == "done"
    _, own = stored(case, "probabilities")
    case.flags = {"reference": case.folder / "reference.npz"}
    assert outcome(case.words()) == "done"
    grid, found = stored(case, "probabilities")
    assert grid.facts["not_normalised"] == ""
    assert (found != own).any()
