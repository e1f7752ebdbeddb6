"""Hooks of mkdocs: pages of the repository outside docs/ join the site, and every link works there as on GitHub.

Nothing is kept twice: what a page links to comes along, Markdown as a page, else as a file. mkdocs.yml names this file,
which mkdocs loads by itself; so it imports nothing of the library.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[3]
DOCS = "docs/"
# mkdocs would make README.md of the root the same page as docs/index.md.
RENAMED = {"README.md": "readme.md"}
ALWAYS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "results/README.md",
    "scripts/qupath/README.md",
)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WORKER = "assets/javascripts/search_worker.js"
SEARCH_WORKER = """if (location.protocol === "file:") {
  const source = SOURCE;
  window.Worker = class extends Worker {
    constructor() { super(URL.createObjectURL(new Blob([source], {type: "text/javascript"}))); }
  };
}
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take our own script for search, which on_files adds, where the plug-in `offline` loads one from the web."""
    config.extra["polyfills"] = [WORKER]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside docs/ and is linked to, page by page, until nothing new is; and the script for search."""
    files.append(File.generated(config, WORKER, content=search_worker(files)))
    waiting = [*ALWAYS, *(DOCS + file.src_uri for file in files.documentation_pages())]
    known = {DOCS + file.src_uri for file in files}
    while waiting:
        path = waiting.pop()
        if path not in known:
            files.append(adopted(path, config))
            known.add(path)
        if path.endswith(".md"):
            text = (REPOSITORY / path).read_text(encoding="utf-8")
            waiting += [found for found in linked_files(path, text) if found not in known]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between places of the repository into links between places of the site."""
    path = repository_path(page.file.src_uri)
    folder = posixpath.dirname(page.file.src_uri) or "."

    def moved(link: re.Match) -> str:
        target, mark, heading = link[2].partition("#")
        found = linked_file(path, target)
        if not found:
            return link[0]
        return f"{link[1]}{posixpath.relpath(site_path(found), folder)}{mark}{heading}{link[3]}"

    return outside_fences(markdown, moved)


def search_worker(files: Files) -> str:
    """The script that makes search work from file://, where browsers start no worker but from a text at hand."""
    (worker,) = (
        file for file in files if re.fullmatch(r"assets/javascripts/workers/search\.\w+\.min\.js", file.src_uri)
    )
    source = worker.content_string.partition("//# sourceMappingURL=")[0]
    return SEARCH_WORKER.replace("SOURCE", json.dumps(source))


def adopted(path: str, config: MkDocsConfig) -> File:
    """A file of the repository as one of the site; a page that only a link leads to needs no place in the menu."""
    inclusion = InclusionLevel.INCLUDED if path in ALWAYS else InclusionLevel.NOT_IN_NAV
    return File.generated(config, site_path(path), abs_src_path=str(REPOSITORY / path), inclusion=inclusion)


def site_path(path: str) -> str:
    """Where a file of the repository lies in the site's sources.

    >>> site_path("docs/slides.md"), site_path("SECURITY.md"), site_path("README.md")
    ('slides.md', 'SECURITY.md', 'readme.md')
    """
    return RENAMED.get(path, path.removeprefix(DOCS))


def repository_path(site: str) -> str:
    """Where a source of the site lies in the repository: what site_path made of it, turned back."""
    for path, renamed in RENAMED.items():
        if site == renamed:
            return path
    return DOCS + site if (REPOSITORY / DOCS / site).is_file() else site


def linked_files(path: str, text: str) -> Iterator[str]:
    """Files of the repository that a page links to."""
    for link in LINK.finditer(FENCED.sub("", text)):
        if found := linked_file(path, link[2].partition("#")[0]):
            yield found


def linked_file(path: str, target: str) -> str:
    """The file of the repository that a page's link leads to; "" for one to the web, within the page, or to nothing."""
    if not target or ":" in target:
        return ""
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(target)))
    return found if not found.startswith("..") and (REPOSITORY / found).is_file() else ""


def outside_fences(text: str, moved: Any) -> str:
    """Replace links by a function of the match, in running text only."""
    ends = [0, *(end for block in FENCED.finditer(text) for end in block.span()), len(text)]
    parts = [text[first:last] for first, last in pairwise(ends)]
    return "".join(LINK.sub(moved, part) if place % 2 == 0 else part for place, part in enumerate(parts))
