"""A bundle runs by MONAI's own commands where nothing of histoloom can be imported, and gives the network's output.

The oracle is the network as histoloom loads it from the weights; the commands run in a process of their own.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from PIL import Image

from histoloom.export.monai_bundle import write_bundle
from histoloom.export.papers import write_papers
from histoloom.formats.images import SUFFIXES, read_mask, write_image
from histoloom.networks import network_input
from tests.export.export_case import CARD, CLASSES, source

TILE = CARD["tile_px"]
SIZES = {"tile": (TILE, TILE), "wide": (50, 150)}
KINDS = ("small.jpg", "long.jpeg", "plain.tif", "longer.tiff", "CAPITAL.PNG", "CAMERA.JPG", "Scan.Tiff")
# Both by one start of Python, since each imports torch and MONAI.
COMMANDS = """
import importlib.util, json, sys
import numpy, torch
assert importlib.util.find_spec("histoloom") is None, "this environment is not clean"
torch.set_num_threads(1)
from monai.bundle import ConfigParser, run, verify_net_in_out
run(config_file="configs/inference.json", output_dir="results")
try:
    run(config_file="configs/inference.json", dataset_dir="twins", output_dir="results_of_twins")
except SystemExit as end:
    print("refused:", end)
meta = {"meta_file": "configs/metadata.json", "config_file": "configs/inference.json"}
verify_net_in_out("network", device="cpu", n=2, p=3, **meta)
parser = ConfigParser(json.load(open("configs/inference.json")))
network, preprocess = parser.get_parsed_content("network"), parser.get_parsed_content("preprocessing")
for name in ("tile", "other"):
    tile = preprocess({"image": f"{name}.png" if name == "other" else "images/tile.png"})["image"]
    with torch.no_grad():
        numpy.save(name, network(tile.as_tensor()[None].to(parser.get_parsed_content("device"))).cpu().numpy())
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle with images beside it, after MONAI's commands have run in it."""
    folder = tmp_path_factory.mktemp("bundle")
    model = source(folder / "study")
    place = folder / "bundle"
    place.mkdir()
    write_bundle(place, model)
    write_papers(place, model)
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (*size, 3), dtype=np.uint8) for name, size in SIZES.items()}
    for name, image in images.items():
        write_image(place / "images" / f"{name}.png", image)
    for number, name in enumerate(KINDS):
        Image.fromarray(np.full((TILE, TILE, 3), 30 * number, np.uint8)).save(place / "images" / name)
    see_through = rng.integers(0, 256, (TILE, TILE, 4), dtype=np.uint8)
    Image.fromarray(see_through).save(place / "images" / "see_through.png")
    images["see_through"] = on_white(see_through)
    (place / "images" / "notes.txt").write_text("no image")
    (place / "twins").mkdir()
    for name in ("a.png", "a.jpg"):
        Image.fromarray(images["tile"]).save(place / "twins" / name)
    images["other"] = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    write_image(place / "other.png", images["other"])
    # -I leaves out PYTHONPATH, the user's packages and the folder of the tests.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", COMMANDS], cwd=place, env=clean, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return SimpleNamespace(folder=place, model=model, images=images, said=ended.stdout + ended.stderr)


def on_white(pixels):
    """The share of a pixel that is not opaque is white; halves up, though 255 being odd leaves none."""
    opacity = pixels[..., 3:] / 255
    return np.floor(pixels[..., :3] * opacity + 255 * (1 - opacity) + 0.5).astype(np.uint8)


def expected(bundle, name):
    with torch.inference_mode():
        output = bundle.model.network(network_input(torch.from_numpy(bundle.images[name])[None]))
    return torch.cat([output[:, :3].softmax(1), output[:, 3:]], 1).numpy()


@pytest.mark.parametrize("name", ["tile", "other"])
def test_the_network_gives_what_it_gave_in_histoloom(bundle, name):
    found = np.load(bundle.folder / f"{name}.npy")
    truth = expected(bundle, name)
    assert found.shape == truth.shape
    assert np.abs(found - truth).max() <= 1e-5 * max(1, np.abs(truth).max())


@pytest.mark.parametrize("name", ["tile", "see_through"])
def test_an_image_of_one_window_gets_the_networks_own_classes(bundle, name):
    found = read_mask(bundle.folder / "results" / f"{name}_classes.png")
    ranked = np.sort(expected(bundle, name)[0, :3], axis=0)
    is_clear = ranked[2] - ranked[1] > 1e-4
    assert is_clear.mean() > 0.99
    assert np.array_equal(found[is_clear], expected(bundle, name)[0, :3].argmax(0)[is_clear])
    assert len(np.unique(found)) > 1


def test_images_of_all_suffixes_are_seen_in_capital_letters_too_and_nothing_else_is(bundle):
    seen = {path.name.removesuffix("_classes.png") for path in (bundle.folder / "results").iterdir()}
    assert seen == {*SIZES, "see_through", *(name.partition(".")[0] for name in KINDS)}
    assert {f".{name.lower().partition('.')[2]}" for name in KINDS} == set(SUFFIXES)


def test_images_whose_results_would_have_one_name_are_refused(bundle):
    assert "refused: dataset_dir: several images have one name before the suffix" in bundle.said
    assert not (bundle.folder / "results_of_twins").exists()


def test_an_image_of_several_windows_is_what_monai_makes_of_them_and_not_turned(bundle):
    found = read_mask(bundle.folder / "results" / "wide_classes.png")
    images = torch.from_numpy(bundle.images["wide"])[None].permute(0, 3, 1, 2).float()
    options = {"roi_size": (TILE, TILE), "sw_batch_size": 4, "overlap": 0.5, "mode": "gaussian"}
    with torch.inference_mode():
        values = sliding_window_inference(
            images,
            predictor=lambda tiles: bundle.model.network(tiles / 127.5 - 1)[:, :3].softmax(1),
            padding_mode="replicate",
            **options,
        )[0].numpy()
    ranked = np.sort(values, axis=0)
    is_clear = ranked[2] - ranked[1] > 1e-4
    assert is_clear.mean() > 0.99
    assert np.array_equal(found[is_clear], values.argmax(0)[is_clear])


def test_monai_verifies_what_goes_in_and_out(bundle):
    assert "data shape of network is verified with no error" in bundle.said


def test_nothing_in_the_bundle_has_to_be_unpickled(bundle):
    program = torch.export.load(bundle.folder / "models" / "model.pt2")
    assert all(type(value) in (torch.Tensor, torch.nn.Parameter) for value in program.state_dict.values())
    assert all(type(value) is torch.Tensor for value in program.constants.values())
    assert not list(bundle.folder.rglob("*.pt"))


def test_metadata_says_what_the_specification_asks_for(bundle):
    metadata = json.loads((bundle.folder / "configs" / "metadata.json").read_text())
    asked = "version monai_version pytorch_version numpy_version required_packages_version task description authors"
    assert set(f"{asked} copyright network_data_format changelog schema intended_use".split()) <= metadata.keys()
    assert metadata["monai_version"] == version("monai")
    assert metadata["data_licence"] == "CC BY-NC 4.0"
    assert metadata["data_source"] == "Somebody 2020"
    wanted = {"type", "format", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data", "channel_def"}
    (image,), (pred,) = (metadata["network_data_format"][side].values() for side in ("inputs", "outputs"))
    assert wanted <= image.keys() & pred.keys() | {"modality"}
    assert (image["num_channels"], pred["num_channels"]) == (3, len(CLASSES) + 2)
    assert list(pred["channel_def"].values())[:3] == CLASSES
    assert "Licence of the data: CC BY-NC 4.0" in (bundle.folder / "LICENCE_OF_DATA.txt").read_text()
    assert (bundle.folder / "docs" / "README.md").read_text().endswith("# The card\n")
