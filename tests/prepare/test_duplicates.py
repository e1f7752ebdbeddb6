"""Duplicates: copies are found flipped, turned, recoloured and compressed; different tissue is not."""

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from histoloom.errors import InputError
from histoloom.files import digest_of, write_json, write_table
from histoloom.formats.images import read_image, write_image
from histoloom.prepare.duplicates import search as duplicates
from histoloom.prepare.duplicates.fingerprints import CHANGES, change_between, changed, changed_signs, fingerprint
from histoloom.prepare.duplicates.pairs import DUPLICATE_COLUMNS
from histoloom.prepare.duplicates.search import Picture, find_duplicates, near_pairs
from histoloom.prepared import INDEX_COLUMNS, IndexRow

SCRIPT = Path(__file__).parents[2] / "scripts" / "find_duplicates.py"
REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real samples are not at {REAL}")


def tissue(seed, height=256, width=256):
    """Dark round nuclei on pink, no two alike."""
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), (225, 160, 200), np.uint8)
    for _ in range(60):
        centre = (int(random.integers(width)), int(random.integers(height)))
        colour = tuple(int(value) for value in (random.integers(80, 130), 60, 140))
        cv2.circle(image, centre, int(random.integers(5, 14)), colour, -1)
    return np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def brighter(image, factor):
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def hue(image, share):
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + round(share * 180)) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def moved(image, pixels, scale=1.0):
    """Shifted right and down by `pixels`, enlarged about the centre."""
    height, width = image.shape[:2]
    map_to = np.array(
        [[scale, 0, pixels + (1 - scale) * width / 2], [0, scale, pixels + (1 - scale) * height / 2]], np.float32
    )
    return cv2.warpAffine(image, map_to, (width, height), borderMode=cv2.BORDER_REFLECT)


ALTERED = {
    "jpeg 90": lambda image: jpeg(image, 90),
    "jpeg 50": lambda image: jpeg(image, 50),
    "brighter": lambda image: brighter(image, 1.1),
    "darker": lambda image: brighter(image, 0.9),
    "hue up": lambda image: hue(image, 0.1),
    "hue down": lambda image: hue(image, -0.1),
    "shifted": lambda image: moved(image, 2),
    "enlarged": lambda image: moved(image, 0, 1.03),
    "all": lambda image: jpeg(hue(brighter(moved(image, 2, 1.03), 1.1), 0.1), 50),
}


def flipped_by_index(image, change):
    """The eight changes spelled out, with no flip or rotation function: where each pixel of the result comes from."""
    mirrored = [line[::-1] for line in image] if change >= 4 else [list(line) for line in image]
    for _ in range(change % 4):
        height, width = len(mirrored), len(mirrored[0])
        mirrored = [[mirrored[row][width - 1 - column] for row in range(height)] for column in range(width)]
    return np.array(mirrored)


@pytest.mark.parametrize("change", range(8))
def test_changes_are_mirrors_and_quarter_turns(change):
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(changed(image, change), flipped_by_index(image, change))
    assert change_between(image, np.ascontiguousarray(changed(image, change))) == change


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (64, 64, 3)), st.integers(0, 7))
def test_the_digest_is_the_same_for_all_eight_changes(image, change):
    assert fingerprint(np.ascontiguousarray(changed(image, change))).digest == fingerprint(image).digest


@pytest.mark.parametrize("change", range(8))
@pytest.mark.parametrize("size", [(256, 256), (96, 200)])
def test_the_changed_hash_is_the_hash_of_the_changed_image(size, change):
    image = tissue(1, *size)
    direct = fingerprint(np.ascontiguousarray(changed(image, change))).signs
    assert (changed_signs(fingerprint(image).signs[None], change)[0] != direct).sum() <= 2  # of 256: rounding


def one_bits(signs):
    return "".join("1" if sign > 0 else "0" for sign in signs.ravel()[1:])


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("change", [0, 3, 6])
def test_an_altered_copy_is_found_with_its_change_and_its_distance(name, change):
    original, others = tissue(2), [tissue(seed) for seed in range(3, 8)]
    copy = ALTERED[name](np.ascontiguousarray(changed(original, change)))
    marks = [fingerprint(image) for image in (original, copy, *others)]
    ((first, second, distance, found),) = near_pairs(marks)
    assert (first, second, CHANGES[found]) == (0, 1, CHANGES[change])
    turned = one_bits(changed_signs(marks[0].signs[None], change)[0])
    assert distance == sum(one != other for one, other in zip(turned, one_bits(marks[1].signs), strict=True))


def test_different_tissue_is_not_alike():
    assert near_pairs([fingerprint(tissue(seed)) for seed in range(60)]) == []


def test_crops_that_overlap_by_half_are_not_found():
    wide = tissue(4, 256, 384)
    crops = [np.ascontiguousarray(wide[:, left : left + 256]) for left in (0, 128)]
    assert near_pairs([fingerprint(crop) for crop in crops]) == []


def pictures(folder, images, dataset="toy"):
    found = []
    for name, image in images.items():
        path = folder / dataset / f"{name}.png"
        write_image(path, image)
        height, width = image.shape[:2]
        sha = digest_of(image.tobytes())
        row = IndexRow(name, path, path, None, height, width, None, name, "", None, f"{name}.tif", sha)
        found.append(Picture(dataset, row))
    return found


def found_in(folder, images):
    pairs = find_duplicates(pictures(folder, images))
    return [(pair.first, pair.second, pair.kind, pair.change) for pair in pairs]


def test_identical_and_near_pairs_are_told_apart(tmp_path):
    image = tissue(5)
    images = {
        "a": image,
        "b": tissue(6),
        "c": np.ascontiguousarray(image[:, ::-1]),
        "d": jpeg(image, 70),
        "e": image.copy(),
        "f": np.ascontiguousarray(image[::-1]),
    }
    assert found_in(tmp_path, images) == [
        ("a", "c", "identical", "mirrored"),
        ("a", "d", "near", "none"),
        ("a", "e", "identical", "none"),
        ("a", "f", "identical", "mirrored and turned 180 degrees"),
    ]


def test_one_changed_pixel_makes_a_copy_near_and_not_identical(tmp_path):
    image = tissue(7)
    other = image.copy()
    other[3, 4] = 255 - other[3, 4]
    swapped = image.copy()  # as many pixels of each colour as before, in other places
    swapped[0, 0], swapped[9, 9] = image[9, 9], image[0, 0]
    assert (image[0, 0] != image[9, 9]).any()
    kinds = found_in(tmp_path, {"a": image, "b": other, "c": swapped})
    assert kinds == [("a", "b", "near", "none"), ("a", "c", "near", "none"), ("b", "c", "near", "none")]


def test_turned_oblong_images_are_identical(tmp_path):
    image = tissue(8, 120, 200)
    images = {"a": image, "b": np.ascontiguousarray(np.rot90(image, 3))}
    assert found_in(tmp_path, images) == [("a", "b", "identical", "turned 270 degrees")]


def test_blank_tiles_are_not_near_each_other_and_only_equal_ones_are_told(tmp_path):
    # Glass seen through one lens: the same faint specks (SD 3) in every tile, and noise that differs.
    random = np.random.default_rng(0)
    specks = cv2.GaussianBlur(random.normal(0, 1, (256, 256)), (0, 0), 8)[..., None]
    glass = 238 + 3 * specks / specks.std()
    images = {f"n{n}": (glass + random.normal(0, 1, (256, 256, 3))).astype(np.uint8) for n in range(6)}
    images |= {name: np.full((256, 256, 3), 240, np.uint8) for name in "ab"}
    assert found_in(tmp_path, images) == [("a", "b", "blank", "none")]


def test_uniform_tissue_is_no_blank_picture(tmp_path):
    """Pink of one colour may be a copy, glass and black padding may not; neither has a near one."""
    colours = {"pink": (200, 120, 160), "glass": (243, 241, 244), "padding": (0, 0, 0)}
    images = {f"{name}{n}": np.full((64, 64, 3), colour, np.uint8) for name, colour in colours.items() for n in "12"}
    kinds = {first: kind for first, _, kind, _ in found_in(tmp_path, images)}
    assert kinds == {"pink1": "identical", "glass1": "blank", "padding1": "blank"}
    grey = cv2.cvtColor(cv2.cvtColor(tissue(5), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)  # no colour, so no tissue
    assert found_in(tmp_path / "grey", {"a": grey, "b": grey}) == [("a", "b", "identical", "none")]


def test_the_order_of_the_pictures_changes_nothing(tmp_path):
    image = tissue(9)
    altered = {f"x{n}": ALTERED[name](image) for n, name in enumerate(("jpeg 50", "shifted", "hue up"))}
    given = pictures(tmp_path, altered) + pictures(tmp_path, {"a": image, "b": tissue(10)}, "other")
    pairs = find_duplicates(given)
    assert len(pairs) == 6  # all of four
    assert find_duplicates(given[::-1]) == pairs
    assert {(pair.first_dataset, pair.second_dataset) for pair in pairs} == {("other", "toy"), ("toy", "toy")}


def test_pairs_do_not_hang_on_the_size_of_blocks(monkeypatch):
    marks = [fingerprint(jpeg(tissue(seed // 2), 60 + 30 * (seed % 2))) for seed in range(14)]
    whole = near_pairs(marks)
    assert [pair[:2] for pair in whole] == [(2 * n, 2 * n + 1) for n in range(7)]
    monkeypatch.setattr(duplicates, "BLOCK", 3)
    assert near_pairs(marks) == whole


def test_a_flood_of_copies_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_CANDIDATES", 20)
    with pytest.raises(InputError, match="more than 20 pairs of images look alike; expected a dataset of different"):
        near_pairs([fingerprint(jpeg(tissue(11), quality)) for quality in range(80, 90)])
    copies = pictures(tmp_path, {f"q{quality}": jpeg(tissue(11), quality) for quality in range(80, 90)}, "lab")
    with pytest.raises(InputError, match=r"^dataset lab: more than 20 pairs"):
        find_duplicates(copies)
    with pytest.raises(InputError, match=r"^datasets lab, other: more than 20 pairs"):
        find_duplicates(copies + pictures(tmp_path, {"a": tissue(12)}, "other"))


def test_no_picture_and_one_picture_have_no_pair(tmp_path):
    assert find_duplicates([]) == []
    assert found_in(tmp_path, {"a": tissue(1)}) == []


def real_tiles():
    return [read_image(path) for path in sorted((REAL / "consep_patches" / "images").glob("*.jpg"))]


@needs_real
def test_real_patches_give_no_false_alarm_and_their_copies_are_found():
    tiles = real_tiles()
    marks = [fingerprint(tile) for tile in tiles]
    assert len(marks) == 192
    telling = [place for place, mark in enumerate(marks) if not mark.is_blank]
    assert len(telling) >= 189
    assert near_pairs([marks[place] for place in telling]) == []
    random = np.random.default_rng(1)
    for name, alter in ALTERED.items():
        chosen = random.choice(telling, 60, replace=False)
        copies = [
            alter(np.ascontiguousarray(changed(tiles[place], int(change))))
            for place, change in zip(chosen, random.integers(8, size=60), strict=True)
        ]
        pairs = near_pairs([*(marks[place] for place in chosen), *map(fingerprint, copies)])
        assert {second - first for first, second, _, _ in pairs} == {60}, name
        assert len(pairs) >= 0.97 * 60, name


@needs_real
def test_real_fields_of_one_case_are_not_near_duplicates():
    fields = [read_image(path) for path in sorted((REAL / "brecahad" / "images").iterdir())]
    assert len(fields) == 22
    assert near_pairs([fingerprint(field) for field in fields]) == []


def prepared(folder, name, images):
    rows = []
    for picture in pictures(folder / name / "prepared", images, "images"):
        values = dict.fromkeys(INDEX_COLUMNS, "") | {"name": picture.row.name, "sha256": picture.row.sha256}
        values |= {"image": f"images/{picture.row.name}.png", "mask": "m.png"}
        rows.append(values | {"height": picture.row.height, "width": picture.row.width})
    write_table(folder / name / "prepared" / "index.csv", INDEX_COLUMNS, rows)
    known = {"name": name, "reader": "toy", "classes": ["background"], "has_instances": False}
    description = {**known, "licence": "", "citation": "", "facts": {}, "warnings": []}
    write_json(folder / name / "prepared" / "dataset.json", description)
    return folder / name / "prepared" / "index.csv"


def test_the_script_compares_datasets_with_each_other(tmp_path):
    image = tissue(12)
    one = prepared(tmp_path, "one", {"a": image, "b": tissue(13)})
    two = prepared(tmp_path, "two", {"a": np.ascontiguousarray(np.rot90(image)), "c": jpeg(image, 60)})
    command = [sys.executable, SCRIPT, "--index", one, two, "--duplicates", tmp_path / "duplicates.csv"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "duplicates: 4 of 4 images" in done.stderr
    with (tmp_path / "duplicates.csv").open(newline="") as file:
        first, *found = csv.reader(file)
    assert tuple(first) == DUPLICATE_COLUMNS
    assert found[0] == ["one", "a", "two", "a", "identical", "0", "turned 90 degrees"]
    assert (found[1][:5], found[1][6], len(found)) == (["one", "a", "two", "c", "near"], "none", 2)
    assert 0 <= int(found[1][5]) <= duplicates.MAX_DISTANCE


def test_the_script_names_an_unreadable_image(tmp_path):
    index = prepared(tmp_path, "one", {"a": tissue(1)})
    (index.parent / "images" / "a.png").write_bytes(b"<html>")
    command = [sys.executable, SCRIPT, "--index", index, "--duplicates", tmp_path / "duplicates.csv"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a.png" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "duplicates.csv").exists()
