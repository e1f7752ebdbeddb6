"""What inspection finds in a dataset, one problem planted at a time, and the script from index to files."""

import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from histoloom.files import write_json, write_table
from histoloom.formats.images import write_image, write_instances
from histoloom.prepare.duplicates.findings import shared_images
from histoloom.prepare.inspection.findings import BLURRED_SHARE, inspect
from histoloom.prepare.inspection.measure_tables import NUCLEUS_COLUMNS
from histoloom.prepare.inspection.measuring import Agreement, Look, Measured, Nuclei
from histoloom.prepared import INDEX_COLUMNS, SKIPPED_COLUMNS, Description, IndexRow, read_table

SCRIPT = Path(__file__).parents[2] / "scripts" / "inspect_dataset.py"
DESCRIPTION = Description("toy", "none", ("background", "tumour"), False, "CC0", "nobody", {}, ())
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
KINDS = ("images", "masks", "instances", "second_instances")
PAIR_COLUMNS = ("first_dataset", "first", "second_dataset", "second", "kind", "distance", "change")


def look(tissue_share: float = 0.6, sharpness: float | None = 5.0, **changes) -> Look:
    return Look(tissue_share, **{"sharpness": sharpness, "stain": STAINS, **changes})


def measured(name: str = "a", pixels: dict[int, int] | None = None, **changes) -> Measured:
    counts = np.zeros(256, np.int64)
    for value, count in (pixels or {0: 15, 1: 5}).items():
        counts[value] = count
    path = Path(f"{name}.png")
    of_row = {"group": "case 1" if name == "a" else name, "mpp": 0.25, "second_instances": None}
    of_row |= {key: changes.pop(key) for key in of_row if key in changes}
    fixed = {"height": 4, "width": 5, "stratum": "Colon", "fold": None, "source": "", "sha256": name}
    row = IndexRow(name=name, image=path, mask=path, instances=None, **fixed, **of_row)
    return Measured(row=row, pixels=counts, **{"image_size": (4, 5), "mask_size": (4, 5), "look": look(), **changes})


def nuclei(*areas_px: int, value: int = 1) -> Nuclei:
    return Nuclei(np.full(len(areas_px), value, np.int64), np.array(areas_px, np.int64))


def four(*others: Measured) -> list[Measured]:
    """Sound images of three groups, and others."""
    return [measured("a"), measured("a2", group="case 1"), measured("b"), measured("c"), *others]


def pair(first: str, second: str, kind: str = "identical", distance: str = "0", change: str = "none") -> dict[str, str]:
    return dict(zip(PAIR_COLUMNS, ("toy", first, "toy", second, kind, distance, change), strict=True))


def kinds(images, description=DESCRIPTION, **tables) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.kind, finding.subject) for finding in inspect(images, description, **tables)]


def test_sound_dataset_has_no_findings():
    assert kinds(four()) == []


FINDINGS = {
    "mask of another size": (measured("d", mask_size=(4, 6)), ("error", "size_conflict", "d")),
    "second annotator's map of another size": (
        measured("d", second_instances=Path("d.png")),
        ("error", "size_conflict", "d"),
    ),
    "value without class": (measured("d", {0: 10, 1: 5, 7: 5}), ("error", "unknown_value", "d")),
    "empty mask": (measured("d", {0: 20}), ("warning", "empty_mask", "toy")),
    "blank image": (measured("d", look=Look(0.009)), ("warning", "blank_image", "toy")),
    "blurred image": (measured("d", look=look(sharpness=2.9)), ("warning", "blurred_image", "toy")),
    "another scale": (measured("d", mpp=0.5), ("warning", "mixed_mpp", "toy")),
    "nucleus on background": (measured("d", nuclei=nuclei(50, value=0)), ("warning", "nucleus_on_background", "toy")),
    "speck": (measured("d", nuclei=nuclei(9, 10)), ("info", "speck", "toy")),
    "no mpp": (measured("d", mpp=None), ("info", "unknown_mpp", "toy")),
    "no stain vectors": (measured("d", look=look(stain=None)), ("info", "no_stain_vectors", "toy")),
    "some pixels not annotated": (measured("d", {0: 10, 1: 5, 255: 5}), ("info", "unannotated", "toy")),
    "another image size": (measured("d", image_size=(9, 9), mask_size=(9, 9)), ("info", "image_sizes", "toy")),
}


@pytest.mark.parametrize("image, expected", FINDINGS.values(), ids=FINDINGS.keys())
def test_each_problem_is_found_once(image, expected):
    assert kinds(four(image)) == [expected]


def test_an_image_is_blurred_only_below_the_share_of_the_median():
    at_limit = measured("d", look=look(sharpness=BLURRED_SHARE * 5.0))
    assert kinds(four(at_limit, measured("e", look=look(sharpness=9.0)))) == []


def test_scans_of_nearly_one_scale_are_not_mixed():
    assert kinds(four(measured("d", mpp=0.27))) == []


def test_unannotated_image_is_no_empty_mask():
    found = kinds(four(measured("d", {255: 20})))
    assert found == [("warning", "unannotated_image", "toy"), ("info", "unannotated", "toy")]


def test_unannotated_share_is_of_all_pixels():
    (finding,) = inspect(four(measured("d", {1: 10, 255: 10})), DESCRIPTION)
    assert finding.message.startswith("10.0% of the pixels are not annotated")  # 10 of 5 * 20


def test_absent_class_is_named():
    images = [measured(name, {0: 20}) for name in "abcd"]
    object.__setattr__(images[3].row, "group", "b")
    assert kinds(images) == [("warning", "absent_class", "tumour"), ("warning", "empty_mask", "toy")]


def test_empty_masks_are_counted_and_the_first_named():
    empty = [measured(name, {0: 20}) for name in "defgh"]
    (finding,) = inspect(four(*empty), DESCRIPTION)
    assert finding.message.startswith("5 of 9 images (d, e, f, ...) hold background only")


def test_fewer_than_three_groups_are_warned_of():
    images = [measured("a"), measured("b"), measured("c", group="b")]
    assert kinds(images) == [("warning", "few_groups", "toy")]


def test_images_without_group_are_warned_of():
    unknown, few = inspect([measured("a", group=""), measured("b", group=""), measured("c")], DESCRIPTION)
    assert (unknown.severity, unknown.kind, few.kind) == ("warning", "unknown_group", "few_groups")
    assert unknown.message.startswith("2 of 3 images (a, b) have no group; they count as one group")
    assert few.message.startswith("2 groups; expected at least 3")  # those without one, and c


def test_a_dataset_whose_patients_are_not_told_apart_says_so():
    assert kinds([measured(name) for name in "abcd"]) == [("info", "group_per_image", "toy")]


def test_duplicates_are_warned_of_with_both_images_and_groups():
    (finding,) = inspect(four(), DESCRIPTION, duplicates=[pair("b", "c")])
    assert (finding.severity, finding.kind, finding.subject) == ("warning", "duplicate", "b")
    assert finding.message.startswith("same pixels as c, groups 'b' and 'c'; splitting stops if they part")


def test_near_duplicates_matter_only_across_groups():
    near = {"kind": "near", "distance": "7", "change": "mirrored"}
    inside, across = pair("a", "a2", **near), pair("a", "b", **near)
    assert kinds(four(), duplicates=[inside]) == [("info", "near_duplicate", "a")]
    (finding,) = inspect(four(), DESCRIPTION, duplicates=[across])
    assert (finding.severity, finding.kind) == ("warning", "near_duplicate")
    assert finding.message.startswith("nearly the same picture (mirrored, 7 hash bits differ) as b, groups 'case 1'")


def test_equal_blank_tiles_are_no_duplicates():
    assert kinds(four(), duplicates=[pair("a", "b", kind="blank")]) == []
    assert kinds(four(), duplicates=[pair("a", "b")]) == [("warning", "duplicate", "a")]


def test_pairs_with_another_dataset_are_told_to_each_side_and_not_here():
    shared = pair("a", "x") | {"second_dataset": "other"}
    assert kinds(four(), duplicates=[shared]) == []
    assert list(shared_images("other", [shared | {"kind": "blank"}])) == []
    (here,), (there,) = (list(shared_images(name, [shared, pair("a", "b")])) for name in ("toy", "other"))
    assert (here.subject, there.subject) == ("a", "x")
    assert here.message.startswith("same pixels as x of dataset 'other'")
    assert there.message.startswith("same pixels as a of dataset 'toy'")
    assert list(shared_images("third", [shared])) == []


def test_images_that_were_left_out_are_counted():
    rows = [{"source": f"{name}.tif", "message": "is truncated"} for name in "wxyz"]
    (finding,) = inspect(four(), DESCRIPTION, skipped=rows)
    assert (finding.severity, finding.kind) == ("warning", "skipped_image")
    assert "4 (w.tif, x.tif, y.tif, ...)" in finding.message


def test_two_annotators_give_the_ceiling():
    both = [measured(name, agreement=Agreement(*scores)) for name, scores in (("d", (0.8, 0.5)), ("e", (0.9, 0.6)))]
    empty = measured("f", agreement=Agreement(float("nan"), float("nan")))
    (finding,) = inspect(four(*both, empty), DESCRIPTION)
    assert (finding.severity, finding.kind) == ("info", "second_annotator")
    assert "2 images: mean Dice of nucleus pixels 0.850, mean PQ 0.550" in finding.message


def test_a_copied_annotator_is_no_ceiling():
    copied = [measured(name, agreement=Agreement(1.0, 1.0)) for name in "de"]
    assert kinds(four(*copied)) == [("warning", "copied_annotator", "toy")]


def test_dataset_warnings_are_carried_through_and_errors_come_first():
    description = Description("toy", "none", ("background", "tumour"), False, "", "", {}, ("patients unknown",))
    found = inspect(four(measured("d", mask_size=(1, 1))), description)
    assert [finding.severity for finding in found] == ["error", "warning"]
    assert (found[1].kind, found[1].message) == ("dataset", "patients unknown")


def test_missing_nucleus_map_is_an_error_where_the_dataset_has_nuclei():
    description = Description("toy", "none", ("background", "tumour"), True, "", "", {}, ())
    sound = [measured(name, nuclei=nuclei(50), group=group) for name, group in (("b", "b"), ("c", "c"), ("d", "b"))]
    assert kinds([measured("a"), *sound], description) == [("error", "size_conflict", "a")]


def write_dataset(folder: Path, seeds: dict[str, int], skipped: tuple = (), pairs: tuple = ()) -> None:
    """A prepared dataset of 64x64 images, which are the same where their seeds are; two annotators drew one nucleus."""
    rows = []
    for name, seed in seeds.items():
        image = np.random.default_rng(seed).integers(60, 160, (64, 64, 3), np.uint8)
        image[..., 2] = 220
        ids = np.pad(np.ones((9, 9), np.int32), (3, 52))
        write_image(folder / "images" / f"{name}.png", image)
        write_image(folder / "masks" / f"{name}.png", ids.astype(np.uint8))
        for kind, drawn in (("instances", ids), ("second_instances", np.roll(ids, 3, axis=1))):
            write_instances(folder / kind / f"{name}.png", drawn)
        paths = {
            kind.removesuffix("s") if kind in ("images", "masks") else kind: f"{kind}/{name}.png" for kind in KINDS
        }
        rows.append({**paths, "name": name, "height": 64, "width": 64, "mpp": 0.5, "group": name, "stratum": "Colon"})
    empty = dict.fromkeys(INDEX_COLUMNS)
    write_table(folder / "index.csv", INDEX_COLUMNS, [empty | row for row in rows])
    write_table(folder / "skipped.csv", SKIPPED_COLUMNS, skipped)
    write_table(folder / "duplicates.csv", PAIR_COLUMNS, pairs)
    write_json(folder / "dataset.json", vars(DESCRIPTION) | {"has_instances": True})


def run_script(folder: Path) -> subprocess.CompletedProcess:
    flags = [f"--{name}={folder / name}.csv" for name in ("index", "duplicates", "skipped")]
    flags += [f"--dataset={folder / 'dataset.json'}", "--examples=2"]
    flags += [f"--{name}={folder / 'out' / name}.csv" for name in ("findings", "classes", "measures", "nuclei")]
    flags += [f"--{name}={folder / 'out' / name}.png" for name in ("sheet", "sizes", "stains")]
    return subprocess.run([sys.executable, str(SCRIPT), *flags], capture_output=True, text=True, check=False)


def test_script_writes_findings_tables_and_figures(tmp_path):
    write_dataset(tmp_path, {"a": 1, "b": 1, "c": 3}, (("x.tif", "truncated"),), (pair("a", "b"),))
    done = run_script(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: a: same pixels as b, groups 'a' and 'b'" in done.stderr
    out = {path.stem: read_table(path) for path in (tmp_path / "out").glob("*.csv")}
    found = {row["kind"] for row in out["findings"]}
    assert found >= {"duplicate", "skipped_image", "second_annotator", "group_per_image"}
    tumour = out["classes"][1]
    assert (tumour["class"], tumour["pixels"], tumour["nuclei"]) == ("tumour", "243", "3")
    first = out["measures"][0]
    assert (first["name"], first["pixels_1"], first["nuclei_1"], first["mpp"]) == ("a", "81", "1", "0.5")
    assert float(first["second_dice"]) == pytest.approx(6 / 9, abs=1e-4)  # moved by 3 of its 9 columns
    assert float(first["second_pq"]) == 0  # of which 54 of 108 pixels are shared: IoU 0.5 is no pair
    assert out["nuclei"] == [dict(zip(NUCLEUS_COLUMNS, ("tumour", "um2", "19.95", "25.12", "3"), strict=True))]
    assert iio.imread(tmp_path / "out" / "sheet.png").shape[1] == 1800
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"sheet.png", "sizes.png", "stains.png"}


def test_script_stops_at_an_error_after_writing_its_files(tmp_path):
    write_dataset(tmp_path, {"a": 1, "b": 2, "c": 3})
    iio.imwrite(tmp_path / "masks" / "a.png", np.full((64, 64), 7, np.uint8))
    done = run_script(tmp_path)
    assert done.returncode == 1
    assert "findings.csv: 1 error(s) in the dataset" in done.stderr
    assert "a: mask holds 7; expected 0 to 1, or 255 for not annotated" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 7
