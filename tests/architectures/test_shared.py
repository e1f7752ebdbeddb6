"""What every architecture in the folder gives in eval mode, whatever the tile, the batch and the precision."""

import math

import numpy as np
import torch
from safetensors.torch import load_file

from histoloom.networks import read_model, save_model
from tests.architectures.architecture_case import OUTPUTS, SMALLER_SIDES_PX, built, tiles


def odd_image(name: str) -> np.ndarray:
    height, width = (21, 30) if name in SMALLER_SIDES_PX else (45, 70)
    return np.random.default_rng(0).uniform(-1, 1, (1, 3, height, width)).astype(np.float32)


def test_classes_and_maps_come_in_one_tensor_of_the_size_of_any_image(architecture):
    image = odd_image(architecture.name)
    with torch.inference_mode():
        output = architecture.network(torch.from_numpy(image))
    assert output.shape == (1, 5, *image.shape[2:])
    assert output.dtype is torch.float32
    assert output.isfinite().all()
    assert OUTPUTS.class_logits(output).shape[1] == 3
    assert OUTPUTS.instance_maps(output).shape[1] == 2
    # No channel is constant, and none is a copy of another.
    correlations = np.corrcoef(output[0].flatten(1).numpy())
    assert np.isfinite(correlations).all()
    assert (np.abs(correlations - np.eye(5)) < 0.999).all()


def test_an_odd_image_is_continued_by_its_last_pixels_and_the_output_cropped(architecture):
    image = odd_image(architecture.name)
    height, width = image.shape[2:]
    full_height, full_width = 32 * math.ceil(height / 32), 32 * math.ceil(width / 32)
    padded = np.pad(image, ((0, 0), (0, 0), (0, full_height - height), (0, full_width - width)), mode="edge")
    with torch.inference_mode():
        whole = architecture.network(torch.from_numpy(padded))
        assert whole.shape == (1, 5, full_height, full_width)
        cropped = architecture.network(torch.from_numpy(image))
    torch.testing.assert_close(cropped, whole[..., :height, :width])


def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(architecture):
    images = tiles(architecture.name, 2)
    with torch.inference_mode():
        together = architecture.network(images)
        assert torch.equal(architecture.network(images), together)
        alone = architecture.network(images[:1])
    assert (alone - together[:1]).abs().max() < 1e-4 * together.abs().max()


def test_a_state_dict_carries_everything(architecture):
    images = tiles(architecture.name, 1)
    other = built(architecture.name, seed=1).eval()
    with torch.inference_mode():
        expected = architecture.network(images)
        assert not torch.equal(other(images), expected)
        other.load_state_dict(architecture.network.state_dict())
        assert torch.equal(other(images), expected)


def test_a_model_file_carries_every_bit(architecture, tmp_path):
    state, path = architecture.network.state_dict(), tmp_path / "model.safetensors"
    save_model(path, state, {"network": architecture.name, "options": {}, "classes": list(OUTPUTS.classes)})
    for read in (read_model(path)["state"], load_file(path)):
        assert read.keys() == state.keys()
        for name, value in state.items():
            assert read[name].dtype == value.dtype
            assert torch.equal(read[name], value), name
    path.unlink()  # pytest keeps the folders of three runs


def test_bfloat16_is_close_to_float32(architecture):
    images = tiles(architecture.name, 1)
    with torch.inference_mode():
        exact = architecture.network(images)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = architecture.network(images)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), rounded.float().flatten(), dim=0) > 0.99


def test_building_is_silent(architecture):
    assert architecture.printed == ""
