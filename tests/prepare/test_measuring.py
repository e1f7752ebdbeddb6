"""What is counted in one image, against counts by hand and images blurred on purpose."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from histoloom.formats.images import read_image, write_image, write_instances
from histoloom.prepare.inspection.findings import BLURRED_SHARE
from histoloom.prepare.inspection.measure_tables import (
    NUCLEUS_COLUMNS,
    area_edges,
    binned,
    class_table,
    measure_columns,
    measure_table,
    nucleus_areas,
    nucleus_table,
)
from histoloom.prepare.inspection.measuring import (
    Agreement,
    Look,
    Measured,
    Nuclei,
    agreement_of,
    look_of,
    measure,
    nuclei_of,
)
from histoloom.prepared import IndexRow

STAINED = (150, 80, 160)
SAMPLES = Path(__file__).parents[3] / "shared" / "data"
SHARP_SAMPLES = ("brecahad/images/*.jpg", "consep_patches/images/*.jpg", "hou2020/**/*crop.png", "oscc_tumour/images/*")


def measured(*, nuclei: Nuclei | None = None, mpp: float | None = None, **pixels: int) -> Measured:
    path = Path("a.png")
    row = IndexRow("a", path, path, None, 4, 5, mpp, "case", "Colon", None, "", "")
    counts = np.zeros(256, np.int64)
    for value, count in pixels.items():
        counts[int(value[1:])] = count
    return Measured(row, (4, 5), (4, 5), counts, Look(0.5), nuclei)


def nuclei(**areas: list[int]) -> Nuclei:
    pairs = [(int(value[1:]), area) for value, its in areas.items() for area in its]
    classes, sizes = zip(*pairs, strict=True)
    return Nuclei(np.array(classes, np.int64), np.array(sizes, np.int64))


def tissue(seed: int = 0, size: int = 128) -> np.ndarray:
    """Stained ground with dark nuclei, one of them 10 px wide, and the grain of a camera."""
    generator = np.random.default_rng(seed)
    image = np.full((size, size, 3), (190, 130, 180), np.uint8)
    for row, column in generator.integers(5, size - 5, (40, 2)):
        cv2.circle(image, (int(column), int(row)), 5, (90, 60, 140), -1)
    return np.clip(image + generator.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def test_measure_reads_what_is_on_disk(tmp_path):
    mask = np.array([[0, 1], [1, 255]], np.uint8)
    write_image(tmp_path / "image.png", np.full((2, 2, 3), STAINED, np.uint8))
    write_image(tmp_path / "mask.png", mask)
    row = IndexRow("a", tmp_path / "image.png", tmp_path / "mask.png", None, 2, 2, None, "", "", None, "", "")
    found = measure(row)
    assert (found.pixels[0], found.pixels[1], found.pixels[255]) == (1, 2, 1)
    assert (found.annotated, found.foreground, found.look.tissue_share) == (3, 2, 1.0)
    assert found.look.mean.tolist() == list(STAINED)
    assert found.look.sd.tolist() == [0, 0, 0]
    assert (found.look.sharpness, found.look.stain, found.nuclei, found.agreement) == (None, None, None, None)


def test_measure_compares_two_annotators_where_their_maps_fit(tmp_path):
    paths = {name: tmp_path / f"{name}.png" for name in ("image", "mask", "first", "second", "other_size")}
    write_image(paths["image"], np.full((4, 6, 3), STAINED, np.uint8))
    first, second = np.zeros((4, 6), np.int32), np.zeros((4, 6), np.int32)
    first[:2, :4], second[:2, 1:4] = 1, 9
    write_image(paths["mask"], (first > 0).astype(np.uint8))
    write_instances(paths["first"], first)
    write_instances(paths["second"], second)
    write_instances(paths["other_size"], second[:3])

    def agreement(name: str) -> Agreement | None:
        fixed = (paths["image"], paths["mask"], paths["first"], 4, 6, None, "", "", None, "", "")
        return measure(IndexRow("a", *fixed, second_instances=paths[name])).agreement

    assert agreement("second") == Agreement(dice=2 * 6 / (8 + 6), pq=6 / 8)
    assert agreement("other_size") is None


def test_agreement_is_symmetric_and_leaves_out_what_is_not_annotated():
    first, second = np.zeros((6, 12), np.int32), np.zeros((6, 12), np.int32)
    first[:3, :4], second[:3, :3] = 1, 4  # 12 and 9 pixels, IoU 9/12
    first[4:, 6:8] = 2  # only the first annotator drew it
    annotated = np.ones((6, 12), bool)
    one, other = agreement_of(first, second, annotated), agreement_of(second, first, annotated)
    assert one == other
    assert (one.dice, one.pq) == pytest.approx((2 * 9 / (16 + 9), 0.75 / 1.5))
    annotated[4:] = False
    found = agreement_of(first, second, annotated)
    assert (found.dice, found.pq) == pytest.approx((2 * 9 / 21, 0.75))


def test_two_empty_maps_have_no_agreement_to_tell():
    empty = np.zeros((3, 3), np.int32)
    found = agreement_of(empty, empty, np.ones((3, 3), bool))
    assert np.isnan(found.dice) and np.isnan(found.pq)


def test_nucleus_counts_for_the_class_of_most_of_its_pixels():
    mask = np.array([[1, 1, 2, 0], [2, 2, 2, 0]], np.uint8)
    instances = np.array([[5, 5, 5, 0], [90_000, 90_000, 0, 7]], np.int32)
    found = nuclei_of(mask, instances)
    assert found.classes.tolist() == [1, 0, 2]
    assert found.areas_px.tolist() == [3, 1, 2]
    assert found.by_class[:3].tolist() == [1, 1, 1]


def test_image_without_nuclei_counts_none():
    assert nuclei_of(np.ones((2, 2), np.uint8), np.zeros((2, 2), np.int32)).by_class.sum() == 0


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_image_without_colour_is_blank(grey):
    look = look_of(np.full((50, 50, 3), grey, np.uint8))
    assert look.is_blank and look == Look(0.0)


def test_image_with_two_percent_of_stained_pixels_is_not_blank():
    image = np.full((50, 50, 3), 245, np.uint8)
    image[0] = STAINED
    assert not look_of(image).is_blank
    image[0, 20:] = 245  # 20 of 2,500 pixels are left, 0.8 %
    assert look_of(image).is_blank


def test_colour_and_spread_are_of_tissue_alone():
    image = np.full((50, 50, 3), 245, np.uint8)
    image[:10], image[10:20] = (150, 80, 160), (130, 60, 140)
    look = look_of(image)
    assert look.tissue_share == 0.4
    assert look.mean == pytest.approx([140, 70, 150]) and look.sd == pytest.approx([10, 10, 10])


@pytest.mark.parametrize("sigma_px", [2, 3])
def test_a_blurred_copy_is_less_sharp_than_the_limit_and_a_paler_one_is_not(sigma_px):
    image = tissue()
    sharp = look_of(image).sharpness
    assert look_of(cv2.GaussianBlur(image, (0, 0), sigma_px)).sharpness < BLURRED_SHARE * sharp
    paler = np.clip(image * 0.7 + 20, 0, 255).astype(np.uint8)
    assert look_of(paler).sharpness == pytest.approx(sharp, rel=0.1)


@pytest.mark.parametrize("pattern", SHARP_SAMPLES)
def test_real_images_are_sharp_and_their_blurred_copies_are_not(pattern):
    paths = sorted(SAMPLES.glob(pattern))[:40:4]
    if not paths:
        pytest.skip(f"{SAMPLES / pattern} is absent")
    images = [read_image(path)[:512, :512] for path in paths]
    looks = [look_of(image) for image in images]
    known = [look.sharpness for look in looks if not look.is_blank]
    limit = BLURRED_SHARE * np.median(known)
    assert min(known) > limit
    blurred = [look_of(cv2.GaussianBlur(image, (0, 0), 3)).sharpness for image in images]
    assert max(value for value in blurred if value is not None) < limit


def test_class_table_shares_sum_to_one_of_the_annotated_pixels():
    first = measured(v0=6, v1=4, v255=10, nuclei=nuclei(v1=[2, 2]))
    assert class_table([first, measured(v0=20)], ("background", "tumour")) == [
        {"class": "background", "images": 2, "pixels": 26, "pixel_share": "0.866667", "nuclei": 0},
        {"class": "tumour", "images": 1, "pixels": 4, "pixel_share": "0.133333", "nuclei": 2},
    ]


def test_class_table_leaves_nuclei_empty_where_there_are_none_to_count():
    assert class_table([measured(v0=3)], ("background", "tumour"))[1]["nuclei"] is None


def test_table_of_images_has_a_column_for_each_class_and_is_empty_where_nothing_is_known():
    (row,) = measure_table([measured(v0=6, v2=4, v255=10)], 3)
    assert tuple(row) == measure_columns(3)
    assert [row[f"pixels_{index}"] for index in range(3)] == [6, 0, 4]
    assert (row["annotated_px"], row["tissue_share"], row["height"], row["width"]) == (10, "0.5", 4, 5)
    empty = ("mpp", "nuclei_0", "nuclei_2", "sharpness", "haematoxylin_r", "eosin_b", "mean_r", "sd_b", "second_pq")
    assert all(row[column] is None for column in empty)


def test_areas_are_in_micrometres_only_where_every_mpp_is_known():
    one, other = measured(nuclei=nuclei(v1=[100]), mpp=0.5), measured(nuclei=nuclei(v1=[4], v2=[8]))
    unit, areas = nucleus_areas([one], 3)
    assert (unit, [its.tolist() for its in areas]) == ("um2", [[], [25.0], []])
    unit, areas = nucleus_areas([one, other], 3)
    assert (unit, [its.tolist() for its in areas]) == ("px2", [[], [100.0, 4.0], [8.0]])


def test_every_nucleus_is_in_one_bin():
    areas = [np.array([1.0, 10.0, 99.0, 1000.0, 1258.925, 50_000.0]), np.zeros(0), 10 ** (np.arange(60) / 10)]
    edges = area_edges(areas)
    assert [binned(its, edges).sum() for its in areas] == [6, 0, 60]


def test_table_of_nuclei_leaves_empty_bins_out():
    image = measured(nuclei=nuclei(v1=[11, 12, 700]), v0=1)
    rows = list(nucleus_table([image], ("background", "tumour")))
    assert rows == [("tumour", "px2", "10", "12.59", 2), ("tumour", "px2", "631", "794.3", 1)]
    assert len(NUCLEUS_COLUMNS) == 5
    assert list(nucleus_table([measured(v0=1)], ("background", "tumour"))) == []
