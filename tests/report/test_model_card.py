"""The card of a model: it says all that such a card has to, and what comes from the data stays text in both forms."""

import json
import re
import runpy
import shlex
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from histoloom.evaluate.tables.fold_spread import SPREAD_COLUMNS
from histoloom.evaluate.tables.strata import STRATA_COLUMNS
from histoloom.files import write_table
from histoloom.prepared import read_table
from histoloom.report.cards.card_blocks import Card, Code, Part, Table, Text, escaped, markdown
from histoloom.report.runs.run_files import front_matter
from tests.report.made_study import CONFIG, DATASET, EVIL, card_flags, write_study
from tests.scripts_run import outcome

REPOSITORY = Path(__file__).parents[2]
SCRIPT = str(REPOSITORY / "scripts" / "write_model_card.py")
PARTS = (
    "Intended use", "Not intended", "Limits: what was not tested", "Data", "Training", "Scores", "Beside others",
    "By stratum", "Spread over folds", "Cost", "How to run it", "Provenance",
)  # fmt: skip
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class TextOf(HTMLParser):
    """The text of a page without its styles, and the names of its tags."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self.is_style = [], [], False
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.is_style = tag == "style"

    def handle_endtag(self, tag):
        self.is_style = False

    def handle_data(self, data):
        if not self.is_style:
            self.words.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(Markdown, HTML) of the card of the made study."""
    results = tmp_path_factory.mktemp("card") / "results"
    assert outcome([SCRIPT, *card_flags(results, write_study(results))]) == "done"
    folder = results / DATASET / "figures"
    return tuple((folder / f"card_unet.{suffix}").read_text(encoding="utf-8") for suffix in ("md", "html"))


def card_of(results, change):
    """Text of the page for a study whose config is changed by a function."""
    config = json.loads(json.dumps(CONFIG))
    change(config)
    return page_of(results, card_flags(results, write_study(results, config=config)))


def page_of(results, flags):
    """Text of the page that the script writes."""
    assert outcome([SCRIPT, *flags]) == "done"
    return TextOf((results / DATASET / "figures" / "card_unet.html").read_text(encoding="utf-8")).text


def test_both_forms_have_every_part(written):
    page, html = written
    assert re.findall("^## (.*)$", page, re.MULTILINE) == ["In short", *PARTS]
    assert re.findall("<h2>(.*?)</h2>", html) == ["In short", *PARTS]


def test_both_forms_say_the_same(written):
    page, html = written
    rendered = TextOf(html).text
    body = page.partition("\n---\n")[2]
    for line in re.findall(r"^- (.*)$", body, re.MULTILINE):
        plain = re.sub(r"\\(.)", r"\1", line).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        name, _, value = plain.partition(": ")
        assert plain in rendered or (name in rendered and value in rendered), plain


def test_names_from_the_data_are_text_whatever_they_hold(written):
    page, html = written
    assert "script" not in TextOf(html).tags
    assert TextOf(html).text.count(EVIL) > 10
    body = page.partition("\n---\n")[2]
    assert "<" not in re.sub("```.*?```", "", body, flags=re.DOTALL)
    assert front_matter(page)["histoloom"]["classes"] == ["background", "tumour", EVIL]


def test_the_score_comes_with_interval_images_and_groups(written):
    text = TextOf(written[1]).text
    assert "dice of foreground: 0.835 (95 % interval 0.820 to 0.850), mean over 16 test images in 8 groups." in text
    assert "Beside the best baseline, otsu (0.535): +0.300, better." in text


def test_limits_name_what_the_data_lack(written):
    text = TextOf(written[1]).text
    assert "Annotation is sparse: 25% of the pixels." in text  # 50 of 200 pixels of each image
    assert "No resolution but that of the images was tested: 0.25 µm per pixel." in text
    assert "Tested on: Skin," in text
    assert f"dice is undefined for {EVIL}" in text
    assert "2 problems left raw files out" in text


def test_the_course_of_each_fold_is_told(written):
    text = TextOf(written[1]).text
    # Of three epochs the second had the highest validation score; 20 + 25 + 30 seconds.
    assert "0 finished 3 2 0.625 0.700 1 1 min 15 s" in text
    assert "1 diverged 3 2 0.625 0.700 1 1 min 15 s" in text
    assert "Training diverged on fold 1" in text


def test_the_config_is_that_of_the_pair(written):
    assert "epochs at most 3" in TextOf(written[1]).text  # pairs: toy/unet; the section says 9


def test_folds_are_counted_in_images_and_groups(written):
    # Of 8 cases with 2 images each, 4 are tested, the rest of cases 6 and 7 validates.
    assert "0 6 (3) 2 (1) 8 (4)" in TextOf(written[1]).text


def test_strata_are_told_worst_first(written):
    text = TextOf(written[1]).text
    assert text.index(f"{EVIL} 0.400") < text.index("Skin 0.900 0.850 to 0.950 12 6")


@pytest.mark.parametrize(
    ("rows", "trained", "reason"),
    [
        ([], 2, "dice of foreground was not scored fold by fold"),
        ([(0, None)], 2, "dice of foreground is undefined in each of 2 folds"),
        ([(1, 0.8)], 2, "dice of foreground is defined in one of 2 folds alone"),
        ([(1, 0.8)], 1, "There was one fold"),
        ([], 1, "There was one fold"),
    ],
)
def test_why_the_spread_is_not_known(tmp_path, rows, trained, reason):
    flags = card_flags(tmp_path, write_study(tmp_path))
    key = (DATASET, "unet", "model", "dice", "foreground")
    spread = [(*key, folds, mean, None, mean, mean) for folds, mean in rows]
    write_table(tmp_path / DATASET / "fold_spread.csv", SPREAD_COLUMNS, spread)
    if trained == 1:
        flags.remove(str(tmp_path / DATASET / "unet" / "fold1" / "history.csv"))
    assert f"{reason}, so the spread is not known." in page_of(tmp_path, flags)


def test_why_no_stratum_is_told(tmp_path):
    flags = card_flags(tmp_path, write_study(tmp_path))
    write_table(tmp_path / DATASET / "strata.csv", STRATA_COLUMNS, [])
    assert "dice of foreground was not scored by stratum." in page_of(tmp_path, flags)
    index = tmp_path / DATASET / "prepared" / "index.csv"
    rows = [row | {"stratum": ""} for row in read_table(index)]
    write_table(index, tuple(rows[0]), (row.values() for row in rows))
    text = page_of(tmp_path, flags)
    assert "The dataset does not say which stratum (such as the tissue) its test images are of." in text
    assert "was not scored by stratum" not in text


def test_published_figures_are_named_as_such_and_not_judged(written):
    assert f"{EVIL} published not compared 0.900" in TextOf(written[1]).text


def test_front_matter_is_what_a_hub_reads(written):
    matter = front_matter(written[0])
    (result,) = matter["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "dice", "name": "dice of foreground", "value": 0.835}]
    assert matter["pipeline_tag"] == "image-segmentation"
    assert set(matter["histoloom"]["weights"]) == {"fold0/model.safetensors", "fold1/model.safetensors"}


def test_the_command_has_the_flags_that_predicted(written):
    for form in written:
        assert "--overlap 4" in form and "--model results/toy/unet/fold0/model.safetensors" in form


def test_the_script_takes_the_command(written, monkeypatch):
    pytest.importorskip("torch")  # which the script imports
    (command,) = re.findall("```sh\n(python scripts/predict_images.py .*?)\n```", written[0], re.DOTALL)
    program, script, *flags = shlex.split(command.replace("\\\n", " "))
    monkeypatch.setattr(sys, "argv", [script, *flags])
    known = runpy.run_path(str(REPOSITORY / script))["parse"]()  # exits where a required flag lacks
    assert program == "python"
    assert (known.part, known.fold, known.overlap) == ("test", 0, CONFIG["predict"]["overlap"])


def test_the_python_that_it_shows_predicts(written, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from histoloom.formats.images import write_image
    from histoloom.networks import build_network, save_model

    torch.set_num_threads(1)
    about = {
        "network": "unet",
        "options": {"width": 2},
        "classes": ["background", "tumour"],
        "downsample": 1,
        "tile_px": 64,
    }
    for fold in (0, 1):
        weights = build_network("unet", {"width": 2}, 2).state_dict()
        save_model(tmp_path / "results" / DATASET / "unet" / f"fold{fold}" / "model.safetensors", weights, about)
    write_image(tmp_path / "image.png", np.full((40, 50, 3), 200, np.uint8))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which the code adds
    (code,) = re.findall("```python\n(.*?)\n```", written[0], re.DOTALL)
    known = {}
    exec(code, known)
    assert len(known["models"]) == 2
    assert known["classes"].shape == (40, 50)
    assert np.allclose(known["probabilities"].sum(axis=2), 1)


def test_the_lines_for_the_config_name_the_model(written):
    (settings,) = re.findall("```yaml\n(.*?)\n```", written[0], re.DOTALL)
    assert yaml.safe_load(settings)["slides"]["model"] == "toy/unet"


def test_a_model_of_normalised_images_says_what_own_images_need(tmp_path):
    text = card_of(tmp_path, lambda config: config["normalise"].update(method="macenko"))
    assert "This model learnt images that were normalised to one stain." in text


def test_same_study_same_bytes(tmp_path, written):
    results = tmp_path / "results"
    assert outcome([SCRIPT, *card_flags(results, write_study(results))]) == "done"
    assert (results / DATASET / "figures" / "card_unet.html").read_text(encoding="utf-8") == written[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unet_small", "unet_small"),
        ("_x_ **y**", r"\_x\_ \*\*y\*\*"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("1. one", r"1\. one"),
        ("0.25", "0.25"),
        ("- item", r"\- item"),
        ("+0.1", "+0.1"),
        ("# title", r"\# title"),
        ("a\n\n> b", "a &gt; b"),
        ("[x](javascript:1)", r"\[x\](javascript:1)"),
    ],
)
def test_markup_of_markdown_is_escaped(text, expected):
    assert escaped(text) == expected


def test_a_fence_is_longer_than_any_in_the_code():
    card = Card("t", "a", (Part("p", (Code("```\nx\n```", "sh"),)),), {})
    assert "````sh\n```\nx\n```\n````" in markdown(card)


def test_a_pipe_in_a_name_does_not_part_columns():
    card = Card("t", "a", (Part("p", (Table("x", ("a", "b"), (("one|two", "3"),)), Text("end"))),), {})
    assert r"| one\|two | 3 |" in markdown(card)


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian packages)")
def test_the_page_fits_a_phone_and_a_screen_and_says_nothing_on_the_console(written, tmp_path):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    path = tmp_path / "card.html"
    path.write_text(written[1], encoding="utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    try:
        for width in (400, 1280):
            metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.get(path.as_uri())
            assert driver.execute_script("return document.documentElement.scrollWidth") <= width
            links = "return [...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))"
            assert driver.execute_script(links)
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        driver.quit()
