"""What the check says of slides and of smoothing, before anything runs."""

from pathlib import Path

import pytest


@pytest.fixture
def laid(study):
    """The study fixture with two slides in its folder."""
    for name in ("a.svs", "b.svs"):
        Path(name).write_bytes(b"")
    return study


def test_slides_that_are_there_with_a_trained_model_are_fine(laid):
    assert laid('slides: {files: ["*.svs"], model: demo_breast/unet_small, mpp: 0.25}') == []


def test_what_is_said_of_no_slide_does_not_matter(study):
    assert study("slides: {files: [], model: nothing/at_all}") == []


@pytest.mark.parametrize(
    ("slides", "message"),
    [
        ('{files: ["x/*.svs"], model: demo_breast/unet_small}', "slides.files: x/*.svs fits no file"),
        ('{files: ["*.svs"]}', "slides.files: slides: a.svs has no model"),
        ('{files: ["*.svs"], model: demo_breast/unet_smal}', "did you mean 'demo_breast/unet_small'?"),
        ('{files: ["*.svs"], model: demo_breast/fpn}', "'demo_breast/fpn' is trained by no part of this study"),
        ('{files: ["*.svs"], model: demo_breast/unet_small, checksums: sums}', "slides.checksums: no file sums"),
        ('{files: ["*.svs"], model: demo_breast/unet_small, fold: worst}', "slides.fold: worst; expected best or all"),
        ('{files: ["*.svs"], model: demo_breast/unet_small, tissue: {hole: 3}}', "slides.tissue.hole: unknown key"),
        ('{files: ["*.svs"], model: demo_breast/unet_small, predict: {overlap: 5}}', "slides.predict.overlap: 5"),
    ],
)
def test_what_cannot_work_is_said(laid, slides, message):
    problems = laid(f"slides: {slides}")
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("study.yaml:1: ")


def test_an_ensemble_of_folds_that_are_normalised_each_in_its_own_way_is_refused(laid):
    text = 'slides: {files: ["*.svs"], model: demo_breast/unet_small, fold: all}\nnormalise: {method: macenko}'
    assert "demo_breast is normalised to each fold's own stain" in laid(text)[0]
    assert laid(text.replace("fold: all", "fold: best")) == []


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("{kernel: gaussian}", "regions.kernel: gaussian with kernel_size 0.0"),
        ("{kernel_size: 2.0}", "regions.kernel: none with kernel_size 2.0"),
        ("{tried: [{kernel: mean}]}", "mean with kernel_size 0"),
        ("{tried: [{openng: 2.0}]}", "unknown key 'openng'; did you mean 'opening'?"),
        ("{tried_overlaps: [2]}", "regions.tried_overlaps[0]: 2; expected 1 or 4 or 9 or 16"),
    ],
)
def test_smoothing_that_cannot_work_is_said_once(study, regions, message):
    problems = study(f"regions: {regions}")
    assert len(problems) == 1
    assert message in problems[0]
