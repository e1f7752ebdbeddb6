"""On a full disk what was there stays, the message says what has no room, and with room all ends as always (row F8)."""

import re

import numpy as np
import pytest

from histoloom.errors import PlaceError
from histoloom.formats.images import write_image
from histoloom.prepared import IndexRow
from histoloom.split.tile_layout import write_pixels
from tests.faults.disks import filled, small_disk
from tests.faults.fault_cases import STAGES, training

# The second is what is said of the lease, the first file that a training writes.
TOLD = re.compile(r"^error: (no space left: \S+ \(|\S+\.lease: cannot be written \()", re.MULTILINE)


def refused(server, work, **limits):
    status, said = server.run(work.words, **limits)
    assert status == 1, said
    assert TOLD.search(said), said
    assert "Traceback" not in said
    assert work.litter() == []


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_ends_as_always_once_there_is_room(stages, undisturbed_stage, tmp_path, stage):
    expected, _ = undisturbed_stage(stage)
    with small_disk(tmp_path / "disk") as disk:
        work = STAGES[stage](disk / "case")
        with filled(disk, 2 * 4096):  # too little for the largest file
            refused(stages, work)
        assert not work.is_partial(expected)
        assert stages.run(work.words)[0] == 0
        assert work.result() == expected
        with filled(disk, 0):
            refused(stages, work)
        assert not work.is_partial(expected)  # what was there is whole
        assert work.litter() == []


def test_a_training_goes_on_once_there_is_room(trainer, undisturbed, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        work = training(disk / "case")
        for free in (0, 32768):  # no room for its lease; for that, and not for a checkpoint
            with filled(disk, free):
                refused(trainer, work)
        assert not work.is_partial(undisturbed)
        assert trainer.run(work.words)[0] == 0
        assert work.result() == undisturbed


def test_a_training_whose_files_may_not_be_large_goes_on_once_they_may(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case", loader_workers=0)  # what workers hand on is limited as well
    refused(trainer, work, room=6000)
    assert trainer.run(work.words)[0] == 0
    assert work.result() == undisturbed


def test_tiles_are_refused_and_the_process_not_killed_where_a_disk_is_full(tmp_path):
    # A page of a mapped file that finds no room kills a process by SIGBUS, which no message survives.
    for name, shape in (("image", (256, 256, 3)), ("mask", (256, 256))):
        write_image(tmp_path / f"{name}.png", np.zeros(shape, np.uint8))
    nothing = dict.fromkeys(("instances", "second_instances", "mpp", "fold"))
    texts = dict.fromkeys(("group", "stratum", "source", "sha256", "truth_sha256"), "")
    places = {name: tmp_path / f"{name}.png" for name in ("image", "mask")}
    row = IndexRow(name="a", height=256, width=256, **places, **nothing, **texts)
    with small_disk(tmp_path / "disk") as disk, filled(disk, 100_000):
        with pytest.raises(PlaceError, match=r"no space left: \S+\.npy"):
            write_pixels([row], 1, disk / "images.npy", disk / "masks.npy", disk / "instances.npy")
        assert [path.name for path in disk.iterdir()] == ["filler"]


def test_no_image_is_left_out_because_the_disk_is_full(stages, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        work = STAGES["prepare_dataset"](disk / "case", **{"on-bad-image": "skip"})
        with filled(disk, 10 * 4096):  # enough for some of the images
            refused(stages, work)
        assert not work.result()
