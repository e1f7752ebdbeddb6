"""The second annotation of the small study cryonuseg: made by a rule, and read by the reader of the dataset."""

from pathlib import Path

import numpy as np
import pytest

from histoloom.datasets.cryonuseg import cryonuseg
from histoloom.formats.images import write_image, write_instances
from tests.scripts_run import outcome

SCRIPT = Path(__file__).parents[2] / "scripts" / "lay_second_annotator.py"
STUDY = "study: {samples: %s}\ndatasets: {cryonuseg_small: {root: %s}}\n"
LABELS = "Annotator 1 (biologist)/label masks modify"


def lay(folder):
    (folder / "study.yaml").write_text(STUDY % (folder / "samples", folder / "laid"))
    return outcome([str(SCRIPT), "--study", str(folder / "study.yaml")])


def test_it_is_the_first_moved_by_a_pixel_without_every_tenth_nucleus(tmp_path):
    samples = tmp_path / "samples" / "cryonuseg"
    (samples / "tissue images").mkdir(parents=True)
    (samples / LABELS).mkdir(parents=True)
    ids = np.zeros((8, 8), np.int32)
    ids[0:2, 0:2], ids[4:6, 4:6] = 9, 10
    write_image(samples / "tissue images" / "Human_Skin_01.png", np.full((8, 8, 3), 200, np.uint8))
    write_instances(samples / LABELS / "Human_Skin_01.png", ids)
    assert lay(tmp_path) == "done"
    (read,) = cryonuseg(tmp_path / "laid").items
    sample = read()
    assert sorted(np.unique(sample.instances)) == [0, 1, 2]
    expected = np.zeros((8, 8), bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(sample.second_instances > 0, expected)


@pytest.mark.parametrize("text", ["study: {name: mine}\n", "study:\n", "study: {samples: .}\ndatasets: {}\n"])
def test_a_study_without_the_samples_or_the_dataset_is_refused(text, tmp_path):
    (tmp_path / "study.yaml").write_text(text)
    told = outcome([str(SCRIPT), "--study", str(tmp_path / "study.yaml")])
    assert "study.yaml: lacks" in told and "expected study.samples and datasets.cryonuseg_small.root" in told


@pytest.mark.parametrize("part", ["", "cryonuseg"])
def test_missing_samples_are_told_with_the_setting(part, tmp_path):
    (tmp_path / "samples" / part).mkdir(parents=True)
    assert "expected the samples; set study.samples" in lay(tmp_path)
