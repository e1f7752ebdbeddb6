"""Expected times of the studies: what is counted of a study and of a network, against numbers worked out by hand."""

import doctest
from pathlib import Path

import pytest
import torch
from benchmarks.expected_time_steps import Card, Counter, Kernel, resnet50_kernels, seconds_on
from benchmarks.expected_time_work import IMAGES, Images, part_shares, work_of
from torch import nn
from torchvision.models import ResNet50_Weights

from histoloom.errors import InputError
from histoloom.study.merging import read_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def expected_time(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import expected_time

    return expected_time


def study(*names):
    files = [ROOT / "config" / "studies" / f"{name}.yaml" for name in names]
    return read_config([ROOT / "config" / "config.yaml", *files], {})


def counted(layer, size=10):
    """Operations of a layer's forward on one image of 4 channels, and of its backward for input and weight."""
    with torch.device("meta"):
        layer = layer()
        images = torch.empty(1, 4, size, size, requires_grad=True)
        with Counter() as forward:
            output = layer(images)
        with Counter() as backward:
            output.sum().backward()
    return tuple(sum(each.operations for each in kernels) for kernels in (forward.kernels, backward.kernels))


def test_a_convolution_counts_two_operations_for_each_weight_at_each_position():
    once = 2 * (8 * 4 * 3 * 3) * (8 * 8)
    assert counted(lambda: nn.Conv2d(4, 8, 3, bias=False)) == (once, 2 * once)


def test_a_depthwise_convolution_costs_twice_as_much_backward_as_forward():
    once = 2 * (4 * 1 * 3 * 3) * (8 * 8)
    assert counted(lambda: nn.Conv2d(4, 4, 3, groups=4, bias=False)) == (once, 2 * once)


def test_a_transposed_convolution_uses_its_weights_at_each_position_of_its_input():
    once = 2 * (4 * 8 * 2 * 2) * (10 * 10)
    assert counted(lambda: nn.ConvTranspose2d(4, 8, 2, stride=2, bias=False)) == (once, 2 * once)


def test_a_linear_layer_counts_as_a_matrix_product():
    once = 2 * (10 * 6) * (4 * 10)
    assert counted(lambda: nn.Linear(10, 6, bias=False)) == (once, 2 * once)


def test_resnet50_has_the_operations_that_torchvision_states():
    found = sum(each.operations for each in resnet50_kernels(1, is_training=False))
    billions_of_multiplications = ResNet50_Weights.DEFAULT.meta["_ops"]
    assert found / 2e9 == pytest.approx(billions_of_multiplications, abs=0.001)


def test_bytes_are_those_read_and_written():
    with torch.device("meta"), Counter() as counter:
        pixels = torch.empty(3, 5)
        counter.kernels.clear()
        pixels.t() + 1.0  # turning it moves nothing
    assert counter.kernels == [Kernel(0, 2 * 15 * 4)]


@pytest.mark.parametrize(
    ("kernel", "seconds"),
    [
        pytest.param(Kernel(operations=400, bytes=10), 8.0, id="computing takes longer"),
        pytest.param(Kernel(operations=100, bytes=40), 8.0, id="moving takes longer"),
        pytest.param(Kernel(operations=1, bytes=1), 3.0, id="starting takes longer"),
    ],
)
def test_an_operation_takes_as_long_as_the_slowest_of_its_parts(kernel, seconds):
    card = Card("made", operations=100.0, bytes=10.0)
    assert seconds_on(card, [kernel, kernel], share=0.5, launch=3.0) == 2 * seconds


def test_pannuke_learns_from_each_patch_once_a_rotation_and_epoch():
    work = work_of(study("pannuke"), "pannuke", "unet", Images(7901, 256, 256, 6, ""))
    assert work.trainings == 3
    assert (work.trained, work.validated) == pytest.approx((7901 * 70, 7901 * 70))
    # Three by three tiles see a patch at 4-fold overlap; test and validation part of each rotation are predicted.
    assert work.predicted == pytest.approx(2 * 7901 * 9)


def test_brecahad_learns_from_16_versions_of_six_windows():
    work = work_of(study("brecahad"), "brecahad", "unet", Images(162, 1024, 1360, 2, ""))
    # At half the resolution 512 x 680 px: two by three windows. Three folds of five train.
    assert work.trained == pytest.approx(5 * (162 * 3 / 5) * 6 * 16 * 10)


def test_rounds_train_a_model_of_each_round_and_of_each_part():
    work = work_of(study("hnscc"), "hnscc", "unet", Images(10, 1024, 1024, 4, ""))
    of_a_fold = 10 * 3 / 5 * 49 * 50  # six images of 7 x 7 windows, 50 epochs
    assert work.trainings == 5 * (4 + 3 * 3)
    assert work.trained == pytest.approx(5 * of_a_fold * (4 + 9 * 2 / 3))
    # 19 x 19 tiles see an image at 16-fold overlap, 9 x 9 at 4-fold, 4 x 4 at 1-fold; 2 images test, 2 validate.
    assert work.predicted == pytest.approx(5 * (2 * 361 + 2 * (361 + 81 + 16) + 3 * 6 * 361))


def test_trials_are_trainings_of_their_own_length():
    config = study("necrosis")
    images = Images(5, 1024, 1024, 2, "")  # a fold trains on three, each 256 x 256 working px: one window
    assert work_of(config, "necrosis", "deeplabv3_resnet50", images).trained == pytest.approx(5 * 3 * (50 + 20 * 15))
    config["tune"]["folds"] = "first"
    assert work_of(config, "necrosis", "deeplabv3_resnet50", images).trainings == 5 + 20


def test_parts_of_a_fold_are_the_whole():
    for values in (
        {"scheme": "grouped", "fold_count": 5, "validation": "groups"},
        {"scheme": "grouped", "fold_count": 5, "validation": "images", "validation_fraction": 0.25},
        {"scheme": "proportions", "test_fraction": 0.2, "validation_fraction": 0.2},
        {"scheme": "official", "fold_count": 3},
    ):
        assert sum(part_shares(values).values()) == pytest.approx(1)
    assert part_shares({"scheme": "grouped", "fold_count": 5, "validation": "images", "validation_fraction": 0.25})[
        "train"
    ] == pytest.approx(0.6)


def test_a_list_of_folds_is_refused():
    with pytest.raises(InputError, match=r"split\.scheme: list"):
        part_shares({"scheme": "list"})


def test_a_faster_card_takes_less_time_and_two_cores_take_most(expected_time):
    row = expected_time.expected(study("cryonuseg"), "cryonuseg", "unet_small", expected_time.Steps(1))
    assert 0 < row.hours["A100"] <= row.hours["T4"] < row.hours["2 cores"]


def test_every_dataset_and_network_of_the_studies_is_counted(expected_time):
    for study_name, names in expected_time.STUDIES.items():
        assert set(study(*names)["study"]["datasets"]) <= set(IMAGES), study_name


def test_times_are_written_as_documented(expected_time):
    assert doctest.testmod(expected_time).failed == 0
