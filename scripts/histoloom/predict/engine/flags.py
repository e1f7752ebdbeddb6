"""The flags of every script that predicts by a network, and the settings that they make."""

import argparse
from collections.abc import Mapping
from typing import Any

from histoloom.arguments import boolean
from histoloom.networks import PRECISIONS
from histoloom.predict.engine.engine import EngineSettings
from histoloom.predict.engine.tiling import OVERLAPS, WINDOWS


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the flags that `engine_settings` reads."""
    parser.add_argument("--overlap", type=int, choices=OVERLAPS, required=True, help="tiles that see each pixel")
    parser.add_argument(
        "--window", choices=WINDOWS, required=True, help="weights of a tile's pixels where tiles overlap"
    )
    parser.add_argument(
        "--batch-size", type=int, required=True, help="tiles in one pass through the network; 0: chosen by measuring"
    )
    parser.add_argument("--precision", choices=("auto", *PRECISIONS), required=True, help="number type of the network")
    parser.add_argument(
        "--window-px",
        type=int,
        default=EngineSettings.window_px,
        help="side of the tiles; 0: as in training; larger ones show more context",
    )
    parser.add_argument(
        "--tta", type=boolean, default=EngineSettings.tta, help="mean over the 8 turns and mirrors of each tile"
    )
    parser.add_argument(
        "--compile", type=boolean, default=EngineSettings.compile, help="compile the network; needs a C++ compiler"
    )


def engine_settings(arguments: argparse.Namespace) -> EngineSettings:
    """What the flags say."""
    return EngineSettings(
        overlap=arguments.overlap,
        window=arguments.window,
        batch_size=arguments.batch_size,
        precision=arguments.precision,
        window_px=arguments.window_px,
        tta=arguments.tta,
        compile=arguments.compile,
    )


def memory_advice(card: Mapping[str, Any], settings: EngineSettings) -> tuple[str, str]:
    """What was computed, and what to change, where the memory did not suffice; for `lack_of_memory_told`."""
    tile_px = settings.window_px or card["tile_px"]
    cure = f"lower predict.batch_size to {settings.batch_size // 2}" if settings.batch_size > 1 else "take a GPU"
    return (
        f"{card['network']} with predict.batch_size {settings.batch_size}, tiles of {tile_px} px",
        f"a batch that fits; {cure}, or give the job more memory",
    )
