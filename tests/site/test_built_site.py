"""The site as `make docs` builds it: no warning, no broken link, nothing from the web, and search from a file."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.report.chromium import complaints, low_contrast, needs_chromium, open_chromium, overflow, resize, wait_until

REPOSITORY = Path(__file__).parents[2]
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
SEARCHED = ("index.html", "configuration.html", "troubleshooting.html")


class Links(HTMLParser):
    """Anchors of a page, and what it leads to or loads."""

    def __init__(self):
        super().__init__()
        self.anchors, self.targets, self.loads = set(), [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.targets.append(values["href"])
        if LOADED.get(tag) in values and values.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(values[LOADED[tag]])


def links_of(page):
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        build(load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(folder)))  # strict: ends here at a warning
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {page: links_of(page) for page in sorted(site.rglob("*.html")) if page.name != "404.html"}


def test_every_document_is_a_page(site, pages):
    written = {
        path.relative_to(REPOSITORY / "docs").with_suffix(".html") for path in (REPOSITORY / "docs").rglob("*.md")
    }
    whole = {Path(name) for name in ("readme.html", "CONTRIBUTING.html", "CHANGELOG.html", "SECURITY.html")}
    assert written | whole <= {page.relative_to(site) for page in pages}


def test_every_link_leads_to_a_file_and_an_anchor_of_it(site, pages):
    broken = []
    for page, links in pages.items():
        for link in links.targets:
            path, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", link) or (not path and not anchor):
                continue
            target = (page.parent / path.partition("?")[0]).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


def test_what_a_page_loads_lies_beside_it(site, pages):
    for page, links in pages.items():
        assert len(links.loads) > 4
        for load in links.loads:
            assert (page.parent / unquote(load).partition("?")[0]).is_file(), f"{page.relative_to(site)} loads {load}"
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^)'\"]*", styles) == []


def test_what_pages_of_the_repository_link_to_came_along(site):
    assert (site / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
    assert 'href="CONTRIBUTING.html#add-a-dataset"' in (site / "readme.html").read_text(encoding="utf-8")
    assert 'href="../readme.html#what-the-tables-say"' in (site / "results/index.html").read_text(encoding="utf-8")


@needs_chromium
def test_pages_open_as_files_with_search_and_ask_nothing_of_the_web(site):
    driver = open_chromium()
    try:
        for page in SEARCHED:
            driver.get((site / page).as_uri())
            for width in (400, 1280):
                resize(driver, width)
                assert overflow(driver) <= 0, f"{page} is wider than {width} px"
            for scheme in ("slate", "default"):
                driver.execute_script("document.body.dataset.mdColorScheme = arguments[0]", scheme)
                wait_until(driver, "document.getAnimations().every((one) => one.playState !== 'running')")
                assert low_contrast(driver) == [], (page, scheme)
        driver.execute_script("document.querySelector('#__search').click()")
        driver.find_element("css selector", ".md-search__input").send_keys("watershed")
        wait_until(driver, "document.querySelectorAll('.md-search-result__link').length > 0")
        assert complaints(driver) == []
    finally:
        driver.quit()
