"""Predict the images of one part of a fold: class probabilities and instance maps as bytes on each image's own grid."""

import argparse
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.errors import run
from histoloom.files import atomic_folder, write_json
from histoloom.formats.arrays import save_array
from histoloom.formats.images import read_image
from histoloom.memory import keep_freed_memory, lack_of_memory_told
from histoloom.predict.cost import cost
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.ensemble import load_ensemble
from histoloom.predict.engine.flags import add_engine_flags, engine_settings, memory_advice
from histoloom.predict.inference import predict_image
from histoloom.predict.probabilities import quantised, quantised_maps
from histoloom.prepared import PARTS, part_rows


def main() -> None:
    args = parse()
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    networks, card = load_ensemble(args.model)
    settings = engine_settings(args)
    rows = part_rows(args.index, args.folds, args.fold, args.part)
    with (
        lack_of_memory_told(*memory_advice(card, settings)),
        atomic_folder(args.probabilities) as folder,
        atomic_folder(args.maps) as maps_folder,
    ):
        engine, began = Engine(networks, card, settings, device), time.monotonic()
        for row in tqdm(rows, desc="predict", unit="image", disable=None):
            probabilities, maps = predict_image(engine, read_image(row.image))
            save_array(folder / f"{row.name}.npy", quantised(probabilities))
            if maps is not None:
                save_array(maps_folder / f"{row.name}.npy", quantised_maps(maps))
        print(engine.memory_warning, end="\n" if engine.memory_warning else "", file=sys.stderr)
    write_json(args.cost, cost(rows, time.monotonic() - began, networks, device))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, help="model.safetensors of training; of several the mean"
    )
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--part", choices=PARTS, required=True, help="part of the fold to predict")
    add_engine_flags(parser)
    parser.add_argument("--probabilities", type=Path, required=True, help="folder to write <name>.npy into")
    parser.add_argument(
        "--maps", type=Path, required=True, help="folder for instance maps <name>.npy; empty if the network has none"
    )
    parser.add_argument("--cost", type=Path, required=True, help="JSON to write: seconds, pixels, memory, parameters")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
