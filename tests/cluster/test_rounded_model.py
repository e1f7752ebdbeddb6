"""What the small study under Slurm has to show of a round: that pixels were accepted."""

import numpy as np
from PIL import Image

from tests.cluster.rounded_model import FOLD, accepted_pixels, round_failures


def write_masks(copy, *masks):
    folder = copy / FOLD / "rounds" / "round1" / "masks"
    folder.mkdir(parents=True)
    for number, mask in enumerate(masks):
        Image.fromarray(np.array(mask, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_only_what_a_model_labelled_is_counted(tmp_path):
    folder = write_masks(tmp_path, [[0, 1, 255], [127, 128, 129]], [[254, 255, 255]])
    assert accepted_pixels(folder) == 3
    assert list(round_failures(tmp_path)) == []


def test_a_round_that_accepted_nothing_or_was_not_run_fails(tmp_path):
    write_masks(tmp_path / "copy", [[0, 1, 255]])
    for copy in (tmp_path / "copy", tmp_path / "nowhere"):
        assert ["no pixel was accepted" in failure for failure in round_failures(copy)] == [True]
