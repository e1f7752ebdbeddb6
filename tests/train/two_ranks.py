"""Run on two ranks by test_distributed: what they compute together equals what one process computes alone."""

import sys
from types import SimpleNamespace

import torch
from torch import nn

from histoloom.targets import Outputs, Target
from histoloom.train.data.batches import Batch
from histoloom.train.data.order import EpochBatches
from histoloom.train.distributed import Ranks, from_first, gathered, joined, over_ranks, summed, with_shared_statistics
from histoloom.train.objective import objective, weighted_losses
from histoloom.train.validation import validate

CLASSES = ("background", "nucleus")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 8, 8, generator=generator) * 3 + 100  # far from zero: cancellation would show
    masks = torch.randint(0, 2, (4, 8, 8), generator=generator).to(torch.uint8)
    masks[1, :7] = 255  # the ranks get different numbers of annotated pixels
    return images, masks


def gradients(images: torch.Tensor, masks: torch.Tensor, ranks: Ranks) -> tuple[float, nn.Module]:
    terms = weighted_losses("bce + 2*dice")
    plain = with_shared_statistics(network(), ranks)
    parallel = over_ranks(plain, ranks)
    target = Target.of(masks, torch.ones(len(CLASSES)))
    loss, pixels = objective(parallel(images), target, terms, Outputs(CLASSES, False))
    total = summed(torch.stack([loss.detach(), pixels]), ranks)
    (loss * ranks.world / total[1]).backward()
    return float(total[0] / total[1]), plain


def validated(ranks: Ranks) -> tuple[float, list]:
    """Loss and confusion matrices of three tiles, of which the first of two ranks has two batches and the other one."""
    images, masks = torch.arange(3 * 64 * 3).view(3, 8, 8, 3).to(torch.uint8), batch()[1][:3]
    own = [Batch(images[tile : tile + 1], masks[tile : tile + 1]) for tile in range(ranks.rank, 3, ranks.world)]
    task = SimpleNamespace(
        outputs=Outputs(CLASSES, False),
        ranks=ranks,
        losses=weighted_losses("bce"),
        output_of=lambda network, images: network(images.permute(0, 3, 1, 2).float()),
        target=lambda batch: Target.of(batch.masks, torch.ones(len(CLASSES))),
    )
    # As in training: after each batch the ranks tell each other whether somebody was asked to stop.
    loss, confusions = validate(network(), own, task, lambda: summed(torch.zeros(1), ranks))
    return loss, confusions.tolist()


def main() -> None:
    with joined(threads=1) as ranks:
        assert ranks.world == 2, ranks
        images, masks = batch()
        alone_loss, alone = gradients(images, masks, Ranks(0, 1, torch.device("cpu")))
        loss, together = gradients(images[ranks.rank :: 2], masks[ranks.rank :: 2], ranks)
        assert abs(loss - alone_loss) < 1e-6, (loss, alone_loss)
        for (name, one), two in zip(alone.named_parameters(), together.parameters(), strict=True):
            torch.testing.assert_close(two.grad, one.grad, rtol=1e-4, atol=1e-6, msg=name)
        for (name, one), two in zip(alone.named_buffers(), together.buffers(), strict=True):
            torch.testing.assert_close(two, one, rtol=1e-5, atol=1e-6, msg=name)

        (one_loss, one), (loss, both) = validated(Ranks(0, 1, torch.device("cpu"))), validated(ranks)
        assert abs(loss - one_loss) < 1e-6, (loss, one_loss)
        assert both == one, (both, one)

        assert from_first(f"rank {ranks.rank}", ranks) == "rank 0"
        assert gathered(torch.tensor([float(ranks.rank)]), ranks).tolist() == [[0.0], [1.0]]
        mine = [draw for keys in EpochBatches(10, 1, 4, 0, ranks) for _, draw, _ in keys]
        both = gathered(torch.tensor(mine, dtype=torch.float32), ranks)
        steps = both.reshape(2, 2, 2).permute(1, 2, 0).reshape(2, 4)  # step, then samples in the order of one process
        one = [[draw for _, draw, _ in keys] for keys in EpochBatches(10, 1, 4, 0, Ranks(0, 1, torch.device("cpu")))]
        assert steps.tolist() == one, (steps.tolist(), one)
    print("equal", file=sys.stderr)


if __name__ == "__main__":
    main()
