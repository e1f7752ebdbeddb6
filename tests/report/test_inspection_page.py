"""The page on one dataset: what matters stands first, everything is escaped, and it needs no other file."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from histoloom.files import write_json, write_table
from histoloom.findings import FINDING_COLUMNS
from histoloom.formats.images import write_image
from histoloom.prepare.inspection.measure_tables import CLASS_COLUMNS
from histoloom.prepared import SKIPPED_COLUMNS, Description
from histoloom.report.inspection_page import MOST_GROUPS, finding_groups, group_shares, inspection_page
from tests.report.chromium import (
    WIDTHS_PX,
    complaints,
    low_contrast,
    needs_chromium,
    open_chromium,
    out_of_reach,
    overflow,
    resize,
    unlabelled,
)

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "workflow" / "report" / "inspection.html.j2"
EVIL = '<script>alert("1")</script>{{7*7}}'
MEASURES = [
    {"group": "g1", "stratum": "Skin", "height": "10", "width": "20", "mpp": "0.25", "annotated_px": "150",
     "pixels_0": "140", "pixels_1": "10"},
    {"group": "g2", "stratum": "Colon", "height": "10", "width": "20", "mpp": "0.5", "annotated_px": "50",
     "pixels_0": "10", "pixels_1": "40"},
]  # fmt: skip
AGREED = [("0.8", "0.5"), ("0.9", "0.7")]
CLASSES = [
    {"class": "background", "images": "2", "pixels": "1500", "pixel_share": "0.75", "nuclei": "0"},
    {"class": "tumour", "images": "1", "pixels": "500", "pixel_share": "0.25", "nuclei": "1234"},
]


def finding(severity: str, kind: str, subject: str = "a", message: str = "text") -> dict[str, str]:
    return dict(zip(FINDING_COLUMNS, (severity, kind, subject, message), strict=True))


def description(name: str = "toy", **changes) -> Description:
    known = {"licence": "CC0", "citation": "nobody 2020", "facts": {"radius_px": 20}, "warnings": ()}
    return Description(name, "folder", ("background", "tumour"), True, **{**known, **changes})


def measures(agreed=(("", ""), ("", ""))) -> list[dict[str, str]]:
    both = zip(MEASURES, ("0.5", "0.7"), agreed, strict=True)
    return [row | {"tissue_share": share, "second_dice": one, "second_pq": two} for row, share, (one, two) in both]


def page(about: Description | None = None, **changes) -> str:
    tables = {"findings": [], "classes": CLASSES, "measures": measures(), "skipped": []}
    return inspection_page(TEMPLATE, about or description(), **{**tables, "pictures": [], **changes})


def text_of(html: str) -> str:
    """Words as a reader sees them; <script> in the page itself would swallow what follows."""
    words: list[str] = []
    parser = HTMLParser()
    parser.handle_data = words.append
    parser.feed(html.split("</style>")[1])
    return " ".join(" ".join(words).split())


def test_errors_stand_before_warnings_and_infos():
    rows = [finding("info", "image_sizes"), finding("warning", "blurred_image"), finding("error", "size_conflict")]
    text = text_of(page(findings=rows))
    assert re.search("1 error 1 warning 1 info .*error size conflict.*warning blurred image.*info image sizes", text)


def test_many_findings_of_a_kind_are_folded_away_but_all_are_there():
    rows = [finding("warning", "duplicate", f"tile{number}") for number in range(8)]
    (group,) = finding_groups(rows)
    assert (len(group.shown), len(group.folded)) == (5, 3)
    html = page(findings=rows)
    assert "3 more" in html and all(f"<b>tile{number}</b>" in html for number in range(8))
    assert "8 warnings" in html


def test_a_page_without_findings_says_so():
    text = text_of(page())
    assert "Nothing was found." in text and "No file was left out." in text and "0 errors" in text


def test_facts_are_gathered_from_the_table_of_images():
    text = text_of(page(measures=measures(AGREED)))
    for fact in ("images 2", "groups 2", "strata 2: Colon, Skin", "height x width 10 x 20 px", "mpp 0.25 to 0.5 µm"):
        assert fact in text
    assert "annotated 50.0% of the pixels" in text  # 200 of 2 * 200
    assert "tissue 60% of the median image" in text
    assert "two annotators agree Dice of nucleus pixels 0.850, PQ 0.600, mean of 2 images" in text
    assert "two annotators" not in text_of(page())


def test_classes_have_a_column_of_nuclei_only_where_some_were_counted():
    assert "tumour 1 500 25.00% 1,234" in text_of(page())
    bare = [row | {"nuclei": ""} for row in CLASSES]
    assert '<th scope="col">nuclei</th>' not in page(classes=bare)


def test_images_that_were_left_out_are_listed():
    rows = [{"source": f"{name}.tif", "message": "is truncated"} for name in "pqrstu"]
    text = text_of(page(skipped=rows))
    assert "6 problems left raw files out" in text and "u.tif : is truncated" in text


def test_licence_that_nobody_stated_is_said_to_be_so():
    assert "licence not stated citation not stated" in text_of(page(description(licence="", citation="")))


def hostile_page(folder):
    picture = folder / "<b>sheet.png"
    write_image(picture, np.zeros((2, 3, 3), np.uint8))
    about = description(EVIL, licence=EVIL, citation=EVIL, facts={EVIL: EVIL})
    return page(
        about,
        findings=[finding("warning", EVIL, EVIL, EVIL) for _ in range(8)],
        classes=[CLASSES[0] | {"class": EVIL}],
        measures=[row | {"stratum": EVIL} for row in measures()],
        skipped=[{"source": EVIL, "message": EVIL}] * 6,
        pictures=[picture],
    )


def test_names_from_the_data_are_text_whatever_they_hold(tmp_path):
    html = hostile_page(tmp_path)
    assert "<script" not in html.lower() and "<b>sheet" not in html
    assert text_of(html).count(EVIL) >= 20


def test_each_groups_annotated_share_stands_by_class():
    both = [*MEASURES, MEASURES[1] | {"group": "g1"}]
    first, second = group_shares(both, 2)
    assert (first.name, first.images, first.annotated, first.classes) == ("g1", 2, 200 / 400, [150 / 400, 50 / 400])
    assert (second.name, second.images, second.annotated, second.classes) == ("g2", 1, 50 / 200, [10 / 200, 40 / 200])
    assert "g2 1 25.00% 5.00% 20.00%" in text_of(page())


def test_of_many_groups_those_with_the_least_annotation_are_shown():
    many = [MEASURES[0] | {"group": f"g{number:03d}", "annotated_px": str(number)} for number in range(MOST_GROUPS + 5)]
    shown = group_shares(many, 2)
    assert [one.name for one in shown] == [f"g{number:03d}" for number in range(MOST_GROUPS)]
    assert "Of 105 groups these are the 100 with the least" in text_of(page(measures=[
        row | {"tissue_share": "0.5", "second_dice": "", "second_pq": ""} for row in many
    ]))  # fmt: skip


@needs_chromium
def test_the_page_can_be_read_and_used_by_all(tmp_path):
    (tmp_path / "page.html").write_text(hostile_page(tmp_path), encoding="utf-8")
    browser = open_chromium()
    try:
        for width in WIDTHS_PX:
            resize(browser, width)
            browser.get((tmp_path / "page.html").as_uri())
            assert out_of_reach(browser) == ([], [])
            browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert browser.execute_script("return document.body.innerText").count(EVIL) >= 20
            assert overflow(browser) <= 0
            assert low_contrast(browser) == []
            assert unlabelled(browser) == []
            assert complaints(browser) == []
    finally:
        browser.quit()


def test_script_writes_one_page_that_loads_nothing(tmp_path):
    tables = {
        "findings": (FINDING_COLUMNS, [finding("info", "speck")]),
        "folds": (FINDING_COLUMNS, [finding("warning", "class_missing", "tumour", "fold 1 has none")]),
        "classes": (CLASS_COLUMNS, CLASSES),
        "measures": (tuple(measures()[0]), measures()),
        "skipped": (SKIPPED_COLUMNS, []),
    }
    for name, (columns, rows) in tables.items():
        write_table(tmp_path / f"{name}.csv", columns, rows)
    write_json(tmp_path / "dataset.json", vars(description()))
    pictures = [tmp_path / "sheet.png", tmp_path / "sizes.png"]
    for path in pictures:
        write_image(path, np.zeros((4, 6, 3), np.uint8))
    flags = [f"--{name}={tmp_path / name}.csv" for name in ("classes", "measures", "skipped")]
    flags += ["--findings", str(tmp_path / "findings.csv"), str(tmp_path / "folds.csv")]
    flags += [
        f"--dataset={tmp_path / 'dataset.json'}",
        "--picture",
        *map(str, pictures),
        f"--html={tmp_path / 'p.html'}",
    ]
    command = [sys.executable, str(ROOT / "scripts" / "write_inspection_page.py"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "fold 1 has none" in html and "1 warning" in html and "1 info" in html
    assert [source[:22] for source in re.findall(r'(?:src|href)="([^"]*)"', html)] == ["data:image/png;base64,"] * 2
    assert 'width="6" height="4"' in html and "Sizes of images and nuclei" in html
