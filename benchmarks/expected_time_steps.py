"""What a tile costs: operations, bytes, seconds of both by a card's data sheet, and seconds measured on a core."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from torchvision.models import resnet50

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.networks import build_network, resolve_precision
from histoloom.split.tile_layout import window_starts
from histoloom.split.tiles import Place, TileStore, Window
from histoloom.targets import Outputs, Target
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.batches import Batch, Tiles, TrainingTiles
from histoloom.train.data.order import Key
from histoloom.train.distributed import Ranks
from histoloom.train.learner import Learner
from histoloom.train.objective import supervised_objective, weighted_losses
from histoloom.train.settings import TrainSettings
from histoloom.train.task import Task
from histoloom.train.training import optimise

SHARE = 0.5  # of a card's peak that is reached, in operations and in bytes; see the table of ResNet-50
MEASURED_TILES = 2  # at once; some networks have batch norms that want two
LAUNCH = 10e-6  # seconds that an operation takes at least, however small: what it costs PyTorch to start it


class Kernel(NamedTuple):
    """One operation on a device: floating point operations (a multiplication and an addition are two), and bytes."""

    operations: int
    bytes: int


class Card(NamedTuple):
    """Peaks of a GPU by its maker's data sheet: 16-bit matrix operations and bytes, each a second."""

    name: str
    operations: float
    bytes: float


@dataclass(frozen=True)
class Training:
    """What a study trains: network and options, its settings and augmentation, and its tiles."""

    network: str
    options: Mapping[str, Any]
    settings: TrainSettings
    augmentation: Augmentation
    tile_px: int
    classes: int

    def build(self) -> nn.Module:
        """The network with random weights."""
        return build_network(self.network, {**self.options} | self._untaught(), self.classes)

    def _untaught(self) -> dict[str, str]:
        return {"pretrained": "none"} if "pretrained" in self.options else {}


class Counter(TorchDispatchMode):
    """Notes each operation that runs under it; on the meta device nothing is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Kernel] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run it, and note it unless it only looks at its input in another way."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not func.is_view:
            tensors = (each for each in tree_leaves((args, kwargs, result)) if isinstance(each, torch.Tensor))
            size = sum(each.numel() * each.element_size() for each in tensors)
            self.kernels.append(Kernel(operations_of(func, args, kwargs, result), size))
        return result


def operations_of(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> int:
    """Operations of matrix products and convolutions; of others, which move more bytes than they compute, none.

    Convolutions are counted here: torch's own counter takes the backward of a depthwise one for that of a full one.
    """
    packet = func._overloadpacket
    if packet is torch.ops.aten.convolution:
        return convolved(args[1], args[0] if args[6] else result)
    if packet is torch.ops.aten.convolution_backward:
        gradient, images, weight = args[:3]
        return sum(args[10][:2]) * convolved(weight, images if args[7] else gradient)
    formula = flop_registry.get(packet)
    return formula(*args, **kwargs, out_val=result) if formula else 0


def convolved(weight: torch.Tensor, grid: torch.Tensor) -> int:
    """Operations where every weight is used once at each position of `grid` (n, channels, ...)."""
    return 2 * weight.numel() * grid.shape[0] * prod(grid.shape[2:])


def training_kernels(training: Training) -> list[Kernel]:
    """The operations of one batch forward, of its loss and backward, in 16 bits; without the optimiser."""
    settings, outputs = training.settings, Outputs(tuple(map(str, range(training.classes))), False)
    side = (training.tile_px, training.tile_px)
    with torch.device("meta"):
        network = training.build().to(torch.bfloat16)
        images = torch.empty(settings.batch_size, 3, *side, dtype=torch.bfloat16)
        masks = torch.empty(settings.batch_size, *side, dtype=torch.uint8)
        with Counter() as counter:
            target = Target.of(masks, torch.ones(training.classes))
            losses = weighted_losses(settings.loss)
            loss, _ = supervised_objective(network(images), target, losses, outputs, settings.auxiliary_weight)
            loss.backward()
    return counter.kernels


def forward_kernels(build: Callable[[], nn.Module], batch_size: int, side_px: int) -> list[Kernel]:
    """The operations of one batch forward, in 16 bits."""
    with torch.device("meta"), torch.no_grad():
        network = build().to(torch.bfloat16).eval()
        images = torch.empty(batch_size, 3, side_px, side_px, dtype=torch.bfloat16)
        with Counter() as counter:
            network(images)
    return counter.kernels


def resnet50_kernels(batch_size: int, *, is_training: bool) -> list[Kernel]:
    """The operations of ResNet-50 at 224 px, forward or with backward: what cards are published to reach."""
    if not is_training:
        return forward_kernels(resnet50, batch_size, 224)
    with torch.device("meta"):
        network = resnet50().to(torch.bfloat16)
        images = torch.empty(batch_size, 3, 224, 224, dtype=torch.bfloat16)
        with Counter() as counter:
            functional.cross_entropy(network(images), torch.empty(batch_size, dtype=torch.int64)).backward()
    return counter.kernels


def seconds_on(card: Card, kernels: Sequence[Kernel], share: float = SHARE, launch: float = LAUNCH) -> float:
    """One after the other, each as long as the slower of computing and of moving bytes takes, at `share` of the peaks.

    Source: Williams, Waterman, Patterson 2009, "Roofline: an insightful visual performance model".
    """
    return sum(
        max(each.operations / card.operations / share, each.bytes / card.bytes / share, launch) for each in kernels
    )


def measured_step(training: Training, tiles: int, steps: int) -> tuple[float, float]:
    """Processor seconds of a tile in one thread here: of a training step by the project's own code, and forward alone.

    Medians of `steps` steps with so many `tiles`, after one step that does not count.
    """
    torch.set_num_threads(1)
    device, settings = torch.device("cpu"), training.settings
    ranks, dtype = Ranks(0, 1, device), resolve_precision(settings.precision, device)
    outputs = Outputs(tuple(map(str, range(training.classes))), False)
    losses = weighted_losses(settings.loss)
    task = Task.of(settings, training.network, outputs, losses, 1, ranks, dtype, np.ones(training.classes))
    learner = Learner.of(training.build(), settings, ranks, dtype)
    learner.network.train()
    shape = (tiles, training.tile_px, training.tile_px)
    batch = Batch(torch.randint(256, (*shape, 3), dtype=torch.uint8), torch.randint(training.classes, shape).byte())
    trained = [processor_seconds(lambda: optimise(learner, batch, task)) for _ in range(steps + 1)]
    learner.network.eval()
    with torch.inference_mode():
        shown = [processor_seconds(lambda: task.output_of(learner.network, batch.images)) for _ in range(steps + 1)]
    return float(np.median(trained[1:])) / tiles, float(np.median(shown[1:])) / tiles


@dataclass
class Steps:
    """Processor seconds of a tile of each network (a training step, and forward), measured once, by `steps` steps."""

    steps: int
    found: dict[str, tuple[float, float]] = field(default_factory=dict)

    def of(self, training: Training) -> tuple[float, float]:
        """Those of the network of `training`, in the first study that has it."""
        name = f"{training.network} {dict(training.options)}"
        if name not in self.found:
            self.found[name] = measured_step(training, MEASURED_TILES, self.steps)
            print(name, *self.found[name], file=sys.stderr, flush=True)
        return self.found[name]


def measured_augmentation(training: Training, height: int, width: int, tiles: int = 200) -> float:
    """Processor seconds in which one core makes a training tile of an image of height x width working pixels."""
    cv2.setNumThreads(0)
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(height * width, 3), dtype=np.uint8)
    classes = rng.integers(training.classes, size=height * width, dtype=np.uint8)
    store = TileStore((Path(),) * 4, pixels, classes, np.empty(0, np.int32), {"": Place("", 0, height, width)})
    rows, columns = (window_starts(length, training.tile_px, training.tile_px) for length in (height, width))
    windows = [Window("", row, column) for row in rows for column in columns]
    made = TrainingTiles(Tiles(store, training.tile_px, training.classes), windows, training.augmentation, seed=0)
    keys = [Key(1, number, number % len(windows)) for number in range(tiles)]
    made[keys[0]]
    return processor_seconds(lambda: [made[key] for key in keys]) / tiles


def processor_seconds(work: Callable[[], object]) -> float:
    """What the processor spent on it: other work on the machine hardly counts."""
    began = time.process_time()
    work()
    return time.process_time() - began
