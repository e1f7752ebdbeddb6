"""predict.py replaces no file of the user's, loses no finished image, and goes on with bands of its own code alone."""

from pathlib import Path

import numpy as np
import pytest

from histoloom.export.settings import write_settings
from histoloom.export.slide_commands import prediction_code
from histoloom.files import write_json
from histoloom.formats.images import write_image
from histoloom.split.normalisation import write_reference
from histoloom.study.merging import read_config
from histoloom.study.study import Study
from tests.export.export_case import write_model
from tests.export.test_predict_script import THRESHOLDS, WILD, script, words_of
from tests.security.test_exports import groups

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_model(folder / "model.safetensors")
    write_settings(folder, "demo_breast/unet_small", groups())
    write_json(folder / "postprocess.json", THRESHOLDS | {"images": 0, "reason": ""})
    return folder


@pytest.fixture
def images(tmp_path):
    for name in ("a", "b", "c"):
        write_image(tmp_path / "images" / f"{name}.png", np.full((64, 64, 3), 200, np.uint8))
    return tmp_path / "images"


def predicted(weights, images, results):
    return script("predict", *words_of(export=weights, images=images, results=results))


@pytest.mark.parametrize("name", ["regions/a.png", "nuclei/drawn.png", "nuclei.csv"])
def test_files_that_are_there_stay_and_nothing_is_computed(weights, images, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    found = predicted(weights, images, tmp_path)
    assert f"{tmp_path / Path(name).parts[0]}: is there already" in found and "name another --results" in found
    assert (tmp_path / name).read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["images", Path(name).parts[0]])


def test_a_folder_called_as_a_slide_stays_as_it_is(weights, images, tmp_path):
    drawn = tmp_path / "s" / "nuclei" / "drawn.png"
    drawn.parent.mkdir(parents=True)
    drawn.write_text("mine")
    words = words_of(export=weights, images=images, results=tmp_path)
    found = script("predict", *words, "--slides", str(tmp_path / "s.svs"))
    assert f"{tmp_path / 's'}: is there already" in found
    assert [path.name for path in drawn.parent.iterdir()] == ["drawn.png"]
    assert not (tmp_path / "regions").exists()


def test_a_bad_image_costs_the_others_nothing_and_is_named(weights, images, tmp_path, capsys):
    (images / "b.png").write_bytes((images / "b.png").read_bytes()[:60])
    found = predicted(weights, images, tmp_path / "out")
    assert found.startswith("error: --images: 1 of 3 could not be predicted (b.png)")
    assert f"{images / 'b.png'}: " in capsys.readouterr().err
    for kind in ("regions", "nuclei"):
        assert sorted(path.name for path in (tmp_path / "out" / kind).iterdir()) == ["a.png", "c.png"]
    assert (tmp_path / "out" / "nuclei.csv").is_file()


def test_where_no_image_is_predicted_there_is_no_table(weights, images, tmp_path):
    for path in images.iterdir():
        path.write_bytes(b"")
    assert "3 of 3 could not be predicted" in predicted(weights, images, tmp_path / "out")
    assert not (tmp_path / "out" / "nuclei.csv").exists()


def test_unfinished_bands_hang_on_the_code_of_architecture_and_normaliser(weights, tmp_path):
    config = read_config([ROOT / "config" / "config.yaml"], {})
    plain = prediction_code(weights)
    assert plain.startswith(Study(config).slides.predict_code(WILD))  # as the rule of the workflow has it
    for path in weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_reference(tmp_path / "reference.npz", "macenko", [np.zeros((4, 3), np.uint8)])
    config["normalise"]["method"] = "macenko"
    normalised = prediction_code(tmp_path)
    assert normalised.startswith(Study(config).slides.predict_code(WILD))
    write_model(tmp_path / "model.safetensors", seed=1)
    assert normalised != plain
    assert prediction_code(tmp_path)[:12] == normalised[:12]
    assert prediction_code(tmp_path) != normalised
