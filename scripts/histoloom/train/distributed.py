"""Ranks: the only module that knows that training may run in several processes, started by torchrun."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from histoloom.errors import InputError, StoppedError
from histoloom.train.parent import LAUNCHER_PID, die_with_parent
from histoloom.train.stopping import StopRequest

T = TypeVar("T")
FIRST_SPEAKS_SECONDS = 5
PATIENCE_MINUTES = 30  # of a rank with the others, one of which may be copying tiles to its scratch disk


@dataclass(frozen=True)
class Ranks:
    """This process among its peers: `rank` of `world`, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    def share_of(self, batch_size: int) -> int:
        """Images of a global batch that fall to each process."""
        if batch_size % self.world:
            raise InputError(
                f"batch_size {batch_size} over {self.world} processes; expected a multiple; change train.batch_size"
            )
        return batch_size // self.world


@contextmanager
def joined(threads: int) -> Iterator[Ranks]:
    """Join the process group that torchrun's environment describes (gloo on CPUs, nccl on GPUs); leave it at the end.

    `threads` is the number of CPU threads of this process. Without torchrun there is one process.
    Raises InputError when the launcher that names itself in LAUNCHER_PID was gone before this process came so far, and
    when the other processes cannot be reached.
    """
    die_with_parent()
    _refuse_to_be_an_orphan()
    torch.set_num_threads(threads)
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = _device(int(os.environ.get("LOCAL_RANK", "0")))
    if world > 1:
        _meet("nccl" if device.type == "cuda" else "gloo", rank, world)
    yield Ranks(rank, world, device)
    # Not after an error: the others do not come here then, and nccl waits for all.
    if world > 1:
        distributed.destroy_process_group()


@contextmanager
def told_once(ranks: Ranks, asked: StopRequest) -> Iterator[None]:
    """Give the first process the time to tell of an InputError that all meet; its end ends the others.

    One that the first does not meet is told by whoever does. That training was stopped is told by the first alone.
    """
    try:
        yield
    except InputError:
        if not ranks.is_first:
            time.sleep(FIRST_SPEAKS_SECONDS)
        if not ranks.is_first and asked:  # the first has told it and is gone
            sys.exit(InputError.status)
        raise
    except StoppedError:
        if not ranks.is_first:
            sys.exit(StoppedError.status)
        raise
    except RuntimeError as error:
        # When one rank ends, torchrun asks the others to, and their next exchange of numbers fails, maybe before that.
        # A loader worker that was being started when the signal came has died of it.
        if ranks.world > 1 and not asked:
            time.sleep(FIRST_SPEAKS_SECONDS)
        if not asked:
            raise
        if not ranks.is_first:
            sys.exit(StoppedError.status)
        raise StoppedError(f"by {asked.by}; started again it goes on from its last checkpoint") from error


def summed(values: torch.Tensor, ranks: Ranks) -> torch.Tensor:
    """The sum of `values` over all processes."""
    if ranks.world == 1:
        return values
    values = values.clone()
    distributed.all_reduce(values)
    return values


def gathered(values: torch.Tensor, ranks: Ranks) -> torch.Tensor:
    """The `values` of all processes, stacked in rank order along a new first axis."""
    if ranks.world == 1:
        return values[None]
    parts = [torch.empty_like(values) for _ in range(ranks.world)]
    distributed.all_gather(parts, values)
    return torch.stack(parts)


@contextmanager
def entered_by_first(context: AbstractContextManager[T], ranks: Ranks) -> Iterator[T | None]:
    """Enter a context on the first process alone; all raise the InputError with which it refuses there.

    Else the others would learn nothing but that the first one is gone.
    """
    with ExitStack() as entered:
        value, refusal = None, None
        if ranks.is_first:
            try:
                value = entered.enter_context(context)
            except InputError as error:
                refusal = error
        if refusal := from_first(refusal, ranks):
            raise refusal
        yield value


def from_first(value: T, ranks: Ranks) -> T:
    """The first process's value, a picklable one, in every process."""
    if ranks.world == 1:
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def place_in_node() -> tuple[int, int]:
    """Number of this process's node, and of the process within it, as torchrun counts them; zeros without torchrun."""
    return int(os.environ.get("GROUP_RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))


def wait_for_all(ranks: Ranks) -> None:
    """Return when every process has come here."""
    if ranks.world > 1:
        distributed.barrier()


def over_ranks(network: nn.Module, ranks: Ranks) -> nn.Module:
    """Wrap a network so that gradients are averaged over processes; with one process it stays as it is."""
    if ranks.world == 1:
        return network
    devices = [ranks.device.index] if ranks.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices)


def with_shared_statistics(network: nn.Module, ranks: Ranks) -> nn.Module:
    """Let batch normalisation see the global batch, so that the number of processes does not change the result.

    Raises InputError for a kind of batch norm that does something of its own, which a conversion would lose.
    """
    if ranks.world == 1:
        return network
    _refuse_other_norms(network, ranks)
    if ranks.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = CrossRankBatchNorm
    return network


class SumOverRanks(torch.autograd.Function):
    """Sum of a tensor over all processes, through which gradients flow back to each.

    torch.distributed.nn has one that is deprecated, and its successor is private.
    """

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, values: torch.Tensor) -> torch.Tensor:
        """Sum over processes."""
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:
        """Every process's loss depends on the sum, so the gradients of all are summed."""
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class CrossRankBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes; torch's own needs a GPU.

    It has the parameters and buffers of nn.BatchNorm2d, so weights move between both.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise N,C,H,W by the mean and variance over N, H, W of all processes (in float32)."""
        if not self.training:
            return super().forward(values)
        wide = values.float()
        count = values.numel() / values.shape[1] * distributed.get_world_size()
        # The mean first and the squares around it afterwards: E[x^2] - E[x]^2 loses its digits to cancellation.
        mean = SumOverRanks.apply(wide.sum((0, 2, 3))) / count
        centred = wide - mean[None, :, None, None]
        variance = SumOverRanks.apply(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[None, :, None, None] + self.bias[None, :, None, None]).to(values.dtype)


def _meet(backend: str, rank: int, world: int) -> None:
    try:
        distributed.init_process_group(backend, timeout=timedelta(minutes=PATIENCE_MINUTES))
    except RuntimeError as error:  # of torch's network and store, and of gloo
        reason = str(error).splitlines()[0][:200]
        raise InputError(
            f"process {rank} of {world}: cannot reach the others ({reason}); expected all to be there;\nif one of them "
            "was ended, that is all; else see that the nodes can reach each other; start the training again"
        ) from error


def _refuse_to_be_an_orphan() -> None:
    # torch is imported before die_with_parent is called: a launcher that died meanwhile sends no signal any more.
    launcher = os.environ.get(LAUNCHER_PID)
    if launcher is not None and os.getppid() != int(launcher):
        raise InputError(f"launcher {launcher} of this process: gone; expected it to run; start the training again")


def _refuse_other_norms(network: nn.Module, ranks: Ranks) -> None:
    known = {nn.BatchNorm2d, nn.SyncBatchNorm, CrossRankBatchNorm}
    if ranks.device.type == "cuda":  # there torch converts these as well
        known |= {nn.BatchNorm1d, nn.BatchNorm3d}
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and type(module) not in known:
            raise InputError(
                f"layer {name}: {type(module).__name__} over {ranks.world} processes; expected a plain BatchNorm2d, "
                "whose statistics processes can share;\n"
                "set train.nodes and train.processes_per_node to 1, or take another encoder"
            )


def _device(local_rank: int) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise InputError(
            f"process {local_rank + 1} on this machine has no GPU of its own; found {torch.cuda.device_count()}; "
            "lower train.processes_per_node"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
