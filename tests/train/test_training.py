"""Steps, schedules, selection and what is kept."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from histoloom.targets import Outputs
from histoloom.train.data.batches import Batch
from histoloom.train.distributed import Ranks
from histoloom.train.history import HISTORY, End, Progress
from histoloom.train.learner import Learner
from histoloom.train.objective import weighted_losses
from histoloom.train.task import Task
from histoloom.train.training import optimise, train_one_epoch
from histoloom.train.validation import selection_score, validate
from tests.train.data.test_batches import settings

ALONE = Ranks(0, 1, torch.device("cpu"))
CLASSES = ("background", "nucleus")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 2, (2, 16, 16), generator=generator).to(torch.uint8)
    images = (masks[..., None] * 100 + torch.randint(0, 100, (2, 16, 16, 3), generator=generator)).to(torch.uint8)
    return Batch(images, masks)


def task(**changes) -> Task:
    chosen = replace(settings(), **{"loss": "bce", **changes})
    return Task.of(
        chosen, "network", Outputs(CLASSES, False), weighted_losses(chosen.loss), 4, ALONE, torch.float32, np.ones(2)
    )


def learner_of(work: Task, trained: nn.Module | None = None) -> Learner:
    return Learner.of(trained or network(), work.settings, ALONE, torch.float32)


def test_a_step_is_adams_on_the_mean_over_annotated_pixels():
    images, masks = batch()[:2]
    masks[0, :8] = 255
    work = task(ema_decay=0.0)
    learner = learner_of(work)
    reference = network()
    optimizer = torch.optim.Adam(reference.parameters(), work.settings.learning_rate)
    logits = reference(images.permute(0, 3, 1, 2).float() / 127.5 - 1).permute(0, 2, 3, 1)
    seen = masks != 255
    truth = nn.functional.one_hot(masks[seen].long(), 2).float()
    expected = nn.functional.binary_cross_entropy_with_logits(logits[seen], truth)
    expected.backward()
    optimizer.step()
    done = optimise(learner, Batch(images, masks), work)
    assert done.is_sound
    assert done.loss == pytest.approx(expected.item(), rel=1e-5)
    assert done.pixels == 2 * 256 - 128
    for one, two in zip(learner.network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def spoilt(work: Task) -> Learner:
    """A learner whose loss is no number."""
    learner = learner_of(work, nn.Sequential(network(), nn.BatchNorm2d(2)))
    with torch.no_grad():
        learner.network[0][2].bias.fill_(math.nan)
    return learner


def test_a_loss_that_is_no_number_ends_the_epoch_and_leaves_weights_and_statistics():
    work = task()
    learner = spoilt(work)
    before = copy.deepcopy(learner.network.state_dict())
    progress = Progress()
    epoch = train_one_epoch(learner, [batch(), batch()], progress, work, lambda: None)
    assert math.isnan(epoch.fault)
    assert progress.step == 0
    after = learner.network.state_dict()
    for name, value in before.items():
        if name not in ("0.2.bias", "1.num_batches_tracked"):
            assert torch.equal(value, after[name]), name


def test_a_step_without_a_number_is_left_out_where_it_is_so_set():
    work = task(on_divergence="skip")
    learner, progress = spoilt(work), Progress()
    epoch = train_one_epoch(learner, [batch(), batch()], progress, work, lambda: None)
    assert epoch.fault is None
    assert (progress.step, progress.skipped_steps) == (2, 2)
    row = progress.finish_epoch(0.1, 1.0, 1.0, 0.5, ALONE, End(9))
    assert (row["steps"], row["skipped_steps"], row["ended"]) == (2, 2, "")
    assert progress.skipped_steps == 0


def test_a_finite_loss_with_an_infinite_gradient_leaves_the_weights():
    work = task()
    learner = learner_of(work)
    learner.network[0].weight.register_hook(lambda gradient: gradient * math.inf)
    before = copy.deepcopy(learner.network.state_dict())
    assert not math.isfinite(train_one_epoch(learner, [batch()], Progress(), work, lambda: None).fault)
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())


def overflowing(work: Task, times: int) -> Learner:
    """A learner with float16's scaler, whose first `times` gradients are infinite."""
    learner = learner_of(work)
    learner.scaler = torch.amp.GradScaler("cpu")  # of training, on GPUs only; its arithmetic is the same
    left = iter(range(times))
    learner.network[0].weight.register_hook(
        lambda gradient: gradient if next(left, None) is None else gradient * math.inf
    )
    return learner


def test_a_gradient_that_stays_infinite_at_every_scale_ends_the_epoch():
    work = task(ema_decay=0.9)
    learner, progress = overflowing(work, 100), Progress()
    before = copy.deepcopy(learner.network.state_dict())
    epoch = train_one_epoch(learner, [batch()] * 10, progress, work, lambda: None)
    assert epoch.fault is None
    saved, resumed = copy.deepcopy(learner.state()), overflowing(work, 100)
    resumed.restore(saved)
    epoch = train_one_epoch(resumed, [batch()] * 30, progress, work, lambda: None)
    assert not math.isfinite(epoch.fault)
    # From 65536 the sixteenth halving gives 1; the step after it is the fault.
    assert (progress.step, progress.skipped_steps) == (16, 16)
    assert int(resumed.average.n_averaged) == 0
    assert all(torch.equal(before[name], value) for name, value in resumed.network.state_dict().items())


def test_a_step_that_the_scaler_leaves_out_is_counted_and_moves_no_average():
    work = task(ema_decay=0.9)
    learner, progress = overflowing(work, 2), Progress()
    epoch = train_one_epoch(learner, [batch()] * 3, progress, work, lambda: None)
    assert epoch.fault is None
    assert (progress.step, progress.skipped_steps, int(learner.average.n_averaged)) == (3, 2, 1)
    assert learner.scaler.get_scale() == 65536 / 4


def test_a_loss_that_is_no_number_is_left_out_under_a_scaler_as_well():
    work = task(on_divergence="skip")
    learner, progress = spoilt(work), Progress()
    learner.scaler = torch.amp.GradScaler("cpu")
    train_one_epoch(learner, [batch(), batch()], progress, work, lambda: None)
    assert (progress.step, progress.skipped_steps) == (2, 2)


def test_a_batch_in_parts_gives_the_gradient_of_the_whole():
    images, masks = batch()[:2]
    masks[0, :12] = 255  # the parts have different numbers of annotated pixels
    weights = []
    for accumulate in (1, 2):
        work = task(accumulate=accumulate, loss="bce + dice", optimiser="sgd", learning_rate=0.5)
        learner = learner_of(work)
        done = optimise(learner, Batch(images, masks), work)
        weights.append((done.loss, done.pixels, [each.detach() for each in learner.network.parameters()]))
    (whole_loss, whole_pixels, whole), (loss, pixels, parts) = weights
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert pixels == whole_pixels
    for one, two in zip(whole, parts, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)


def test_a_clipped_step_goes_as_far_as_its_norm():
    work = task(optimiser="sgd", learning_rate=1.0, clip_norm=0.01)
    learner = learner_of(work)
    before = [each.detach().clone() for each in learner.network.parameters()]
    optimise(learner, batch(), work)
    moved = [new.detach() - old for new, old in zip(learner.network.parameters(), before, strict=True)]
    assert float(torch.cat([each.flatten() for each in moved]).norm()) == pytest.approx(0.01, rel=1e-3)


class WithEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(images))


def test_a_frozen_encoder_stays_as_it_is_for_its_epochs():
    work = task(freeze_encoder_epochs=1, weight_decay=0.1)
    learner = learner_of(work, WithEncoder())
    start = copy.deepcopy(learner.network.state_dict())
    progress = Progress()
    train_one_epoch(learner, [batch()], progress, work, lambda: None)
    frozen = copy.deepcopy(learner.network.state_dict())
    progress.finish_epoch(0.1, 1.0, 1.0, 0.5, ALONE, End(9))
    train_one_epoch(learner, [batch()], progress, work, lambda: None)
    free = learner.network.state_dict()
    for name in start:
        assert torch.equal(start[name], frozen[name]) == name.startswith("encoder."), name
        assert not torch.equal(frozen[name], free[name]), name


def test_coarser_outputs_count_by_their_weight():
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
            return [scale * images[:, :2] for scale in self.scale]

    work = task(auxiliary_weight=0.5, optimiser="sgd")
    images, masks = batch()[:2]
    learner = learner_of(work, Deep())
    done = optimise(learner, Batch(images, masks), work)
    logits = (images.permute(0, 3, 1, 2).float() / 127.5 - 1)[:, :2]
    truth = torch.stack([masks == 0, masks == 1], 1).float()
    assert done.loss == pytest.approx(nn.functional.binary_cross_entropy_with_logits(logits, truth).item(), rel=1e-5)
    gradient = learner.network.scale.grad
    assert (gradient / gradient[0]).tolist() == pytest.approx([1, 0.5, 0.25], rel=1e-4)


def test_class_weights_shift_the_balance_between_classes():
    work = replace(task(loss="cross_entropy"), class_weights=torch.tensor([1.0, 3.0]))
    images, masks = batch()[:2]
    done = optimise(learner_of(work), Batch(images, masks), work)
    logits = network()(images.permute(0, 3, 1, 2).float() / 127.5 - 1)
    pixelwise = nn.functional.cross_entropy(logits, masks.long(), weight=torch.tensor([1.0, 3.0]), reduction="none")
    assert done.loss == pytest.approx(pixelwise.mean().item(), rel=1e-5)


def test_averaged_weights_follow_the_moving_average_by_hand():
    work = task(ema_decay=0.5)
    learner = learner_of(work)
    images, masks = batch()[:2]
    weights = []
    for _ in range(3):
        optimise(learner, Batch(images, masks), work)
        weights.append(learner.network[0].weight.detach().clone())
    # The first update copies; then the decay grows: 2/11, 3/12, always under 0.5 here.
    expected = weights[0]
    for decay, weight in ((2 / 11, weights[1]), (3 / 12, weights[2])):
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(learner.kept[0].weight, expected)


def test_the_learning_rate_follows_the_schedule_and_its_options():
    work = task(learning_rate=0.4, epochs=5, schedule="cosine")
    assert work.learning_rate(0, ()) == pytest.approx(0.4)
    assert work.learning_rate(10, ()) == pytest.approx(0.2)
    assert work.learning_rate(20, ()) == pytest.approx(0.0)
    plateau = task(learning_rate=0.4, schedule="plateau", schedule_options={"patience": 1, "factor": 0.5})
    assert plateau.learning_rate(8, (0.5, 0.4)) == pytest.approx(0.4)
    assert plateau.learning_rate(12, (0.5, 0.4, 0.4)) == pytest.approx(0.2)


def test_validation_counts_every_annotated_pixel_once():
    images, masks = batch()[:2]
    masks[1, 0] = 255
    work = task()
    loss, confusions = validate(network(), [Batch(images[:1], masks[:1]), Batch(images[1:], masks[1:])], work, nothing)
    assert confusions.sum() == 512 - 16
    for confusion, mask in zip(confusions, masks, strict=True):  # of each tile
        assert confusion.sum(1).tolist() == [int((mask == 0).sum()), int((mask == 1).sum())]
    both, together = validate(network(), [Batch(images, masks)], work, nothing)
    assert loss == pytest.approx(both, rel=1e-6)
    assert np.array_equal(confusions, together)


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
        progress.finish_epoch(0.1, 1.0, 1.0, score, ALONE, End(5))
    assert [row["best"] for row in progress.history] == [1, 1, 0, 0, 1]
    assert [row["epoch"] for row in progress.history] == [1, 2, 3, 4, 5]
    assert tuple(progress.history[0]) == HISTORY
    assert progress.history[0]["images_per_second"] == pytest.approx(20)


@pytest.mark.parametrize(
    ("scores", "patience", "ended"),
    [
        ((0.5, 0.4, 0.4), 2, ["", "", "early"]),
        ((0.5, 0.4, 0.6, 0.5), 2, ["", "", "", ""]),
        ((0.5, 0.4, 0.4, 0.4, 0.4, 0.4), 0, ["", "", "", "", "", "finished"]),
        ((math.nan, math.nan, math.nan), 2, ["", "", "early"]),
    ],
)
def test_training_ends_after_its_epochs_or_when_scores_rise_no_more(scores, patience, ended):
    progress = Progress()
    for score in scores:
        assert not progress.is_over
        progress.finish_epoch(0.1, 1.0, 1.0, score, ALONE, End(6, patience))
    assert [row["ended"] for row in progress.history] == ended
    assert progress.is_over == bool(ended[-1])


def test_what_a_learner_and_its_progress_save_brings_them_back():
    work = task(ema_decay=0.9)
    learner, progress = learner_of(work), Progress()
    train_one_epoch(learner, [batch()], progress, work, lambda: None)
    saved, counted = copy.deepcopy(learner.state()), progress.state(ALONE)
    train_one_epoch(learner, [batch()], progress, work, lambda: None)
    again, back = learner_of(work), Progress.restored(counted, ALONE)
    again.restore(saved)
    train_one_epoch(again, [batch()], back, work, lambda: None)
    assert back.step == progress.step == 2
    for name, value in learner.kept.state_dict().items():
        assert torch.equal(value, again.kept.state_dict()[name]), name


def nothing() -> None:
    """What validation calls after each batch."""
