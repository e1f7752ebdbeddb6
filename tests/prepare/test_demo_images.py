"""Demo images: the same for a seed, laid out as the real datasets, with a truth that fits what is drawn."""

import json
import subprocess
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from scipy.ndimage import label

from histoloom.colour.stain import tissue_mask
from histoloom.errors import InputError
from histoloom.formats.slides.slide import Slide
from histoloom.prepare.demo.datasets import MARKER, write_brecahad, write_pannuke
from histoloom.prepare.demo.images import HABITS, KINDS, TISSUES, draw_scene, draw_staining
from histoloom.prepare.demo.slides import NAME, write_slide

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_demo_data.py"


def scene(tissue="Breast", seed=0, shape=(256, 256), scale=1.0):
    rng = np.random.default_rng(seed)
    return draw_scene(shape, TISSUES[tissue], draw_staining(rng), scale, rng)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def pannuke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "pannuke"
    write_pannuke(folder, 3, seed=1)
    return folder


@pytest.fixture(scope="module")
def brecahad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "brecahad"
    write_brecahad(folder, 1, seed=1)
    return folder


@pytest.mark.parametrize("tissue", TISSUES)
def test_every_nucleus_has_pixels_of_its_own(tissue):
    drawn = scene(tissue)
    assert set(np.unique(drawn.instances)) == set(range(len(drawn.nuclei) + 1))
    for number, nucleus in enumerate(drawn.nuclei, start=1):
        assert drawn.instances[int(nucleus.row), int(nucleus.column)] == number


def test_nuclei_hold_together():
    drawn = scene()
    parts = [label(drawn.instances == number)[1] for number in range(1, len(drawn.nuclei) + 1)]
    assert np.mean(np.array(parts) == 1) > 0.95


def test_some_nuclei_touch():
    instances = scene("Colon").instances
    left, right = instances[:, :-1], instances[:, 1:]
    assert ((left != right) & (left > 0) & (right > 0)).any()


def test_nuclei_are_as_large_as_their_kind():
    areas = {kind: [] for kind in KINDS}
    for seed in range(4):
        for tissue in TISSUES:
            drawn = scene(tissue, seed)
            sizes = np.bincount(drawn.instances.ravel())[1:]
            for nucleus, size in zip(drawn.nuclei, sizes, strict=True):
                if 25 < nucleus.row < 231 and 25 < nucleus.column < 231:  # whole in the image
                    areas[nucleus.kind].append(size)
    for kind, habit in HABITS.items():
        assert np.sqrt(np.median(areas[kind]) / np.pi) == pytest.approx(habit.radius, rel=0.15)


def test_half_the_scale_halves_nuclei():
    whole, half = scene(shape=(256, 256), scale=1.0), scene(shape=(128, 128), scale=0.5)
    sizes = [np.sqrt(np.median(np.bincount(drawn.instances.ravel())[1:])) for drawn in (whole, half)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.3)


@pytest.mark.parametrize("tissue", TISSUES)
def test_images_are_pink_and_nuclei_dark_and_blue(tissue):
    for seed in range(3):
        drawn = scene(tissue, seed)
        red, green, blue = drawn.image.reshape(-1, 3).mean(axis=0)
        assert 130 < red < 235
        assert green < blue < red + 10
        assert 90 < green < 180
        inside, outside = drawn.image[drawn.instances > 0], drawn.image[drawn.instances == 0]
        assert inside.mean() < outside.mean() - 30
        assert inside[:, 0].mean() - inside[:, 2].mean() < outside[:, 0].mean() - outside[:, 2].mean()


def test_stainings_differ():
    means = np.array([scene("Breast", seed).image.mean(axis=(0, 1)) for seed in range(4)])
    assert means.std(axis=0).min() > 2


def test_no_scene_is_drawn_twice(pannuke):
    images = [np.load(pannuke / f"Fold {fold}/images/fold{fold}/images.npy") for fold in (1, 2, 3)]
    assert len({patch.tobytes() for fold in images for patch in fold}) == 9


def test_pannuke_arrays_are_as_the_official_ones(pannuke):
    for fold in (1, 2, 3):
        images = np.load(pannuke / f"Fold {fold}/images/fold{fold}/images.npy")
        masks = np.load(pannuke / f"Fold {fold}/masks/fold{fold}/masks.npy")
        types = np.load(pannuke / f"Fold {fold}/images/fold{fold}/types.npy")
        assert (images.shape, images.dtype) == ((3, 256, 256, 3), np.float64)
        assert (masks.shape, masks.dtype) == ((3, 256, 256, 6), np.float64)
        assert types.dtype == np.dtype("<U13")
        assert sorted(types) == ["Breast", "Colon", "HeadNeck"]  # spelt as in PanNuke
        assert (images >= 0).all()
        assert (images <= 255).all()
        np.testing.assert_array_equal(images, np.rint(images))
        np.testing.assert_array_equal((masks > 0).sum(axis=-1), 1)  # one class or background for each pixel
        np.testing.assert_array_equal(np.unique(masks[..., 5]), [0, 1])


def test_all_five_kinds_occur_in_pannuke(pannuke):
    masks = np.concatenate([np.load(pannuke / f"Fold {fold}/masks/fold{fold}/masks.npy") for fold in (1, 2, 3)])
    assert (masks.max(axis=(0, 1, 2)) > 0).all()


def test_brecahad_points_lie_on_nuclei_and_are_as_many(brecahad):
    paths = sorted((brecahad / "images").iterdir())
    assert [path.name for path in paths] == [f"Case_{case}-01.tif" for case in range(1, 7)]
    kinds = Counter()
    for path in paths:
        image = iio.imread(path)
        assert (image.shape, image.dtype) == ((256, 340, 3), np.uint8)
        points = json.loads((brecahad / "groundTruth" / f"{path.stem}.json").read_text())
        assert list(points) == ["mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor", "lumen", "non_lumen"]
        for kind, places in points.items():
            kinds[kind] += len(places)
            for place in places:
                assert 0 <= place["x"] <= 1
                assert 0 <= place["y"] <= 1
        places = [(int(place["y"] * 256), int(place["x"] * 340)) for place in points["tumor"]]
        at_points = np.mean([image[place].mean() for place in places])
        assert at_points < image.mean() - 10
    assert kinds["tumor"] > kinds["non_tumor"] > kinds["apoptosis"] > 0


def test_points_are_the_nuclei_of_the_scene(brecahad):
    from histoloom.prepare.demo.datasets import FIELD_PX, FIELD_SCALE, FIELD_TISSUE

    staining = draw_staining(np.random.default_rng((1, 2, 3)))
    drawn = draw_scene(FIELD_PX, FIELD_TISSUE, staining, FIELD_SCALE, np.random.default_rng((1, 2, 3, 1)))
    np.testing.assert_array_equal(iio.imread(brecahad / "images" / "Case_3-01.tif"), drawn.image)
    points = json.loads((brecahad / "groundTruth" / "Case_3-01.json").read_text())
    assert sum(map(len, points.values())) == len(np.unique(drawn.instances)) - 1
    ids = [drawn.instances[int(p["y"] * 256), int(p["x"] * 340)] for places in points.values() for p in places]
    assert sorted(ids) == list(range(1, len(drawn.nuclei) + 1))


def test_the_script_makes_the_same_bytes_again(tmp_path, pannuke, brecahad):
    flags = ["--pannuke", tmp_path / "p", "--brecahad", tmp_path / "b", "--slides", tmp_path / "s", "--seed", "1"]
    counts = ["--patches-per-fold", "3", "--images-per-case", "1"]
    subprocess.run([sys.executable, SCRIPT, *flags, *counts], check=True)
    assert files(tmp_path / "p") == files(pannuke)
    assert files(tmp_path / "b") == files(brecahad)
    write_slide(tmp_path / "again", 1)
    assert files(tmp_path / "s") == files(tmp_path / "again")


def test_the_slide_is_one_of_a_scanner_with_tissue_on_glass(tmp_path):
    write_slide(tmp_path / "slides", 1)
    with Slide(tmp_path / "slides" / NAME) as slide:
        assert (slide.width, slide.height, slide.mpp) == (1280, 1024, 0.25)
        assert [(level.width, level.height) for level in slide.levels] == [(1280, 1024), (640, 512)]
        tissue = tissue_mask(slide.read(0, 0, 1280, 1024))
    assert tissue[192:832, 192:1088].mean() > 0.5
    assert not tissue[:190].any()


def test_demo_data_is_replaced_whole_and_another_seed_gives_other_images(tmp_path):
    write_pannuke(tmp_path, 2, seed=1)
    first = files(tmp_path)
    write_pannuke(tmp_path, 1, seed=2)
    assert files(tmp_path).keys() == first.keys()
    for fold in (1, 2, 3):
        old = np.load(BytesIO(first[Path(f"Fold {fold}/images/fold{fold}/images.npy")]))
        new = np.load(tmp_path / f"Fold {fold}/images/fold{fold}/images.npy")
        assert (len(old), len(new)) == (2, 1)
        assert (old[0] != new[0]).mean() > 0.5


@pytest.mark.parametrize("write", [write_pannuke, write_brecahad])
def test_foreign_data_is_never_replaced(tmp_path, write):
    (tmp_path / "real.npy").write_text("precious")
    with pytest.raises(InputError, match=f"expected a new or empty folder, or one with {MARKER}"):
        write(tmp_path, 1, 0)
    assert (tmp_path / "real.npy").read_text() == "precious"
