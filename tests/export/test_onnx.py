"""An ONNX file gives what torch gives, at any batch and size, and says what it is; torch is the oracle."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from histoloom.errors import InputError
from histoloom.export.exported_network import exported_program
from histoloom.export.onnx_model import require_agreement
from histoloom.networks import build_network, load_model, network_input
from histoloom.targets import Outputs
from tests.export.export_case import CLASSES, write_beside, write_model
from tests.scripts_run import outcome

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder that the script wrote, of the better of two models."""
    folder = tmp_path_factory.mktemp("onnx")
    models = [
        write_model(folder / f"fold{fold}" / "model.safetensors", seed=fold, score=score)
        for fold, score in enumerate((0.7, 0.6))
    ]
    beside = [word for flag, path in write_beside(folder).items() for word in (f"--{flag}", str(path))]
    words = ["--name", "made/unet_small", "--model", *map(str, models), *beside, "--onnx", str(folder / "onnx")]
    assert outcome([str(ROOT / "scripts" / "export_onnx.py"), *words]) == "done"
    return folder


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 64, 64), (3, 40, 97), (2, 128, 33), (1, 300, 65)])
def test_onnxruntime_agrees_with_the_best_model_at_any_size(exported, batch, height, width):
    network, _ = load_model(exported / "fold0" / "model.safetensors")
    images = np.random.default_rng(1).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(exported / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    fed = {"images": images.transpose(0, 3, 1, 2).astype(np.float32)}
    probabilities, maps = session.run(["probabilities", "maps"], fed)
    with torch.inference_mode():
        output = network(network_input(torch.from_numpy(images)))
    assert probabilities.shape == (batch, 3, height, width)
    assert np.abs(probabilities - output[:, :3].softmax(1).numpy()).max() <= 1e-5
    assert np.abs(maps - output[:, 3:].numpy()).max() <= 1e-5 * max(1, output[:, 3:].abs().max())
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)


def test_the_file_says_what_it_takes_and_of_what_it_was_made(exported):
    model = onnx.load(exported / "onnx" / "model.onnx")
    facts = {each.key: each.value for each in model.metadata_props}
    assert facts["classes"] == ",".join(CLASSES)
    assert facts["mpp"] == "0.5"
    assert facts["licence_of_data"] == "CC BY-NC 4.0"
    assert "RGB from 0 to 255" in facts["input"]
    assert facts["model_card"] == "# The card\n"
    assert facts["validation_score"] == "0.7"
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "images": ["batch", 3, "height", "width"],
        "probabilities": ["batch", 3, "height", "width"],
        "maps": ["batch", 2, "height", "width"],
    }


def test_a_file_that_differs_from_torch_is_not_given_away(exported):
    model = onnx.load(exported / "onnx" / "model.onnx")
    other, card = load_model(exported / "fold1" / "model.safetensors")
    with pytest.raises(InputError, match=r"unet_small: onnxruntime differs from torch by \S+ for 1 images of 64 x 64"):
        require_agreement(model, other, Outputs(tuple(card["classes"]), True), "unet_small")


def test_a_network_that_looks_at_its_numbers_is_refused():
    class Fickle(torch.nn.Module):
        def forward(self, images):
            return images if images.mean() > 0 else -images

    network = build_network("unet_small", {}, 3)
    network.network = Fickle()
    with pytest.raises(InputError, match="architecture fickle: cannot be exported with free sizes"):
        exported_program(network, Outputs(("a", "b", "c"), False), "fickle", is_joined=False)


def test_an_architecture_that_is_known_not_to_leave_is_refused_at_once():
    with pytest.raises(InputError, match="swin_unetr: its windows of 7 pixels"):
        exported_program(torch.nn.Identity(), Outputs(("a", "b"), False), "swin_unetr", is_joined=False)
