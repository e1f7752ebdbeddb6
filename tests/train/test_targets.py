"""Which channel means what, and what each pixel of a batch counts, by hand on tiles of a few pixels."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from histoloom.targets import Outputs, Target

CLASSES = ("background", "tumour", "stroma")
MASKS = torch.tensor([[[0, 1], [255, 2]]], dtype=torch.uint8)
ONES = torch.ones(3)


def test_channels_are_the_classes_and_then_the_maps():
    output = torch.arange(5.0).view(1, 5, 1, 1).expand(2, 5, 3, 4)
    with_maps = Outputs(CLASSES, has_maps=True)
    assert with_maps.count == 5
    assert with_maps.class_logits(output)[0, :, 0, 0].tolist() == [0, 1, 2]
    assert with_maps.instance_maps(output)[1, :, 2, 3].tolist() == [3, 4]
    assert Outputs(CLASSES, has_maps=False).count == 3


def test_a_network_without_maps_is_not_asked_for_them():
    with pytest.raises(AssertionError):
        Outputs(CLASSES, has_maps=False).instance_maps(torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize("has_maps", [False, True])
def test_probabilities_are_softmax_of_the_class_channels_in_float32(has_maps):
    outputs = Outputs(("background", "nucleus"), has_maps)
    output = torch.full((1, outputs.count, 1, 1), 50.0, dtype=torch.bfloat16)  # maps must have no share
    output[0, :2, 0, 0] = torch.tensor([0.0, 1.0])
    probabilities = outputs.class_probabilities(output)
    assert probabilities.dtype is torch.float32
    assert probabilities.shape == (1, 2, 1, 1)
    assert probabilities[0, 1].item() == pytest.approx(0.7310586, abs=1e-7)  # 1 / (1 + 1/e)


def test_truth_is_one_at_the_class_of_each_annotated_pixel():
    target = Target.of(MASKS, ONES)
    assert target.truth.tolist() == [[[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [0, 1]]]]
    assert target.annotated.tolist() == [[[[1, 1], [0, 1]]]]
    assert target.count == 3
    assert (target.maps, target.distances, target.smoothing) == (None, None, 0)


def test_without_smoothing_the_truth_is_as_it_was():
    target = Target.of(MASKS, ONES)
    assert target.smoothed is target.truth


def test_the_mean_counts_annotated_pixels_by_the_weight_of_their_class():
    pixelwise = torch.tensor([[[[2.0, 3.0], [100.0, 5.0]]]])
    target = Target.of(MASKS, torch.tensor([1.0, 4.0, 0.5]))
    assert target.mean_over_pixels(pixelwise).item() == pytest.approx((2 * 1 + 3 * 4 + 5 * 0.5) / 3)
    assert target.mean_over_pixels(pixelwise, weighted=False).item() == pytest.approx((2 + 3 + 5) / 3)


def test_without_class_weights_both_means_are_the_mean_of_each_images_annotated_pixels():
    rng = np.random.default_rng(0)
    masks = rng.choice(np.array([0, 1, 2, 255], np.uint8), (4, 5, 6))
    pixelwise = rng.random((4, 1, 5, 6), dtype=np.float32)
    expected = [values[0][mask != 255].mean() for values, mask in zip(pixelwise, masks, strict=True)]
    target = Target.of(torch.from_numpy(masks), ONES)
    for weighted in (True, False):
        mean = target.mean_over_pixels(torch.from_numpy(pixelwise), weighted=weighted)
        np.testing.assert_allclose(mean, expected, rtol=1e-5)


def test_an_image_of_a_light_class_alone_counts_less_than_without_weights():
    background = torch.zeros(1, 2, 2, dtype=torch.uint8)
    target = Target.of(background, torch.tensor([0.1, 1.0, 1.0]))
    assert target.mean_over_pixels(torch.ones(1, 1, 2, 2)).item() == pytest.approx(0.1)


@pytest.mark.parametrize("weighted", [True, False])
def test_pixels_nobody_annotated_change_neither_mean_nor_gradient(weighted):
    pixelwise = torch.rand(1, 1, 2, 2, requires_grad=True)
    target = Target.of(MASKS, torch.tensor([1.0, 2.0, 3.0]))
    mean = target.mean_over_pixels(pixelwise, weighted=weighted)
    mean.sum().backward()
    assert pixelwise.grad[0, 0, 1, 0] == 0
    assert (pixelwise.grad[0, 0, [0, 0, 1], [0, 1, 1]] > 0).all()
    other = pixelwise.detach().clone()
    other[0, 0, 1, 0] = 1e6
    assert torch.equal(target.mean_over_pixels(other, weighted=weighted), mean)


def test_an_image_without_annotation_has_the_mean_zero():
    target = Target.of(torch.full((1, 2, 2), 255, dtype=torch.uint8), ONES)
    assert target.mean_over_pixels(torch.rand(1, 1, 2, 2)).tolist() == [0]
    assert target.mean_over_pixels(torch.rand(1, 1, 2, 2), weighted=False).tolist() == [0]


def test_the_mean_over_foreground_leaves_the_background_out_and_weighs_the_rest():
    by_class = torch.tensor([[9.0, 1.0, 5.0], [9.0, 2.0, 2.0]])
    weighted = Target.of(MASKS.expand(2, 2, 2), torch.tensor([7.0, 1.0, 3.0]))
    assert weighted.mean_over_foreground(by_class).tolist() == [4, 2]  # (1 + 3 * 5) / 4
    plain = Target.of(MASKS.expand(2, 2, 2), ONES)
    assert plain.mean_over_foreground(by_class).tolist() == [3, 2]


def test_smoothing_spreads_its_share_of_each_annotated_pixel_evenly():
    smoothed = Target.of(MASKS, ONES, smoothing=0.3).smoothed
    torch.testing.assert_close(smoothed[0, :, 0, 1], torch.tensor([0.1, 0.8, 0.1]))
    torch.testing.assert_close(smoothed[0, :, 1, 1], torch.tensor([0.1, 0.1, 0.8]))


def test_cross_entropy_against_the_smoothed_truth_is_torchs_with_label_smoothing():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    masks = torch.randint(0, 3, (2, 4, 5), generator=generator, dtype=torch.uint8)
    masks[0, :2] = 255
    target = Target.of(masks, ONES, smoothing=0.2)
    pixelwise = -(target.smoothed * logits.log_softmax(1)).sum(1, keepdim=True)
    expected = [
        functional.cross_entropy(logits[k, None], masks[k, None].long(), ignore_index=255, label_smoothing=0.2)
        for k in (0, 1)
    ]
    torch.testing.assert_close(target.mean_over_pixels(pixelwise), torch.stack(expected))


def test_maps_and_distances_are_kept_as_given():
    maps, distances = torch.rand(1, 2, 2, 2), torch.rand(1, 3, 2, 2)
    target = Target.of(MASKS, ONES, 0.0, maps, distances)
    assert target.maps is maps
    assert target.distances is distances
