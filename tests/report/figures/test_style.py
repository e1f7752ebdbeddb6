"""Figures become PNG and PDF: letters as letters, pictures with all their pixels, the same bytes each time."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from histoloom.report.figures.style import house_style, save, save_tissue

SCRIPTS = Path(__file__).parents[3] / "scripts"
SHAPE = (37, 53)
PROGRAM = """
import sys
from pathlib import Path
from matplotlib.figure import Figure
from histoloom.report.figures.style import house_style, save
with house_style():
    figure = Figure(figsize=(2, 2))
    figure.subplots().set_title("Präparat fünf µm")
save(figure, Path(sys.argv[1]), Path(sys.argv[2]))
"""


def tissue_figure():
    rng = np.random.default_rng(0)
    with house_style():
        figure = Figure(figsize=(3, 3))
        panel = figure.add_axes((0, 0, 1, 0.8))
        panel.imshow(rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8), interpolation="antialiased")
        panel.set_axis_off()
        figure.text(0.1, 0.9, "tissue")
    return figure


def drawn():
    return np.array([(0, 0, 0), (255, 255, 255)], np.uint8)


def test_a_pdf_holds_its_letters_as_truetype_and_no_date(tmp_path):
    save(tissue_figure(), tmp_path / "f.png", tmp_path / "f.pdf")
    pdf = (tmp_path / "f.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-1.") and pdf.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in pdf and b"/CIDFontType2" in pdf and b"/Type3" not in pdf
    assert b"CreationDate" not in pdf and b"Matplotlib" not in pdf


def test_no_pdf_is_written_where_none_is_asked_for(tmp_path):
    save(tissue_figure(), tmp_path / "f.png")
    save_tissue(tissue_figure(), tmp_path / "t.png", drawn(), "tissue")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.png", "t.png"]


def test_a_tissue_pdf_holds_each_picture_pixel_by_pixel_and_its_text_alternative(tmp_path):
    save_tissue(tissue_figure(), tmp_path / "t.png", drawn(), "worst: a", tmp_path / "t.pdf")
    pdf = (tmp_path / "t.pdf").read_bytes()
    pictures = re.findall(rb"<<[^<>]*?/Subtype /Image.*?>>", pdf, re.DOTALL)
    sizes = [tuple(int(re.search(key + rb" (\d+)", part)[1]) for key in (rb"/Height", rb"/Width")) for part in pictures]
    assert sizes == [SHAPE]
    assert b"/Subject (worst: a)" in pdf
    assert b"/FontFile2" in pdf


def test_the_figure_is_left_as_it_was(tmp_path):
    figure = tissue_figure()
    (picture,) = figure.findobj(AxesImage)
    before = np.asarray(picture.get_array()).copy()
    save_tissue(figure, tmp_path / "t.png", drawn(), "", tmp_path / "t.pdf")
    assert (np.asarray(picture.get_array()) == before).all()
    assert picture.get_interpolation() == "antialiased"
    save_tissue(figure, tmp_path / "again.png", drawn(), "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "t.png").read_bytes()


def test_equal_figures_have_equal_bytes(tmp_path):
    for run in ("first", "second"):
        save_tissue(tissue_figure(), tmp_path / f"{run}.png", drawn(), "a", tmp_path / f"{run}.pdf")
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()


def test_neither_the_order_of_hashes_nor_the_clock_shows_in_the_bytes(tmp_path):
    for seed, clock in (("1", "0"), ("2", "86400")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": clock, "PYTHONPATH": str(SCRIPTS)}
        paths = [str(tmp_path / f"{seed}.png"), str(tmp_path / f"{seed}.pdf")]
        subprocess.run([sys.executable, "-c", PROGRAM, *paths], env=environment, check=True)
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"1.{suffix}").read_bytes() == (tmp_path / f"2.{suffix}").read_bytes()


def test_a_png_is_150_dots_an_inch_and_says_what_it_shows(tmp_path):
    save_tissue(tissue_figure(), tmp_path / "t.png", drawn(), "worst: a")
    with Image.open(tmp_path / "t.png") as opened:
        assert opened.size == (450, 450)
        assert opened.info["Description"] == "worst: a"
        assert opened.info["dpi"] == pytest.approx((150, 150), abs=0.1)
