"""Predict the images of one part of a fold: class probabilities and instance maps as bytes on each image's own grid."""

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from histoloom.errors import run
from histoloom.files import atomic_folder
from histoloom.formats.images import read_image
from histoloom.memory import lack_of_memory_told
from histoloom.networks import PRECISIONS, load_model, resolve_precision
from histoloom.predict.inference import predict_image
from histoloom.predict.probabilities import quantised, quantised_maps
from histoloom.predict.tiling import OVERLAPS, WINDOWS, stride_px
from histoloom.prepared import PARTS, part_rows


def main() -> None:
    args = parse()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = resolve_precision(args.precision, device)
    network, card = load_model(args.model)
    stride_px(card["tile_px"], args.overlap)  # refuses an overlap that does not fit before anything is computed
    rows = part_rows(args.index, args.folds, args.fold, args.part)
    memory = lack_of_memory_told(
        f"{card['network']} with predict.batch_size {args.batch_size}, tiles of {card['tile_px']} px",
        f"a batch that fits; lower predict.batch_size to {max(args.batch_size // 2, 1)}, or give the job more memory",
    )
    with memory, atomic_folder(args.probabilities) as folder, atomic_folder(args.maps) as maps_folder:
        for row in tqdm(rows, desc="predict", unit="image", disable=None):
            probabilities, maps = predict_image(
                network,
                card,
                read_image(row.image),
                overlap=args.overlap,
                window=args.window,
                batch_size=args.batch_size,
                device=device,
                precision=precision,
            )
            np.save(folder / f"{row.name}.npy", quantised(probabilities))
            if maps is not None:
                np.save(maps_folder / f"{row.name}.npy", quantised_maps(maps))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model.pt that training wrote")
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the prepared dataset")
    parser.add_argument("--folds", type=Path, required=True, help="folds.csv: which image is in which part")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold, from 0")
    parser.add_argument("--part", choices=PARTS, required=True, help="part of the fold to predict")
    parser.add_argument("--overlap", type=int, choices=OVERLAPS, required=True, help="tiles that see each pixel")
    parser.add_argument(
        "--window", choices=WINDOWS, required=True, help="weights of a tile's pixels where tiles overlap"
    )
    parser.add_argument("--batch-size", type=int, required=True, help="tiles in one pass through the network")
    parser.add_argument("--precision", choices=("auto", *PRECISIONS), required=True, help="number type of the network")
    parser.add_argument("--probabilities", type=Path, required=True, help="folder to write <name>.npy into")
    parser.add_argument(
        "--maps", type=Path, required=True, help="folder for instance maps <name>.npy; empty if the network has none"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
