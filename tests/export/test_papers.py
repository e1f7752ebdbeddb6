"""What leaves a study says which pixels it takes: the working ones, and how many native ones lie along each."""

import pytest

from histoloom.export.monai_bundle import bundle_metadata, readme
from histoloom.export.papers import facts_of
from tests.export.export_case import source


def test_a_model_that_reduces_says_so_where_a_program_and_where_a_person_reads(tmp_path):
    # Native pixels of 0.25 um, four along one of the input: 1 um.
    model = source(tmp_path, downsample=4, mpp=1.0)
    facts = facts_of(model)
    assert (facts["downsample"], facts["mpp"], facts["native_mpp"]) == ("4", "1.0", "0.25")
    assert "reduced by 4: each pixel the mean of 4 x 4 native ones" in facts["input"]
    metadata = bundle_metadata(model)
    assert metadata["histoloom"]["downsample"] == "4"
    assert "reduced by 4" in metadata["image_classes"]
    text = " ".join(readme(model).split())
    assert "H&E, 1.0 µm per pixel: those of the training images' resolution of 0.25 µm per pixel, reduced by 4" in text
    assert "downsample: 4 native pixels along one input pixel" in text and "Reduce them first" in text


@pytest.mark.parametrize(
    ("mpp", "said"), [(0.5, "are of 0.5 µm per pixel (downsample: 1)"), (None, "are (downsample: 1)")]
)
def test_a_model_of_native_pixels_asks_for_no_reduction(tmp_path, mpp, said):
    model = source(tmp_path, mpp=mpp)
    assert facts_of(model)["downsample"] == "1"
    assert "reduced" not in facts_of(model)["input"]
    assert said in readme(model) and "Reduce" not in readme(model)


def test_a_resolution_that_nobody_stated_is_not_made_up(tmp_path):
    model = source(tmp_path, downsample=2, mpp=None)
    assert {"mpp", "native_mpp"}.isdisjoint(facts_of(model))
    text = " ".join(readme(model).split())
    assert "H&E, a lower resolution: those of the training images' resolution, reduced by 2, each" in text
