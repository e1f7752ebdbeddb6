"""A model that the small study trains in rounds too: its raw data, what of it is asked for, and what it has to show."""

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.working_copies import DEMO, ROOT

# Of a dataset of small.yaml that is not in its study.datasets: as few jobs as rounds can have.
FOLD = Path("results/strokes/unet_narrow/fold0")
TARGETS = (f"{FOLD}/model.safetensors", "results/strokes/figures/rounds_unet_narrow.html")
ACCEPTED = range(128, 255)  # in a round's masks 128 + class is a model's; below is people's, 255 nobody's


def lay_strokes(copy: Path) -> None:
    """Write the raw data, discs of which people drew two strokes, into a working copy."""
    sys.path.insert(0, str(ROOT / "scripts"))  # as the Snakefile does; under pytest it is there
    from tests.rounds.sparse_case import write_discs

    write_discs(copy / DEMO / "strokes")


def round_failures(copy: Path) -> Iterator[str]:
    """What tells that round 1 was not one: masks without an accepted pixel."""
    masks = copy / FOLD / "rounds" / "round1" / "masks"
    if not (count := accepted_pixels(masks)):
        yield f"{masks}: no pixel was accepted; expected some, or the round says nothing"
    print(f"round 1 accepted {count} pixels", flush=True)


def accepted_pixels(masks: Path) -> int:
    """How many pixels of a round's masks a model labelled."""
    from PIL import Image

    found = 0
    for path in masks.glob("*.png"):
        with Image.open(path) as mask:
            found += sum(mask.histogram()[value] for value in ACCEPTED)
    return found
