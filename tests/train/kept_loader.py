"""Run by test_stopping: a process that ends while something still holds a loader whose workers wait for work."""

import sys

import numpy as np

from histoloom.train.data.batches import Tile, training_loader


def main() -> None:
    tile = Tile(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
    loader = training_loader([tile, tile], [[0], [1]], 1)
    print(len(list(loader)), "batches")
    sys.kept = loader


if __name__ == "__main__":
    main()
