"""HoVer-Net against MONAI's own, in the sizes that one takes, and what its outputs mean."""

import numpy as np
import pytest
import torch
from monai.networks.nets import HoVerNet
from torch import nn

from histoloom.architectures.hovernet import hovernet, mirrored
from histoloom.pretrained import IMAGENET_DEVIATION, IMAGENET_MEAN

CLASSES = 4
MARGINS = {"original": 95, "fast": 48}
TILES = {"original": 80, "fast": 160}  # with these margins, 270 and 256: the sizes that MONAI takes


def images(side: int) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def monai_twin(mode: str) -> HoVerNet:
    """MONAI's network with the weights of ours when that is built after the same seed, enlarging as published."""
    torch.manual_seed(3)
    twin = HoVerNet(mode=mode, np_out_channels=2, out_classes=CLASSES - 1).eval()
    for module in list(twin.modules()):
        if hasattr(module, "upsample"):
            module.upsample = nn.Upsample(scale_factor=2)
    return twin


def ours(mode: str, outputs: int = CLASSES + 2, map_branch: bool = True) -> nn.Module:
    torch.manual_seed(3)
    return hovernet(outputs, mode=mode, map_branch=map_branch).eval()


@pytest.fixture(scope="module", params=["fast", "original"])
def both(request) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Our output for a tile, and MONAI's branches for the same tile continued by numpy's mirror images."""
    mode = request.param
    tile, margin = images(TILES[mode]), MARGINS[mode]
    padded = np.pad(tile.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="reflect")
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    with torch.inference_mode():
        branches = monai_twin(mode)(((torch.from_numpy(padded) + 1) / 2 - mean) / deviation)
        rim = (next(iter(branches.values())).shape[-1] - TILES[mode]) // 2  # 164 - 160, or 80 - 80
        kept = slice(rim, rim + TILES[mode])
        return ours(mode)(tile), {name: branch[..., kept, kept] for name, branch in branches.items()}


def test_maps_are_those_of_monais_branch(both):
    output, branches = both
    torch.testing.assert_close(output[:, CLASSES:], branches["horizontal_vertical"], rtol=1e-3, atol=1e-4)


def test_probabilities_are_the_nucleus_and_the_types_of_monais_branches(both):
    output, branches = both
    nucleus, types = (branches[name].softmax(1) for name in ("nucleus_prediction", "type_prediction"))
    expected = torch.cat([nucleus[:, :1], nucleus[:, 1:] * types], dim=1)
    torch.testing.assert_close(output[:, :CLASSES].softmax(1), expected, rtol=1e-3, atol=1e-5)


def test_cross_entropy_is_the_sum_of_the_branches_own(both):
    output, branches = both
    truth = torch.randint(0, CLASSES, output[:, 0].shape, generator=torch.Generator().manual_seed(1))
    types = nn.functional.cross_entropy(branches["type_prediction"], (truth - 1).clamp(min=0), reduction="none")
    expected = nn.functional.cross_entropy(branches["nucleus_prediction"], (truth > 0).long(), reduction="none")
    expected = expected + types * (truth > 0)
    found = nn.functional.cross_entropy(output[:, :CLASSES], truth, reduction="none")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("height", "width", "margin"), [(32, 64, 95), (32, 32, 48), (96, 32, 31)])
def test_tiles_are_continued_by_their_mirror_images_as_numpy_does(height, width, margin):
    tile = torch.arange(2 * 3 * height * width, dtype=torch.float32).view(2, 3, height, width)
    expected = np.pad(tile.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="reflect")
    np.testing.assert_array_equal(mirrored(tile, margin).numpy(), expected)


@pytest.mark.parametrize("mode", ["fast", "original"])
@pytest.mark.parametrize(("height", "width"), [(32, 96), (64, 32)])
def test_every_multiple_of_32_has_an_output_of_its_size(mode, height, width):
    # On torch's "meta" device nothing is computed but sizes.
    network = ours(mode).to("meta")
    assert network(torch.empty(2, 3, height, width, device="meta")).shape == (2, CLASSES + 2, height, width)


def test_two_classes_are_the_nucleus_branch_alone():
    network = ours("fast", outputs=2, map_branch=False)
    assert not [name for name in network.state_dict() if "types" in name or "maps" in name]
    with torch.inference_mode():
        assert network(images(32)).shape == (1, 2, 32, 32)


def test_a_tile_moved_by_32_pixels_gives_the_same_where_both_see_the_same():
    # 136 px from the left edge of one tile and from the right edge of the other, further than a convolution sees.
    network = ours("fast", outputs=2, map_branch=False)
    strip = torch.rand(1, 3, 32, 352, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        left, right = network(strip[..., :320]), network(strip[..., 32:])
    assert left.std() > 0.01
    torch.testing.assert_close(left[..., 168:184], right[..., 136:152], rtol=1e-3, atol=1e-4)


def test_imagenet_weights_go_where_monai_puts_them(monkeypatch, tmp_path):
    from monai.networks.nets import hovernet as monai_module
    from torchvision.models import resnet50

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    published = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in resnet50().state_dict().items()
    }
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(published, folder / "resnet50-11ad3fa6.pth")
    torch.save(published, tmp_path / "hub" / "resnet50.pth")  # where MONAI expects its download
    monkeypatch.setattr(monai_module, "download_url", lambda *_, **__: None)
    expected = monai_module._remap_standard_resnet_model("unused")
    found = hovernet(2, mode="fast", pretrained="imagenet").encoder.state_dict()
    assert set(found) <= set(expected)
    assert all(torch.equal(value, expected[name]) for name, value in found.items())
