import csv
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from histoloom.images import write_image
from histoloom.prepare.inspection import Measured, class_table, inspect, is_blank, measure, nuclei_by_class
from histoloom.prepare.preparation import write_prepared
from histoloom.prepared import Description, IndexRow
from histoloom.sample import Dataset, Sample

SCRIPT = Path(__file__).parents[2] / "scripts" / "inspect_dataset.py"
DESCRIPTION = Description("toy", "none", ("background", "tumour"), False, "CC0", "nobody", {}, ())
STAINED = (150, 80, 160)


def row(name: str, group: str = "", stratum: str = "Colon", sha256: str = "") -> IndexRow:
    path = Path(f"{name}.png")
    return IndexRow(name, path, path, None, 4, 5, None, group or name, stratum, None, "", sha256 or name)


def measured(name: str = "a", pixels: dict[int, int] | None = None, **changes) -> Measured:
    counts = np.zeros(256, np.int64)
    for value, count in (pixels or {0: 15, 1: 5}).items():
        counts[value] = count
    names = ("group", "stratum", "sha256")
    its_row = row(name, **{key: changes.pop(key) for key in names if key in changes})
    values = {"image_size": (4, 5), "mask_size": (4, 5), "nuclei": None, "is_blank": False, **changes}
    return Measured(row=its_row, pixels=counts, **values)


def three(*others: Measured) -> list[Measured]:
    return [measured("a"), measured("b"), measured("c"), *others]


def kinds(images, description=DESCRIPTION) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.kind, finding.subject) for finding in inspect(images, description)]


def test_sound_dataset_has_no_findings():
    assert kinds(three()) == []


FINDINGS = {
    "mask of another size": (measured("d", mask_size=(4, 6)), ("error", "size_conflict", "d")),
    "value without class": (measured("d", {0: 10, 1: 5, 7: 5}), ("error", "unknown_value", "d")),
    "duplicate in a group": (measured("d", group="a", sha256="a"), ("warning", "duplicate", "a")),
    "duplicate across groups": (measured("d", sha256="b"), ("warning", "duplicate", "b")),
    "empty mask": (measured("d", {0: 20}), ("warning", "empty_mask", "toy")),
    "blank image": (measured("d", is_blank=True), ("warning", "blank_image", "toy")),
    "some pixels not annotated": (measured("d", {0: 10, 1: 5, 255: 5}), ("info", "unannotated", "toy")),
    "another image size": (measured("d", image_size=(9, 9), mask_size=(9, 9)), ("info", "image_sizes", "toy")),
}


@pytest.mark.parametrize("image, expected", FINDINGS.values(), ids=FINDINGS.keys())
def test_each_problem_is_found_once(image, expected):
    assert kinds(three(image)) == [expected]


def test_unannotated_image_is_no_empty_mask():
    found = kinds(three(measured("d", {255: 20})))
    assert found == [("warning", "unannotated_image", "toy"), ("info", "unannotated", "toy")]


def test_unannotated_share_is_of_all_pixels():
    (finding,) = inspect(three(measured("d", {1: 10, 255: 10})), DESCRIPTION)
    assert finding.message.startswith("12.5% of the pixels are not annotated")  # 10 of 4 * 20


def test_absent_class_is_named():
    assert kinds([measured(name, {0: 20}) for name in "abc"]) == [
        ("warning", "absent_class", "tumour"),
        ("warning", "empty_mask", "toy"),
    ]


def test_empty_masks_are_counted_and_the_first_named():
    empty = [measured(name, {0: 20}) for name in "defgh"]
    (finding,) = inspect(three(*empty), DESCRIPTION)
    assert finding.message.startswith("5 of 8 images (d, e, f, ...) hold background only")


def test_fewer_than_three_groups_are_warned_of():
    assert kinds([measured("a"), measured("b")]) == [("warning", "few_groups", "toy")]


def test_images_without_group_are_warned_of():
    images = three()
    for image in images[:2]:
        object.__setattr__(image.row, "group", "")
    unknown, few = inspect(images, DESCRIPTION)
    assert (unknown.severity, unknown.kind, few.kind) == ("warning", "unknown_group", "few_groups")
    assert unknown.message.startswith("2 of 3 images (a, b) have no group; they count as one group")
    assert few.message.startswith("2 groups; expected at least 3")  # those without one, and c


def test_duplicate_names_both_images_and_groups():
    (finding,) = inspect(three(measured("d", group="g", sha256="b")), DESCRIPTION)
    assert finding.subject == "b"
    assert finding.message.startswith("same pixels as d, groups 'b' and 'g'")


def test_dataset_warnings_are_carried_through_and_errors_come_first():
    description = Description("toy", "none", ("background", "tumour"), False, "", "", {}, ("patients unknown",))
    found = inspect(three(measured("d", mask_size=(1, 1))), description)
    assert [finding.severity for finding in found] == ["error", "warning"]
    assert (found[1].kind, found[1].message) == ("dataset", "patients unknown")


def test_missing_nucleus_map_is_an_error_where_the_dataset_has_nuclei():
    description = Description("toy", "none", ("background", "tumour"), True, "", "", {}, ())
    nuclei = np.zeros(256, np.int64)
    images = [measured("a"), measured("b", nuclei=nuclei), measured("c", nuclei=nuclei)]
    assert kinds(images, description) == [("error", "size_conflict", "a")]


def test_nuclei_on_background_are_warned_of():
    astray = np.zeros(256, np.int64)
    astray[0] = 2
    assert kinds(three(measured("d", nuclei=astray))) == [("warning", "nucleus_on_background", "toy")]


def test_nucleus_counts_for_the_class_of_most_of_its_pixels():
    mask = np.array([[1, 1, 2, 0], [2, 2, 2, 0]], np.uint8)
    instances = np.array([[5, 5, 5, 0], [90_000, 90_000, 0, 7]], np.int32)
    counts = nuclei_by_class(mask, instances)
    assert counts[:3].tolist() == [1, 1, 1]
    assert counts.sum() == 3


def test_image_without_nuclei_counts_none():
    assert nuclei_by_class(np.ones((2, 2), np.uint8), np.zeros((2, 2), np.int32)).sum() == 0


def test_class_table_shares_sum_to_one_of_the_annotated_pixels():
    nuclei = np.bincount([1, 1], minlength=256)
    table = class_table(
        [measured("a", {0: 6, 1: 4, 255: 10}, nuclei=nuclei), measured("b", {0: 20})], DESCRIPTION.classes
    )
    assert table == [
        {"class": "background", "images": 2, "pixels": 26, "pixel_share": "0.866667", "nuclei": 0},
        {"class": "tumour", "images": 1, "pixels": 4, "pixel_share": "0.133333", "nuclei": 2},
    ]


def test_class_table_leaves_nuclei_empty_where_there_are_none_to_count():
    assert class_table([measured()], DESCRIPTION.classes)[1]["nuclei"] is None


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_image_without_colour_is_blank(grey):
    assert is_blank(np.full((50, 50, 3), grey, np.uint8))


def test_image_with_two_percent_of_stained_pixels_is_not_blank():
    image = np.full((50, 50, 3), 245, np.uint8)
    image[0] = STAINED
    assert not is_blank(image)
    image[0, 20:] = 245  # 20 of 2,500 pixels are left, 0.8 %
    assert is_blank(image)


def test_measure_reads_what_is_on_disk(tmp_path):
    mask = np.array([[0, 1], [1, 255]], np.uint8)
    write_image(tmp_path / "image.png", np.full((2, 2, 3), STAINED, np.uint8))
    write_image(tmp_path / "mask.png", mask)
    its_row = IndexRow("a", tmp_path / "image.png", tmp_path / "mask.png", None, 2, 2, None, "", "", None, "", "")
    found = measure(its_row)
    assert (found.pixels[0], found.pixels[1], found.pixels[255]) == (1, 2, 1)
    assert (found.annotated, found.foreground, found.is_blank) == (3, 2, False)
    assert found.nuclei is None


def prepare(folder: Path, *samples: Sample) -> None:
    data = Dataset(("background", "tumour"), len(samples), lambda: iter(samples), "CC0", "nobody")
    folders = {f"{kind}_dir": folder / kind for kind in ("images", "masks", "instances")}
    files = {"index": folder / "index.csv", "description": folder / "dataset.json"}
    write_prepared(data, name="toy", reader="none", **folders, **files)


def run_script(folder: Path) -> subprocess.CompletedProcess:
    flags = [f"--index={folder / 'index.csv'}", f"--dataset={folder / 'dataset.json'}", "--examples=2"]
    flags += [f"--{kind}={folder / 'out' / kind}.csv" for kind in ("findings", "classes")]
    command = [sys.executable, str(SCRIPT), *flags, f"--sheet={folder / 'out' / 'sheet.png'}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def tile(name: str, seed: int) -> Sample:
    image = np.random.default_rng(seed).integers(60, 160, (32, 32, 3), np.uint8)
    image[..., 2] = 220
    return Sample(name, image, np.pad(np.ones((9, 9), np.uint8), (3, 20)), group=name, stratum="Colon")


def test_script_writes_findings_classes_and_sheet(tmp_path):
    prepare(tmp_path, tile("a", 1), tile("b", 2))
    done = run_script(tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "findings.csv").open() as file:
        (finding,) = csv.DictReader(file)
    assert (finding["severity"], finding["kind"]) == ("warning", "few_groups")
    with (tmp_path / "out" / "classes.csv").open() as file:
        tumour = list(csv.DictReader(file))[1]
    assert (tumour["class"], tumour["pixels"], tumour["nuclei"]) == ("tumour", "162", "")
    assert iio.imread(tmp_path / "out" / "sheet.png").shape[1] == 1800


def test_script_only_warns_of_identical_images_of_two_groups(tmp_path):
    prepare(tmp_path, tile("a", 1), tile("b", 1), tile("c", 3))
    done = run_script(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: a: same pixels as b, groups 'a' and 'b'" in done.stderr


def test_script_stops_at_an_error_after_writing_its_files(tmp_path):
    prepare(tmp_path, tile("a", 1), tile("b", 2), tile("c", 3))
    iio.imwrite(tmp_path / "masks" / "a.png", np.full((32, 32), 7, np.uint8))
    done = run_script(tmp_path)
    assert done.returncode == 1
    assert "findings.csv: 1 error(s) in the dataset" in done.stderr
    assert "a: mask holds 7; expected 0 to 1, or 255 for not annotated" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["classes.csv", "findings.csv", "sheet.png"]
