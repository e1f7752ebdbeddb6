"""A loader with workers, all of whose processes get SIGTERM in the middle of an epoch, as Slurm sends it."""

import os
import signal
import time
from functools import partial

import psutil
import torch
from torch.utils.data import DataLoader

from histoloom.train.data.batches import start_worker
from histoloom.train.stopping import stop_requests


def main() -> None:
    loader = DataLoader(torch.arange(4), num_workers=2, worker_init_fn=partial(start_worker, os.getpid()))
    with stop_requests() as asked:
        batches = 0
        for _ in loader:
            if batches == 0:
                for process in psutil.Process().children():
                    process.send_signal(signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.5)  # for a worker to die in
            batches += 1
        print(f"{batches} batches, asked by {asked.by}")


if __name__ == "__main__":
    main()
