"""Steps, schedules, selection and what is kept."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from histoloom.errors import InputError
from histoloom.train.distributed import Ranks
from histoloom.train.learner import HISTORY, Learner, Progress
from histoloom.train.training import Task, optimise, selection_score, train_one_epoch, validate
from tests.train.test_batches import settings

ALONE = Ranks(0, 1, torch.device("cpu"))
CLASSES = ("background", "nucleus")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 2, (2, 16, 16), generator=generator).to(torch.uint8)
    images = (masks[..., None] * 100 + torch.randint(0, 100, (2, 16, 16, 3), generator=generator)).to(torch.uint8)
    return images, masks


def task(**changes) -> Task:
    return Task.of(replace(settings(), loss="bce", **changes), CLASSES, 4, ALONE, torch.float32)


def test_a_step_is_adams_on_the_mean_over_annotated_pixels():
    images, masks = batch()
    masks[0, :8] = 255
    work = task(ema_decay=0.0)
    learner = Learner.of(network(), work.settings, ALONE, torch.float32)
    reference = network()
    optimizer = torch.optim.Adam(reference.parameters(), work.settings.learning_rate)
    logits = reference(images.permute(0, 3, 1, 2).float() / 127.5 - 1).permute(0, 2, 3, 1)
    seen = masks != 255
    truth = nn.functional.one_hot(masks[seen].long(), 2).float()
    expected = nn.functional.binary_cross_entropy_with_logits(logits[seen], truth)
    expected.backward()
    optimizer.step()
    loss, pixels = optimise(learner, images, masks, work)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert pixels == 2 * 256 - 128
    for one, two in zip(learner.network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_an_infinite_loss_stops_and_leaves_the_weights():
    work = task()
    learner = Learner.of(network(), work.settings, ALONE, torch.float32)
    with torch.no_grad():
        learner.network[2].bias.fill_(math.nan)
    before = copy.deepcopy(learner.network.state_dict())
    with pytest.raises(InputError, match="loss or gradient is nan at epoch 1, step 1; expected a"):
        train_one_epoch(learner, [batch()], Progress(), work, lambda: None)
    after = learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name != "2.bias")


def test_a_finite_loss_with_an_infinite_gradient_leaves_the_weights():
    work = task()
    learner = Learner.of(network(), work.settings, ALONE, torch.float32)
    learner.network[0].weight.register_hook(lambda gradient: gradient * math.inf)
    before = copy.deepcopy(learner.network.state_dict())
    with pytest.raises(InputError, match=r"loss or gradient is (nan|inf) at epoch 1, step 1"):
        train_one_epoch(learner, [batch()], Progress(), work, lambda: None)
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())


def test_averaged_weights_follow_the_moving_average_by_hand():
    work = task(ema_decay=0.5)
    learner = Learner.of(network(), work.settings, ALONE, torch.float32)
    images, masks = batch()
    weights = []
    for _ in range(3):
        optimise(learner, images, masks, work)
        weights.append(learner.network[0].weight.detach().clone())
    # The first update copies; then the decay grows: 2/11, 3/12, always under 0.5 here.
    expected = weights[0]
    for decay, weight in ((2 / 11, weights[1]), (3 / 12, weights[2])):
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(learner.kept[0].weight, expected)


def test_the_cosine_falls_from_the_whole_rate_over_the_half_to_nothing():
    work = task(learning_rate=0.4, epochs=5, schedule="cosine")
    assert work.learning_rate(0) == pytest.approx(0.4)
    assert work.learning_rate(10) == pytest.approx(0.2)
    assert work.learning_rate(20) == pytest.approx(0.0)
    assert task(learning_rate=0.4, schedule="constant").learning_rate(17) == 0.4


def test_validation_counts_every_annotated_pixel_once():
    images, masks = batch()
    masks[1, 0] = 255
    work = task()
    loss, confusion = validate(network(), [(images[:1], masks[:1]), (images[1:], masks[1:])], work)
    assert confusion.sum() == 512 - 16
    assert confusion.sum(1).tolist() == [int((masks == 0).sum()), int((masks == 1).sum())]
    both, _ = validate(network(), [(images, masks)], work)
    assert loss == pytest.approx(both, rel=1e-6)


def test_the_score_of_selection_is_of_the_merged_foreground_or_the_mean_over_classes():
    confusion = np.array([[50, 0, 0], [0, 20, 10], [10, 0, 10]])
    # Merged: 40 of 50 foreground pixels found, none too many: 2*40 / (50 + 40).
    assert selection_score(confusion, settings()) == pytest.approx(80 / 90)
    # By class: 2*20 / (30 + 20) and 2*10 / (20 + 20).
    assert selection_score(confusion, replace(settings(), select_class="mean")) == pytest.approx((0.8 + 0.5) / 2)


def test_the_best_epoch_is_the_first_of_the_highest_scores():
    progress = Progress()
    for score in (math.nan, 0.5, 0.4, 0.5, 0.6):
        progress.count(1.0, 10.0, 2, 0.1)
        progress.finish_epoch(0.1, 1.0, 1.0, score, ALONE)
    assert [row["best"] for row in progress.history] == [1, 1, 0, 0, 1]
    assert [row["epoch"] for row in progress.history] == [1, 2, 3, 4, 5]
    assert tuple(progress.history[0]) == HISTORY
    assert progress.history[0]["images_per_second"] == pytest.approx(20)


def test_what_a_learner_and_its_progress_save_brings_them_back():
    images, masks = batch()
    work = task(ema_decay=0.9)
    learner, progress = Learner.of(network(), work.settings, ALONE, torch.float32), Progress()
    train_one_epoch(learner, [(images, masks)], progress, work, lambda: None)
    saved, counted = copy.deepcopy(learner.state()), progress.state(ALONE)
    train_one_epoch(learner, [(images, masks)], progress, work, lambda: None)
    again, back = Learner.of(network(), work.settings, ALONE, torch.float32), Progress.restored(counted, ALONE)
    again.restore(saved)
    train_one_epoch(again, [(images, masks)], back, work, lambda: None)
    assert back.step == progress.step == 2
    for name, value in learner.kept.state_dict().items():
        assert torch.equal(value, again.kept.state_dict()[name]), name
