from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from histoloom.datasets.hou2020 import hou2020
from histoloom.errors import InputError

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "hou2020"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")

FOLDER = "manual_segmentation_data"
README = "Pan-Cancer-Nuclei-Seg_1365patches_to_TCGA-ID_readme.txt"
PREAMBLE = 'Patches and where they come from.\n\nCancer types are TCGA\'s; see the paper, "Data Records".\n\n'


def patch_ids() -> np.ndarray:
    ids = np.zeros((20, 30), np.uint16)
    ids[:10, :10], ids[10:, 20:] = 5, 400
    return ids


def write_patch(root: Path, number: int | str, ids=None, channels=3, folder=FOLDER) -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    pixels = np.full((20, 30, channels), 255, np.uint8)
    pixels[..., :3] = 200, 150, 180
    iio.imwrite(root / folder / f"{number}_crop.png", pixels)
    path = root / folder / f"{number}_labeled_mask_corrected.png"
    iio.imwrite(path, patch_ids() if ids is None else ids)
    return path


def write_table(root: Path, rows: str, header="Patch-ID,TCGA-ID,CancerType", name=README) -> None:
    (root / name).write_text(f"{PREAMBLE}{header}\n{rows}")


def test_nuclei_are_numbered_one_to_n_on_an_rgb_or_rgba_image(tmp_path):
    write_patch(tmp_path, 1)
    write_patch(tmp_path, 2, channels=4)
    for sample in hou2020(tmp_path):
        assert sample.image.shape == (20, 30, 3)
        assert sample.image[0, 0].tolist() == [200, 150, 180]
        assert (sample.instances == np.select([patch_ids() == 5, patch_ids() == 400], [1, 2])).all()
        assert (sample.mask == (patch_ids() > 0)).all()
        assert (sample.counts["nuclei"], sample.counts["renumbered_nuclei"]) == (2, 2)
        assert sample.mpp is None


def test_missing_ids_are_normal_and_order_is_by_number(tmp_path):
    for number in (10, 2, 1, 1365):
        write_patch(tmp_path, number)
    dataset = hou2020(tmp_path, mpp=0.25)
    assert [sample.name for sample in dataset] == ["1", "2", "10", "1365"]
    assert dataset.problems == ()
    assert next(iter(dataset)).mpp == 0.25


def test_the_table_after_its_preamble_tells_cancer_type_and_patient(tmp_path):
    for number in (1, 2, 3):
        write_patch(tmp_path, number)
    rows = "1, TCGA-21-5784-01Z-00-DX1 , lusc\n2,TCGA-21-5784-01A-02-TS2,LUSC\n3,TCGA-A7-A13E-01Z-00-DX1,brca\n4,,uvm\n"
    write_table(tmp_path, rows)
    dataset = hou2020(tmp_path)
    assert [(sample.group, sample.stratum) for sample in dataset] == [
        ("TCGA-21-5784", "lusc"),
        ("TCGA-21-5784", "lusc"),
        ("TCGA-A7-A13E", "brca"),
    ]
    assert dataset.warnings == ()


def test_a_tcga_id_is_found_in_whatever_column_holds_it(tmp_path):
    write_patch(tmp_path, 1)
    write_table(tmp_path, "1,coad,slides/tcga-aa-3517-01z.svs\n", "patch-id,cancertype,file", "crosswalk.csv")
    assert next(iter(hou2020(tmp_path))).group == "TCGA-AA-3517"


def test_unknown_patients_are_groups_of_their_own_and_said(tmp_path):
    for number in (1, 2, 3):
        write_patch(tmp_path, number)
    write_table(tmp_path, "1,lusc\n2,lusc\n", "Patch-ID,CancerType")
    dataset = hou2020(tmp_path)
    assert [(sample.group, sample.stratum) for sample in dataset] == [
        ("patch_1", "lusc"),
        ("patch_2", "lusc"),
        ("patch_3", ""),
    ]
    assert dataset.warnings == (
        "3 of 3 patches have no TCGA id in the table: patients are unknown, each such patch is its own group, and "
        "patches of one patient may lie in both training and test parts",
        "1 of 3 patches have no cancer type in the table",
    )


def test_without_table_a_warning_says_what_to_do(tmp_path):
    write_patch(tmp_path, 1, folder=".")  # the files may also lie in the dataset's folder itself
    (tmp_path / "notes.txt").write_text("nothing of use")
    assert hou2020(tmp_path, note="mine").warnings == (
        "no table of patches: patients and cancer types are unknown, each patch is its own group; put the readme with "
        "the columns Patch-ID and CancerType beside the images",
        "mine",
    )


def test_two_tables_and_a_table_without_cancer_types_are_refused(tmp_path):
    write_patch(tmp_path, 1)
    write_table(tmp_path, "1,TCGA-21-5784\n", "Patch-ID,TCGA-ID")
    with pytest.raises(InputError, match=r"readme.txt: has no column 'CancerType'; expected Patch-ID, CancerType in"):
        hou2020(tmp_path)
    write_table(tmp_path, "1,lusc\n", "Patch-ID,CancerType", "a.csv")
    with pytest.raises(InputError, match=r"has a column 'Patch-ID', as a.csv has; expected one table of patches"):
        hou2020(tmp_path)


def test_a_common_mask_is_the_second_opinion_where_there_is_one(tmp_path):
    write_patch(tmp_path, 1)
    path = write_patch(tmp_path, 2)
    shifted = np.roll(patch_ids(), 5, axis=1)
    iio.imwrite(path.with_name("2_labeled_mask_common0.png"), shifted)
    iio.imwrite(path.with_name("2_labeled_mask_common1.png"), patch_ids())
    first, second = hou2020(tmp_path)
    assert first.second_instances is None
    assert (second.second_instances > 0).sum() == (shifted > 0).sum()
    both = (second.instances == 1) & (second.second_instances == 1)
    assert both.sum() == 50  # of 10 x 10 pixels, half after a shift by 5
    assert [sample.counts["second_opinions"] for sample in (first, second)] == [0, 1]
    assert second.counts["second_opinions_equal_to_truth"] == 0
    assert list(hou2020(tmp_path, second="common1"))[1].counts["second_opinions_equal_to_truth"] == 1
    assert list(hou2020(tmp_path, second="none"))[1].second_instances is None


def test_size_conflict_names_both_files_and_sizes(tmp_path):
    mask = write_patch(tmp_path, 7, ids=patch_ids().T)
    with pytest.raises(InputError) as error:
        list(hou2020(tmp_path))
    assert str(error.value) == (
        f"{mask}: nucleus map is 30x20, its image {mask.with_name('7_crop.png')} is 20x30; expected one size "
        "(height x width); looks transposed: exchange its rows and columns"
    )


def test_coloured_masks_are_refused(tmp_path):
    write_patch(tmp_path, 7, ids=np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(InputError, match=r"(?s)7_labeled_mask_corrected.png: .*nucleus ids"):
        list(hou2020(tmp_path))


def test_files_without_partner_are_problems(tmp_path):
    write_patch(tmp_path, 1).unlink()
    crop = write_patch(tmp_path, 2).with_name("2_crop.png")
    crop.unlink()
    dataset = hou2020(tmp_path)
    folder = tmp_path / FOLDER
    assert dataset.problems == (
        f"{folder}/1_crop.png: has no annotation; expected {FOLDER}/1_labeled_mask_corrected.png; add that file or "
        "remove this one",
        f"{folder}/2_labeled_mask_corrected.png: has no image; expected {FOLDER}/2_crop.png; add that file or remove "
        "this one",
    )
    assert len(dataset) == 0


def test_a_folder_without_patches_and_unknown_options_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no image; expected <id>_crop.png in manual_segmentation_data/; unpack"):
        hou2020(tmp_path)
    with pytest.raises(InputError, match="second: unknown annotator 'common3'; did you mean 'common"):
        hou2020(tmp_path, second="common3")
    with pytest.raises(InputError, match="mpp: nan; expected micrometres per pixel"):
        hou2020(tmp_path, mpp=float("nan"))


@needs_samples
def test_real_patches_hold_the_nuclei_that_another_library_counts():
    dataset = hou2020(SAMPLES)
    nuclei = {}
    for sample in dataset:
        ids = np.asarray(Image.open(SAMPLES / FOLDER / f"{sample.name}_labeled_mask_corrected.png"))
        nuclei[sample.name] = len(set(ids.ravel().tolist()) - {0})
        assert sample.counts["nuclei"] == sample.instances.max() == nuclei[sample.name]
        # Ids keep their pixels: each pair of old and new id occurs, and no old id has two new ones.
        assert len(set(zip(ids.ravel().tolist(), sample.instances.ravel().tolist(), strict=True))) == len(
            np.unique(ids)
        )
    assert list(nuclei) == [str(number) for number in range(1, 13)]
    assert sum(nuclei.values()) == 895
    assert len({sample.group for sample in dataset}) == 6
    assert {sample.stratum for sample in dataset} == {"lusc", "luad", "brca", "prad"}
    assert (dataset.warnings, dataset.problems) == ((), ())
