"""The script that finds tissue: its mask and facts fit the slide, and what a slide lacks is named."""

import json

import numpy as np
import pytest

from histoloom.formats.images import read_mask, write_image
from histoloom.formats.slides.slide import Slide
from histoloom.slides.thumbnail import downsample_to, near_downsample, thumbnail
from tests.scripts_run import outcome
from tests.slides.made_slides import MadeTissue, write_pyramid

HEIGHT, WIDTH = 900, 1215  # no multiples of 16
MADE = MadeTissue(HEIGHT, WIDTH)
FLAGS = {"tissue-mpp": 8, "closing-um": 0, "hole-um2": 1e5, "piece-um2": 1e4, "margin-um": 0}


def slide(folder, rows=MADE.rows, name="a.tif", mpp=0.5, **options):
    return write_pyramid(folder / name, rows, HEIGHT, WIDTH, mpp=mpp, compression="deflate", **options)


def run_script(path, name="Slide 1", **more):
    folder = path.parent
    flags = FLAGS | {"slide": path, "name": name, "tissue": folder / "tissue.png", "slide-json": folder / "slide.json"}
    flags |= {key.replace("_", "-"): value for key, value in more.items()}
    return outcome(["scripts/find_tissue.py", *(str(word) for key, v in flags.items() for word in (f"--{key}", v))])


def facts_of(path):
    return json.loads((path.parent / "slide.json").read_text(encoding="utf-8"))


def glass(first, last):
    return np.full((last - first, WIDTH, 3), 244, np.uint8)


def test_mask_and_facts_fit_the_slide(tmp_path):
    path = slide(tmp_path, name="it's [1] é.tif", levels=2)
    assert run_script(path, name='Präparat "7"\n') == "done"
    facts, tissue = facts_of(path), read_mask(tmp_path / "tissue.png")
    assert (facts["name"], facts["slide"]) == ('Präparat "7"\n', "it's [1] é.tif")
    assert (facts["width"], facts["height"], facts["mpp"], facts["mpp_source"]) == (WIDTH, HEIGHT, 0.5, "header")
    assert facts["tissue_mpp"] == 8
    assert tissue.shape == (57, 76)  # 900 / 16 and 1215 / 16, rounded up
    assert set(np.unique(tissue)) == {0, 255}
    assert facts["levels"][1] == {"width": WIDTH // 2, "height": HEIGHT // 2, "factor": pytest.approx(2, rel=0.01)}
    # An ellipse over 0.8 of each side has pi / 4 * 0.64 = 0.503 of the area; the blur adds a pixel or two around it.
    assert 0.50 < facts["tissue_share"] == pytest.approx((tissue > 0).mean(), abs=1e-6)
    assert facts["tissue_share"] < 0.57
    assert facts["warnings"] == []


def test_the_same_slide_gives_the_same_bytes(tmp_path):
    path = slide(tmp_path)
    contents = []
    for _ in range(2):
        assert run_script(path) == "done"
        contents.append([(tmp_path / name).read_bytes() for name in ("tissue.png", "slide.json")])
    assert contents[0] == contents[1]


def test_a_slide_without_pixel_size_is_refused_with_the_setting(tmp_path):
    path = slide(tmp_path, mpp=None)
    message = run_script(path)
    assert message.startswith(f"error: {path}: does not state how many µm a pixel has; expected")
    assert "set slides: mpp, or the column mpp" in message
    assert len(message.splitlines()) <= 4
    assert not (tmp_path / "slide.json").exists()


def test_a_given_pixel_size_wins_and_a_doubtful_one_is_said(tmp_path, capsys):
    path = slide(tmp_path, mpp=0.5)
    assert run_script(path, mpp=0.25) == "done"
    facts = facts_of(path)
    assert (facts["mpp"], facts["mpp_source"], facts["tissue_mpp"]) == (0.25, "setting", 8.0)
    assert facts["warnings"] == ["its header says 0.5 µm per pixel, the setting 0.25, which is used"]
    assert facts["warnings"][0] in capsys.readouterr().err
    assert "expected" in run_script(path, mpp=353)


@pytest.mark.parametrize(("stated", "found"), [(0.5, (0.5, "header")), (None, (0.25, "setting"))])
def test_a_value_for_all_slides_counts_where_the_header_says_nothing(tmp_path, stated, found):
    path = slide(tmp_path, mpp=stated)
    assert run_script(path, default_mpp=0.25) == "done"
    facts = facts_of(path)
    assert (facts["mpp"], facts["mpp_source"]) == found


def test_a_slide_without_tissue_gives_an_empty_mask_and_a_warning(tmp_path, capsys):
    path = slide(tmp_path, rows=glass)
    assert run_script(path) == "done"
    assert not read_mask(tmp_path / "tissue.png").any()
    assert facts_of(path)["tissue_share"] == 0
    assert "warning: " in capsys.readouterr().err
    assert "no tissue was found" in facts_of(path)["warnings"][0]


def test_ones_own_mask_takes_the_place_of_ours(tmp_path):
    own = np.zeros((180, 243), np.uint8)
    own[:90] = 1
    write_image(tmp_path / "own.png", own)
    path = slide(tmp_path, rows=glass)
    assert run_script(path, own_mask=tmp_path / "own.png") == "done"
    tissue = read_mask(tmp_path / "tissue.png")
    # Its lower half begins at row 450 of 900: in row 28 of 57, which is tissue too.
    assert tissue[:29].all()
    assert not tissue[29:].any()
    assert facts_of(path)["tissue_source"] == "own mask"


def test_a_damaged_slide_is_named_by_its_checksum(tmp_path):
    path = slide(tmp_path)
    (tmp_path / "SHA256").write_text(f"{'0' * 64}  {path.name}\n")
    assert f"{path}" in run_script(path, checksums=tmp_path / "SHA256")
    assert not (tmp_path / "slide.json").exists()


def test_a_thumbnail_shows_means_and_repeats_the_last_pixel_for_what_is_left_over(tmp_path):
    pixels = MADE.rows(0, HEIGHT)
    with Slide(slide(tmp_path)) as opened:
        picture = thumbnail(opened, 16)
    whole = pixels[:896, :1200].reshape(56, 16, 75, 16, 3).mean((1, 3))
    assert np.abs(picture[:56, :75] - whole).max() <= 0.5
    assert (picture[56] == picture[55]).all()
    assert (picture[:, 75] == picture[:, 74]).all()


def test_thumbnails_are_read_from_a_coarse_level(tmp_path):
    path = slide(tmp_path, levels=3, step=4)  # factors 1, 4 and 16
    with Slide(path) as opened:
        assert near_downsample(opened, 31.6) == 32
        assert near_downsample(opened, 35.3) == 32  # 35 would be read at full resolution
        assert near_downsample(opened, 13.0) == 12
        assert near_downsample(opened, 0.3) == 1
        assert downsample_to(opened, 100) == 16
        assert downsample_to(opened, 1000) == 2
        assert downsample_to(opened, 5000) == 1
        assert near_downsample(opened, 10_000.0) == HEIGHT  # one pixel


def test_a_slide_smaller_than_a_pixel_of_the_mask_has_one(tmp_path):
    write_image(tmp_path / "tiny.png", np.full((5, 9, 3), (150, 90, 170), np.uint8))
    assert run_script(tmp_path / "tiny.png", mpp=0.5, piece_um2=0) == "done"
    assert read_mask(tmp_path / "tissue.png").tolist() == [[255, 255]]
    assert facts_of(tmp_path / "tiny.png")["tissue_mpp"] == 2.5
