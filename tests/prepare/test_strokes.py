"""Strokes drawn on dense masks: they keep the truth, reach the share that is asked for and touch every class."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import binary_dilation, label

from histoloom.datasets.folder import folder
from histoloom.errors import InputError
from histoloom.prepare.strokes import drawn_strokes, image_rng
from histoloom.prepared import INDEX_COLUMNS
from tests.scripts_run import outcome

SCRIPT = str(Path(__file__).parents[2] / "scripts" / "draw_strokes.py")
IGNORE = 255


def cells(side: int = 200) -> np.ndarray:
    """Discs of two classes on background: radius 12 px at every 40 px, classes by turns."""
    mask = np.zeros((side, side), np.uint8)
    for number, centre in enumerate((row, column) for row in range(20, side, 40) for column in range(20, side, 40)):
        cv2.circle(mask, centre[::-1], 12, 1 + number % 2, -1)
    return mask


def strokes(mask, share, seed=0, **pen):
    return drawn_strokes(mask, share, np.random.default_rng(seed), **pen)


def largest_stroke(width: int, length: int) -> int:
    # A way of n pixels advances by n - 1 at most; a pen swept along it covers no more than this rectangle and its ends.
    return (length + width) * (width + 1)


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0.005, 0.2), width=st.sampled_from([1, 3, 5, 7]), seed=st.integers(0, 2**32))
def test_strokes_keep_their_true_class_and_reach_the_share(share, width, seed):
    mask = cells()
    drawn = strokes(mask, share, seed, width_px=width, length_px=60)
    seen = drawn != IGNORE
    assert (drawn[seen] == mask[seen]).all()
    assert set(np.unique(drawn[seen])) == {0, 1, 2}
    # With little to draw each class has its turn all the same.
    assert share * mask.size <= seen.sum() <= share * mask.size + 3 * largest_stroke(width, 60)


def test_the_share_is_met_within_one_stroke():
    mask = cells()
    for share in (0.05, 0.2):
        seen = (strokes(mask, share) != IGNORE).sum()
        assert share * mask.size <= seen < share * mask.size + largest_stroke(5, 100)


def test_the_pen_stays_half_its_width_from_other_classes():
    mask = cells()
    drawn = strokes(mask, 0.05, width_px=7)
    disc = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3.5
    for index in (0, 1, 2):
        # Opening by the pen changes nothing: all that is drawn is covered by discs that lie within the class.
        room = cv2.erode((mask == index).astype(np.uint8), disc.astype(np.uint8), borderValue=1)
        assert (binary_dilation(room, disc) | (drawn != index)).all()
        assert (room & (drawn == index)).any()


def test_a_stroke_is_a_line_of_the_pens_width():
    plain = np.zeros((300, 300), np.uint8)
    drawn = strokes(plain, 1e-9, width_px=5, length_px=100)
    assert (drawn == 0).sum() == 21  # one point of the pen: 5 x 5 pixels without the corners
    drawn = strokes(plain, 100 * 5 / plain.size, seed=1, width_px=5, length_px=100)
    parts, count = label(drawn == 0)
    line = parts == np.bincount(parts.flat)[1:].argmax() + 1
    assert count <= 2  # where the first one leaves the image, a second one follows
    assert 80 * 5 < line.sum() < largest_stroke(5, 100)
    rows, columns = np.nonzero(line)
    assert np.hypot(np.ptp(rows), np.ptp(columns)) > 40  # it goes somewhere
    depth = cv2.distanceTransform(line.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert 2.5 <= depth.max() <= 4  # and is a line all along, no blot


def test_a_class_thinner_than_the_pen_is_marked_where_it_is_widest():
    mask = np.zeros((100, 100), np.uint8)
    mask[50] = 1
    mask[49:52, 70:73] = 1
    drawn = strokes(mask, 0.02, width_px=5)
    assert (drawn == 1).any()
    assert (drawn[71, 71] == 1) or set(np.nonzero(drawn == 1)[1]) <= set(range(67, 76))
    assert (mask[drawn == 1] == 1).all()


def test_what_nobody_annotated_is_never_drawn():
    mask = cells()
    mask[:, 100:] = IGNORE
    drawn = strokes(mask, 0.1)
    assert (drawn[:, 100:] == IGNORE).all()
    seen = (drawn != IGNORE).sum()
    assert 0.1 * mask.size / 2 <= seen < 0.1 * mask.size / 2 + largest_stroke(5, 100)
    assert (strokes(np.full((20, 20), IGNORE, np.uint8), 0.1) == IGNORE).all()


def test_drawing_ends_where_the_pen_fits_no_more():
    drawn = strokes(np.zeros((40, 40), np.uint8), 1.0, width_px=5)
    assert (drawn == 0).mean() > 0.95
    mask = cells(80)
    assert 0.8 < (strokes(mask, 1.0, width_px=5) == mask).mean() < 1  # the edges of discs stay out of the pen's reach


def test_the_same_seed_and_name_draw_the_same():
    mask = cells()
    first, again, other = (drawn_strokes(mask, 0.05, image_rng(3, name)) for name in ("a", "a", "b"))
    assert (first == again).all()
    assert (first != other).any()
    assert (first != drawn_strokes(mask, 0.05, image_rng(4, "a"))).any()


@pytest.mark.parametrize(
    "share, pen, message",
    [
        (0.0, {}, "share: 0.0; expected more than 0"),
        (1.5, {}, "share: 1.5; expected more than 0"),
        (0.1, {"width_px": 4}, "width_px: 4; expected an odd number"),
        (0.1, {"length_px": 0}, "length_px: 0; expected a number of pixels"),
    ],
)
def test_settings_that_make_no_sense_are_refused(share, pen, message):
    with pytest.raises(InputError, match=message):
        strokes(cells(), share, **pen)


def prepared(root: Path) -> list[str]:
    """A prepared dataset of three images; the words that name it to the script."""
    rows = []
    for number, name in enumerate("abc"):
        for kind, pixels in (("images", np.full((200, 200, 3), 99, np.uint8)), ("masks", cells())):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / kind / f"{name}.png")
        cell = {"name": name, "image": f"images/{name}.png", "mask": f"masks/{name}.png", "height": 200, "width": 200}
        rows.append(dict.fromkeys(INDEX_COLUMNS, "") | cell | {"mpp": 0.25, "group": f"case{number}"})
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, INDEX_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (root / "list.csv").write_text("name,part\na,train\nb,val\nc,test\n")
    return ["--index", str(root / "index.csv"), "--list", str(root / "list.csv")]


def test_the_script_writes_what_the_folder_reader_reads_with_dense_test_images(tmp_path):
    words = [SCRIPT, *prepared(tmp_path / "dense"), "--dense", "test", "--share", "0.05", "--width-px", "5"]
    assert outcome([*words, "--length-px", "100", "--seed", "1", "--root", str(tmp_path / "drawn")]) == "done"
    codes = ["background=0", "tumour=1", "stroma=2", "ignore=255"]
    dataset = folder(tmp_path / "drawn", classes=codes, index="index.csv")
    assert dataset.problems == ()
    samples = {sample.name: sample for sample in dataset}
    assert [(name, samples[name].group, samples[name].mpp) for name in "abc"] == [
        ("a", "case0", 0.25),
        ("b", "case1", 0.25),
        ("c", "case2", 0.25),
    ]
    assert (samples["c"].mask == cells()).all()
    for name in "ab":
        seen = samples[name].mask != IGNORE
        assert 0.05 <= seen.mean() < 0.1
        assert (samples[name].mask[seen] == cells()[seen]).all()
        assert (samples[name].image == 99).all()
    assert (samples["a"].mask != samples["b"].mask).any()
    assert (tmp_path / "drawn" / "parts.csv").read_text().split() == ["name,part", "a,train", "b,val", "c,test"]
