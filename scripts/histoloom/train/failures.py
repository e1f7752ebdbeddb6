"""What a user is told when a training cannot go on for a reason that lies outside of the code."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from histoloom.errors import InputError
from histoloom.memory import lack_of_memory_told
from histoloom.train.history import Progress
from histoloom.train.settings import TrainSettings

ONE_VALUE = "Expected more than 1 value per channel when training"  # torch's words, of each of its batch norms


@contextmanager
def torch_errors_explained(settings: TrainSettings, network: str, tile_px: int, processes: int) -> Iterator[None]:
    """Turn torch's errors that come of the settings into ones that say which values to change.

    These are lack of memory, and a batch norm that is given a single value of each channel.
    """
    try:
        with lack_of_memory_told(*_memory_advice(settings, network, tile_px)):
            yield
    except ValueError as error:
        if ONE_VALUE not in str(error):
            raise
        raise InputError(
            f"{network}: a batch norm was given one value per channel: train.batch_size {settings.batch_size} over "
            f"{processes} process(es)\nin {settings.accumulate} part(s) (train.accumulate) leaves it a single tile; "
            "expected two or more in each part;\nset train.accumulate: 1, raise train.batch_size to "
            f"{2 * processes * settings.accumulate} or more (and have that many windows), or take another network"
        ) from error


def _memory_advice(settings: TrainSettings, network: str, tile_px: int) -> tuple[str, str]:
    parts = min(settings.batch_size, 2 * settings.accumulate)
    return (
        f"{network} with train.batch_size {settings.batch_size} in {settings.accumulate} part(s), "
        f"tiles of {tile_px} px",
        f"a step that fits; set train.accumulate: {parts} (the same gradient, but for batch norms),\n"
        f"lower train.batch_size to {max(settings.batch_size // 2, 1)}, "
        f"or tiles.tile_px to {max(tile_px // 64 * 32, 32)}",
    )


def divergence_note(fault: float, progress: Progress, settings: TrainSettings) -> str:
    """The lines of the log when a training has diverged: where, what is kept, and what to try."""
    kept = f"the weights of epoch {max(row['epoch'] for row in progress.history if row['best'])} are kept"
    what = "no number" if math.isnan(fault) else "infinite"
    return (
        f"warning: diverged: loss or gradient was {what} in epoch {progress.history[-1]['epoch']}; {kept};\n"
        f"lower train.learning_rate (now {settings.learning_rate}), set train.clip_norm, or look at the inspection's "
        "findings"
    )
