"""The report as a reader opens it: offline, without an error, every picture there.

HISTOLOOM_REPORT names the report to open, absolute or from the repository's root; without it a small one is built with
the real scripts. What happens to lie in results/ is never taken: it may be of older code.
"""

import base64
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
EPOCHS = 4
HOSTILE = "<script>alert(1)</script> {{ 7*7 }}"
SNAKEFILE = """
report: "results/report/front.rst"
rule all:
    input: "results/ds/figures/curves.png", "results/ds/unet/animations.html", "results/ds/summary.html"
rule curves:
    output: report("results/ds/figures/curves.png", category="Training")
    shell: "{python} {root}/scripts/draw_curves.py --history results/ds/unet/fold0/history.csv --figure {{output}}"
rule animations:
    output: report("results/ds/unet/animations.html", category="Training")
    input: "results/ds/unet/fold0/epochs.gif"
    shell: "{python} {root}/scripts/write_animations_page.py --gif {{input}} --title unet --html {{output}}"
rule table:
    output: report("results/ds/summary.html", category="Scores")
    input: "results/ds/summary.csv"
    shell: "{python} {root}/scripts/write_table_page.py --table {{input}} --title scores --html {{output}}"
"""

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian packages)")


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def run(folder, *command):
    done = subprocess.run([sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write_results(folder):
    """A dataset with two models and a baseline, as the rules before the report leave it."""
    results = folder / "results" / "ds"
    fold = results / "unet" / "fold0"
    frames = fold / "epochs"
    frames.mkdir(parents=True)
    tissue = np.random.default_rng(0).normal((225, 160, 200), 12, (32, 64, 3)).clip(0, 255).astype(np.uint8)
    mask = np.zeros((32, 64), np.uint8)
    mask[8:20, 8:20] = 1
    Image.fromarray(tissue).save(frames / "image.png")
    Image.fromarray(mask).save(frames / "truth.png")
    for epoch in range(1, EPOCHS + 1):
        Image.fromarray(np.roll(mask, EPOCHS - epoch, axis=1)).save(frames / f"epoch_{epoch:03d}.png")
    row = {"learning_rate": 0.001, "train_loss": 0.5, "val_loss": 0.6, "seconds": 1, "images_per_second": 9, "best": 1}
    write_csv(fold / "history.csv", [{"epoch": n, "val_score": n / 10} | row for n in range(1, EPOCHS + 1)])
    prepared = results / "prepared"
    prepared.mkdir()
    facts = {"licence": "CC0", "citation": HOSTILE, "facts": {}, "warnings": [HOSTILE]}
    usual = {"name": "ds", "reader": "pannuke", "classes": ["background", HOSTILE], "has_instances": False}
    (prepared / "dataset.json").write_text(json.dumps(usual | facts))
    common = {
        "dataset": "ds",
        "metric": "dice",
        "class": "foreground",
        "low": 0.1,
        "high": 0.7,
        "images": 9,
        "groups": 3,
    }
    summary = [("unet", "model", 0.6), ("a_model_with_a_long_name", "model", 0.5), ("otsu", "baseline", 0.4)]
    write_csv(
        results / "summary.csv",
        [
            common | {"architecture": a, "kind": kind, "mean": mean, "definition": "overlap", "diverged": ""}
            for a, kind, mean in summary
        ],
    )
    write_csv(results / "comparison.csv", [common | {"first": "unet", "second": "otsu", "difference": 0.2}])
    finding = {"severity": "warning", "kind": "empty", "subject": "x" * 80, "message": HOSTILE}
    write_csv(results / "inspection" / "findings.csv", [finding])
    (results / "figures").mkdir()
    Image.fromarray(tissue).save(results / "figures" / "examples_unet.png")
    config = {"study": {"seed": 1}, "datasets": {"ds": {"split": {"validation": "images"}}}, "raw_data": {"ds": "0a1b"}}
    (folder / "config.yaml").write_text(json.dumps(config | {"long": "x" * 300}))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    named = os.environ.get("HISTOLOOM_REPORT")
    return ROOT / named if named else build_report(tmp_path_factory.mktemp("report"))


def build_report(folder):
    write_results(folder)
    r, scripts = Path("results/ds"), ROOT / "scripts"
    run(folder, scripts / "render_epochs.py", "--frames", r / "unet/fold0/epochs", "--history",
        r / "unet/fold0/history.csv", "--dataset", r / "prepared/dataset.json", "--frames-per-second", "2.5",
        "--hold-seconds", "3", "--gif", r / "unet/fold0/epochs.gif")  # fmt: skip
    run(folder, scripts / "write_front_page.py", "--study", HOSTILE, "--summary", r / "summary.csv", "--comparison",
        r / "comparison.csv", "--examples", r / "figures/examples_unet.png", "--findings",
        r / "inspection/findings.csv",
        "--datasets", r / "prepared/dataset.json", "--metric", "dice", "--class", "foreground", "--config",
        "config.yaml", "--front", "results/report/front.rst")  # fmt: skip
    (folder / "Snakefile").write_text(SNAKEFILE.format(python=sys.executable, root=ROOT))
    snakemake = ("-m", "snakemake", "--workflow-profile", "none", "--quiet", "all", "--cores", "1")
    run(folder, *snakemake)
    stylesheet = ROOT / "workflow" / "report" / "report.css"
    run(folder, *snakemake, "--report", "report.html", "--report-stylesheet", stylesheet)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(report):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    driver.get(report.as_uri())
    WebDriverWait(driver, 60).until(lambda d: d.execute_script("return !!document.querySelector('.histoloom')"))
    WebDriverWait(driver, 60).until(
        lambda d: d.execute_script("return [...document.images].every((image) => image.complete)")
    )
    yield driver
    driver.quit()


def resize(browser, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def pages_in(report):
    """Text of the report and of every HTML page inside it."""
    text = report.read_text(encoding="utf-8")
    inside = re.findall(r"data:text/html;[^,\"]*base64,([A-Za-z0-9+/=]+)", text)
    return [text, *(base64.b64decode(page).decode() for page in inside)]


def test_the_console_shows_no_error_and_nothing_leaves_the_machine(browser):
    seen = browser.get_log("browser")
    results = browser.execute_script("return Object.values(results)")
    for result in results:
        if result["mime_type"] == "text/html":
            browser.execute_script("app.setView({content: 'html', contentPath: arguments[0]})", result["data_uri"])
    browser.execute_script("app.setView({content: 'rulegraph'})")
    assert [entry for entry in seen + browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert urls
    assert [url[:80] for url in urls if not url.startswith(("file:", "data:", "blob:"))] == []


def test_all_pictures_of_the_front_page_are_loaded(browser):
    pictures = browser.execute_script(
        "return [...document.querySelectorAll('.histoloom img')].map((image) => [image.naturalWidth, image.alt])"
    )
    assert pictures
    assert all(width > 0 and alt for width, alt in pictures)


def test_all_pictures_of_the_results_can_be_decoded(browser):
    script = """
    const done = arguments[arguments.length - 1];
    const load = (path) => new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve([path, image.naturalWidth]);
      image.onerror = () => resolve([path, 0]);
      image.src = results[path].data_uri;
    });
    const paths = Object.keys(results).filter((path) => results[path].mime_type.startsWith("image/"));
    Promise.all(paths.map(load)).then(done);
    """
    widths = browser.execute_async_script(script)
    assert widths
    assert [path for path, width in widths if width == 0] == []


def test_names_from_the_data_stay_text(browser):
    assert browser.execute_script("return document.querySelectorAll('.histoloom script, .histoloom b b').length") == 0


@pytest.mark.parametrize("width", [400, 1280])
def test_the_front_page_does_not_overflow_sideways(browser, width):
    resize(browser, width)
    measure = "const e = document.querySelector('.histoloom'); return [e.scrollWidth, e.clientWidth, {} - innerWidth]"
    inner, outer, beyond = browser.execute_script(measure.format("document.documentElement.scrollWidth"))
    assert inner <= outer
    assert beyond <= 0
    assert outer > 0.5 * width


def test_the_top_of_a_tall_page_can_be_reached(browser):
    resize(browser, 1280)
    top = "return document.querySelector('.histoloom').closest('.overflow-auto').firstElementChild.offsetTop"
    assert browser.execute_script(top) >= 0


def test_animations_have_one_frame_per_epoch(report):
    found = 0
    for page in pages_in(report):
        tags = re.findall(r'<img src="data:image/gif;base64,([A-Za-z0-9+/=]+)" data-frames="(\d+)"', page)
        for data, frames in tags:
            opened = Image.open(io.BytesIO(base64.b64decode(data)))
            durations = []
            for place in range(opened.n_frames):
                opened.seek(place)
                durations.append(opened.info["duration"])
            assert opened.n_frames == int(frames)
            assert opened.n_frames in epoch_counts(report)
            assert opened.n_frames == 1 or durations[-1] > max(durations[:-1])
            found += 1
    assert found


def epoch_counts(report):
    """Rows of the histories that lie beside the report."""
    histories = [*report.parent.rglob("fold*/history.csv"), *report.parent.parent.glob("*/*/fold*/history.csv")]
    assert histories, f"no history.csv beside {report}"
    return {len(path.read_text().splitlines()) - 1 for path in histories}
