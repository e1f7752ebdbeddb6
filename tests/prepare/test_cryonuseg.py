import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from histoloom.datasets.cryonuseg import COUNTED, FOLDERS, LABELS, cryonuseg
from histoloom.errors import InputError
from histoloom.prepare.reading.tables import rows_by

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "cryonuseg"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")

HEADER = 'TCGA,Pixel-Dimensions,File Name,"Nr Cells\n(biologist) 1st round of manual mark-ups"\n'
NAME = "Human_Larynx_02"


def squares(size=(40, 60), **corners) -> np.ndarray:
    """Ids on background: id<number>=(row, column) is a square of 10 pixels."""
    ids = np.zeros(size, np.uint16)
    for key, (row, column) in corners.items():
        ids[row : row + 10, column : column + 10] = int(key.removeprefix("id"))
    return ids


TRUTH = squares(id1=(0, 0), id2=(20, 20))


def write_labels(root: Path, annotator="biologist", ids=TRUTH, name=NAME, depth=1) -> Path:
    folder = root.joinpath(*[FOLDERS[annotator]] * depth, LABELS)
    folder.mkdir(parents=True, exist_ok=True)
    iio.imwrite(folder / f"{name}.tif", ids)
    return folder / f"{name}.tif"


def write_tile(root: Path, name=NAME, size=(40, 60)) -> Path:
    (root / "tissue images").mkdir(parents=True, exist_ok=True)
    path = root / "tissue images" / f"{name}.tif"
    iio.imwrite(path, np.full((*size, 3), 200, np.uint8))
    return path


@pytest.fixture
def root(tmp_path):
    write_tile(tmp_path)
    write_labels(tmp_path)
    return tmp_path


def only(root: Path, **options):
    (sample,) = cryonuseg(root, **{"second": "none"} | options)
    return sample


def test_nuclei_come_from_the_modified_labels_and_never_from_sums_of_ids(root):
    sums = root / FOLDERS["biologist"] / "label masks"
    sums.mkdir()
    iio.imwrite(sums / f"{NAME}.tif", squares(id1=(0, 0), id7=(20, 20)))
    sample = only(root)
    assert (sample.instances == TRUTH).all()
    assert (sample.mask == (TRUTH > 0)).all()
    assert (sample.name, sample.source) == (NAME, f"tissue images/{NAME}.tif")
    (root / FOLDERS["biologist"] / LABELS).rename(root / "elsewhere")
    with pytest.raises(InputError, match=r"no 'label masks modify' of annotator 'biologist'; expected Annotator 1 \(b"):
        only(root)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("annotator", FOLDERS)
def test_each_annotator_is_found_however_often_the_folder_repeats_itself(annotator, depth, tmp_path):
    write_tile(tmp_path)
    for number, other in enumerate(FOLDERS):
        write_labels(tmp_path, other, squares(id1=(number, 0)), depth=depth)
    sample = only(tmp_path, annotator=annotator)
    assert np.argwhere(sample.instances)[0].tolist() == [list(FOLDERS).index(annotator), 0]


def test_labels_at_the_root_are_those_of_the_first_annotator(tmp_path):
    write_tile(tmp_path)
    (tmp_path / "Label_Masks_Modify").mkdir()
    iio.imwrite(tmp_path / "Label_Masks_Modify" / f"{NAME}.tif", TRUTH)
    dataset = cryonuseg(tmp_path)
    assert (next(iter(dataset)).instances == TRUTH).all()
    assert dataset.warnings[0] == (
        "no labels of annotator 'bioinformatician' in Annotator 2 (bioinformatician)/label masks modify: "
        "agreement cannot be told"
    )
    with pytest.raises(InputError, match="no 'label masks modify' of annotator 'bioinformatician'"):
        only(tmp_path, annotator="bioinformatician", second="biologist")


def test_the_second_annotator_keeps_its_own_nuclei(root):
    write_labels(root, "bioinformatician", squares(id1=(0, 5)), depth=2)  # half of nucleus 1, none of nucleus 2
    (sample,) = cryonuseg(root)
    first, second = sample.instances == 1, sample.second_instances == 1
    assert (first & second).sum() / (first | second).sum() == 50 / 150
    assert (sample.counts["nuclei"], sample.counts["second_nuclei"]) == (2, 1)
    assert sample.counts["second_opinions_equal_to_truth"] == 0


def test_a_tile_without_second_opinion_is_read_and_named(root):
    write_tile(root, "Human_Skin_01")
    write_labels(root, name="Human_Skin_01")
    write_labels(root, "bioinformatician")
    dataset = cryonuseg(root)
    assert [sample.second_instances is None for sample in dataset] == [False, True]
    assert [sample.counts["second_opinions_equal_to_truth"] for sample in dataset] == [1, 0]
    assert "annotator 'bioinformatician': 1 files find no partner, first" in dataset.warnings[0]
    assert "Human_Skin_01.tif: has no annotation" in dataset.warnings[0]


def test_ids_with_gaps_become_one_to_n_and_pieces_stay_one_nucleus(root):
    write_labels(root, ids=squares(id3=(0, 0), id9=(20, 20)) + squares(id9=(0, 30)) + squares(id300=(30, 40)))
    sample = only(root)
    assert np.unique(sample.instances).tolist() == [0, 1, 2, 3]
    assert (sample.instances == 2).sum() == 200
    counts = {key: sample.counts[key] for key in ("nuclei", "renumbered_nuclei", "nuclei_in_pieces")}
    assert counts == {"nuclei": 3, "renumbered_nuclei": 3, "nuclei_in_pieces": 1}


def test_the_table_tells_patient_and_micrometres_per_pixel(root):
    write_tile(root, "Human_Testes_01")
    write_labels(root, name="Human_Testes_01")
    rows = f"TCGA-F7-A622,0.2468,{NAME},222\nTCGA-SN-A84W,,Human_Testes_01,x\n"
    (root / "Selected_WSIs.csv").write_text(HEADER + rows, encoding="utf-8-sig")
    first, second = cryonuseg(root, second="none")
    assert (first.group, first.mpp, first.stratum, first.counts["nuclei_in_table"]) == (
        "TCGA-F7-A622",
        0.2468,
        "Larynx",
        222,
    )
    assert (second.group, second.mpp, second.stratum, "nuclei_in_table" in second.counts) == (
        "TCGA-SN-A84W",
        None,
        "Testes",
        False,
    )
    assert [sample.mpp for sample in cryonuseg(root, mpp=0.25)] == [0.2468, 0.25]
    (root / "Selected_WSIs.csv").write_text((HEADER + rows).replace(",", ";").replace("0.", "0,"))
    assert [sample.mpp for sample in cryonuseg(root)] == [0.2468, None]


def test_a_workbook_is_named_with_the_cure(root):
    (root / "Selected_WSIs.xlsx").write_bytes(b"PK")
    assert cryonuseg(root, second="none").warnings == (
        "only Selected_WSIs.xlsx is there, which is not read: micrometres per pixel are unknown, and each tile counts "
        "as a patient; save it as selected_wsis.csv in a spreadsheet program",
    )
    assert (only(root).mpp, only(root).group) == (None, NAME)


BAD_TABLES = {
    "no number": (f"TCGA-A,wide,{NAME},1\n", f"Pixel-Dimensions of {NAME} is 'wide'; expected micrometres per pixel"),
    "negative": (f"TCGA-A,-0.2,{NAME},1\n", f"Pixel-Dimensions of {NAME} is '-0.2'; expected"),
    "twice": (f"TCGA-A,0.2,{NAME},1\nTCGA-B,0.2,{NAME},1\n", f"selected_wsis.csv: has two rows for '{NAME}'"),
}


@pytest.mark.parametrize("rows, message", BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_bad_table_is_refused(rows, message, root):
    (root / "selected_wsis.csv").write_text(HEADER + rows)
    with pytest.raises(InputError, match=message) as error:
        cryonuseg(root)
    assert str(error.value).startswith(f"{root / 'selected_wsis.csv'}: ")


def test_table_without_its_columns_is_refused(root):
    (root / "selected_wsis.csv").write_text("File Name,TCGA\n")
    with pytest.raises(
        InputError, match="has no column 'Pixel-Dimensions'; expected File Name, TCGA, Pixel-Dimensions"
    ):
        cryonuseg(root)
    (root / "selected_wsis.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"selected_wsis.csv: cannot be read as text"):
        cryonuseg(root)


def test_size_conflict_names_both_files_and_sizes(root):
    labels = write_labels(root, ids=np.ones((60, 40), np.uint16))
    with pytest.raises(InputError) as error:
        only(root)
    assert str(error.value) == (
        f"{labels}: nucleus map is 60x40, its image {root / 'tissue images' / NAME}.tif is 40x60; expected one size "
        "(height x width); looks transposed: exchange its rows and columns"
    )


def test_size_conflict_of_the_second_annotator_is_refused_too(root):
    write_labels(root, "bioinformatician", np.ones((20, 20), np.uint16))
    with pytest.raises(InputError, match=r"bioinformatician.*nucleus map is 20x20, its image .* is 40x60"):
        list(cryonuseg(root))


BAD_LABELS = {
    "colours": (np.zeros((40, 60, 3), np.uint8), r"expected .*nucleus ids"),
    "nucleus or not": (
        (squares(id1=(0, 0), id2=(20, 20)) > 0).astype(np.uint8) * 255,
        "holds only 0 and 255, in 2 places; expected one number for each nucleus; give the nucleus map, not the mask",
    ),
    "0 and 1": ((squares(id1=(0, 0), id2=(20, 20)) > 0).astype(np.uint8), "holds only 0 and 1, in 2 places"),
    "fractions": (np.full((40, 60), 0.5, np.float32), r"expected .*integer grey"),
}


@pytest.mark.parametrize("ids, message", BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_labels_that_are_no_nucleus_ids_are_refused(ids, message, root):
    write_labels(root, ids=ids)
    with pytest.raises(InputError, match=rf"(?s){NAME}.tif: .*{message}"):
        only(root)


def test_files_without_partner_are_problems_and_the_others_are_read(root):
    extra = write_labels(root, name="Human_Skin_01")
    bare = write_tile(root, "Human_Thymus_03")
    jpeg = bare.parent.parent / FOLDERS["biologist"] / LABELS / "Human_Thymus_03.jpg"
    iio.imwrite(jpeg, np.zeros((40, 60), np.uint8))  # JPEG changes ids, so it is no nucleus map
    (root / "tissue images" / f"{NAME.upper()}.tif").write_bytes(b"")
    dataset = cryonuseg(root)
    assert dataset.problems == (
        f"{bare.parent / NAME.upper()}.tif: differs only in upper and lower case from {NAME}.tif; expected one image "
        f"for {NAME}.tif; rename or remove all but one",
        f"{extra}: has no image; expected tissue images/Human_Skin_01.tif (or .tiff, .png, .jpg, .jpeg); add that file "
        "or remove this one",
        f"{bare}: has no annotation; expected {LABELS}/Human_Thymus_03.tif (or .tiff, .png); add that file or remove "
        "this one",
    )
    assert len(dataset) == 0


BAD_OPTIONS = {
    "misspelt": ({"annotator": "biologst"}, "annotator: unknown annotator 'biologst'; did you mean 'biologist'"),
    "second": ({"second": "two"}, "second: unknown annotator 'two'; Choices: biologist,"),
    "same": ({"second": "biologist"}, "second: 'biologist' is the annotator of the truth too; expected another"),
    "mpp": ({"mpp": -1}, "mpp: -1; expected micrometres per pixel"),
}


@pytest.mark.parametrize("options, message", BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_bad_option_is_refused(options, message, root):
    with pytest.raises(InputError, match=message):
        cryonuseg(root, **options)


@needs_samples
def test_real_tiles_hold_the_nuclei_that_another_library_counts():
    dataset = cryonuseg(SAMPLES)
    assert len(dataset) == 4
    for sample in dataset:
        file = SAMPLES / FOLDERS["biologist"] / LABELS / f"{sample.name}.tif"
        ids = np.asarray(Image.open(file))
        pieces = [ndimage.label(ids == number, np.ones((3, 3)))[1] for number in np.unique(ids)[1:]]
        assert sample.counts["nuclei"] == sample.instances.max() == len(pieces)
        assert sample.counts["nuclei_in_pieces"] == sum(count > 1 for count in pieces)
        assert (sample.mask == (ids > 0)).all()
        assert (sample.second_instances == sample.instances).all()  # the samples' annotators are copies
        assert sample.counts["second_opinions_equal_to_truth"] == 1
        assert re.fullmatch(r"Colon|Kidney2?|Lung", sample.stratum)


@needs_samples
def test_the_real_table_holds_the_published_numbers_of_nuclei():
    rows = rows_by(SAMPLES / "selected_wsis.csv", "File Name", ["TCGA", "Pixel-Dimensions"])
    assert len(rows) == len({row["tcga"] for row in rows.values()}) == 30
    assert [sum(int(row[COUNTED[who]]) for row in rows.values()) for who in FOLDERS] == [7596, 8044, 8251]
    assert [name for name, row in rows.items() if not row["pixel-dimensions"]] == ["human_testes_01"]
