"""The documents tell the truth: their examples run, and the files, targets, keys and links that they name are there."""

import re
import shutil
import subprocess
import sys
from importlib import import_module
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from histoloom import plugins
from histoloom.evaluate.direction import is_lower_better
from histoloom.evaluate.scores import definition, fact
from histoloom.evaluate.tables.comparison import COMPARISON_COLUMNS
from histoloom.evaluate.tables.summary import SCORE_KEYS, SUMMARY_COLUMNS
from histoloom.formats.images import write_image
from histoloom.networks import build_network
from histoloom.prepare.preparation import PreparedFiles, checked_options, write_prepared
from histoloom.prepared import read_description, read_index
from histoloom.study.checks.complaint import complaint
from histoloom.targets import Outputs, Target
from histoloom.train.course import Course
from histoloom.train.objective import objective, weighted_losses

REPOSITORY = Path(__file__).parents[1]
BASE = REPOSITORY / "config" / "config.yaml"
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "results/README.md",
    "SECURITY.md",
    *sorted(path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").rglob("*.md")),
)
TEXTS = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in DOCUMENTS}
# A complete file in a document: its path in backticks, a colon, then a fenced block.
FILES = re.compile(r"^`([\w./]+)`:\n\n```(?:python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = dict(FILES.findall(TEXTS["CONTRIBUTING.md"]))
STUDIES = dict(FILES.findall(TEXTS["README.md"]))
SHOWN = {path for text in TEXTS.values() for path, _ in FILES.findall(text)}
FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TOP = ("scripts/", "config/", "workflow/", "tests/", "envs/", "docs/", "benchmarks/", ".ci/")
SECTIONS = (
    "study", "prepare", "inspect", "split", "normalise", "tiles", "tune", "train", "augment", "rounds", "predict",
    "regions", "evaluate", "slides", "export", "report", "resources", "limits",
)  # fmt: skip
LINKS = [
    (name, link)
    for name, text in TEXTS.items()
    for link in re.findall(r"\]\(([^)\s]+)\)", text)
    if not link.startswith(("http", "mailto"))
]


def kind_and_name(path: str) -> tuple[str, str]:
    return Path(path).parent.name, Path(path).stem


def write_examples(folder: Path) -> None:
    for path, code in EXAMPLES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")


def quoted(text: str) -> set[str]:
    """What stands between backticks in running text, not in blocks."""
    return set(re.findall(r"`([^`\n]+)`", FENCES.sub("", text)))


@pytest.fixture
def contributed(tmp_path, monkeypatch):
    """The plug-ins of CONTRIBUTING.md, found beside those of the library."""
    write_examples(tmp_path)
    library = tmp_path / "scripts" / "histoloom"
    monkeypatch.setattr(plugins, "LIBRARY", library)
    plugins.options.cache_clear()
    for kind, name in map(kind_and_name, EXAMPLES):
        package = import_module(f"histoloom.{kind}")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(library / kind)])
        # Set, so that it is taken out again after the test whatever the test imports under this name.
        monkeypatch.setitem(sys.modules, f"histoloom.{kind}.{name}", None)
        monkeypatch.delitem(sys.modules, f"histoloom.{kind}.{name}")
    yield
    plugins.options.cache_clear()


def paired_folder(root: Path) -> Path:
    """Two images of two cases; the mask of the first has one pixel of class 1 and one that nobody annotated."""
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    mask = np.zeros((4, 6), np.uint8)
    mask[0, 0], mask[3, 5] = 1, 255
    for name, values in (("a_1", mask), ("b_1", np.zeros((5, 5), np.uint8))):
        write_image(root / "images" / f"{name}.png", np.full((*values.shape, 3), 200, np.uint8))
        write_image(root / "masks" / f"{name}.png", values)
    return root


def test_there_is_an_example_of_each_kind():
    assert {kind_and_name(path)[0] for path in EXAMPLES} == {
        "datasets",
        "architectures",
        "losses",
        "schedules",
        "metrics",
    }


def test_the_dataset_example_is_prepared_with_its_groups_and_classes(contributed, tmp_path):
    options = checked_options("paired_png", {"classes": ["background", "gland"]})
    dataset = plugins.load("datasets", "paired_png")(paired_folder(tmp_path / "raw"), **options)
    index, description = tmp_path / "index.csv", tmp_path / "dataset.json"
    folders = (tmp_path / kind for kind in ("images", "masks", "instances", "second_instances"))
    files = PreparedFiles(*folders, index, tmp_path / "skipped.csv", description)
    write_prepared(dataset, files, name="mine", reader="paired_png")
    assert [(row.name, row.group, row.height, row.width) for row in read_index(index)] == [
        ("a_1", "a", 4, 6),
        ("b_1", "b", 5, 5),
    ]
    assert read_description(description).classes == ("background", "gland")
    samples = list(dataset)
    assert samples[0].mask[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert samples[0].mask[3, 5] == 255


@pytest.mark.parametrize("part", ["images", "masks"])
def test_the_dataset_example_names_a_file_without_its_partner(contributed, tmp_path, part):
    root = paired_folder(tmp_path / "raw")
    (root / part / "b_1.png").unlink()
    dataset = plugins.load("datasets", "paired_png")(root)
    assert len(dataset) == 1
    assert f"b_1.png: has no {'image' if part == 'images' else 'annotation'}" in dataset.problems[0]


def test_the_architecture_example_gives_an_output_for_each_class_on_the_grid_of_its_input(contributed):
    network = build_network("attention_unet", {"width": 8}, 5).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 32, 70)).shape == (2, 5, 32, 70)


def test_the_loss_example_equals_the_formula_and_leaves_out_what_nobody_annotated(contributed):
    # Logits 0 and 0 are probability 1/2. Logits -2 and 2 on the wrong side, in the second image: p = 1 / (1 + e^4).
    masks = torch.zeros(2, 2, 2, dtype=torch.uint8)
    masks[0, 0, 0] = 255
    logits = torch.zeros(2, 2, 2, 2)
    logits[0, 1, 0, 0] = 30
    logits[1, 0], logits[1, 1] = -2, 2
    p = 1 / (1 + np.exp(4))
    expected = [log(2) + 3 * (1 - 0.5), -log(p) + 3 * (1 - p)]
    target = Target.of(masks, torch.ones(2))
    loss = plugins.load("losses", "poly_cross_entropy")
    np.testing.assert_allclose(loss(logits, target, epsilon=3.0), expected, rtol=1e-5)
    terms = weighted_losses("2*poly_cross_entropy(epsilon=3.0)")
    total, pixels = objective(logits, target, terms, Outputs(("background", "tumour"), has_maps=False))
    assert pixels == 7
    assert total.item() == pytest.approx(2 * (3 * expected[0] + 4 * expected[1]), rel=1e-5)


def test_the_schedule_example_falls_every_few_epochs(contributed):
    schedule = plugins.load("schedules", "step_decay")
    rates = [schedule(Course(step, 10, 9), every_epochs=3, factor=0.5) for step in (0, 29, 30, 60)]
    assert rates == [1.0, 1.0, 0.5, 0.25]


def test_the_metric_example_equals_a_count_by_hand(contributed):
    # 20 pixels. Not of class 0: 10, of which 1 was taken for it. Of class 1: 10 and 2. Of class 2: 20 and 4.
    confusion = np.array([[[8, 2, 0], [1, 5, 4], [0, 0, 0]]])
    expected = [(0.8 * 0.9) ** 0.5, (0.5 * 0.8) ** 0.5, np.nan]
    np.testing.assert_allclose(plugins.load("metrics", "g_mean")(confusion), [expected])
    assert fact("g_mean") == "confusion"
    assert definition("g_mean").startswith("Geometric mean")


def test_every_metric_is_listed_with_its_definition():
    rows = re.findall(r"^\| `(\w+)` \| (.+?)(\. \*\*Less is better\*\*)? \|$", TEXTS["docs/metrics.md"], re.MULTILINE)
    listed = {name: (text, bool(less)) for name, text, less in rows}
    assert listed == {name: (definition(name), is_lower_better(name)) for name in plugins.names("metrics")}


def test_the_examples_pass_the_tests_of_their_kinds(tmp_path):
    for part in ("scripts/histoloom", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "faults")
        shutil.copytree(REPOSITORY / part, tmp_path / part, ignore=ignored)
    shutil.copy2(REPOSITORY / "pyproject.toml", tmp_path)
    write_examples(tmp_path)
    names = [kind_and_name(path)[1] for path in EXAMPLES]
    files = [
        "prepare/test_datasets",
        "architectures/test_shared",
        "losses/test_every_loss",
        "train/test_schedules",
        "evaluate/test_metrics",
    ]
    files = [f"tests/{file}.py" for file in files]
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-k", " or ".join(names), *files]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]
    for name in names:
        assert f"{name}]" in ended.stdout, f"no test ran on {name}"


def test_the_examples_keep_the_style(tmp_path):
    write_examples(tmp_path)
    settings = ("--config", str(REPOSITORY / "pyproject.toml"), "--no-cache", str(tmp_path))
    # Fixed here, since the folder around the examples tells ruff which imports are the project's own.
    own = ("--config", f'src=["{REPOSITORY / "scripts"}"]')
    for command in (("check", *own), ("format", "--check")):
        ended = subprocess.run([sys.executable, "-m", "ruff", *command, *settings], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_study_in_the_readme_is_sound_where_its_data_is(tmp_path, monkeypatch):
    ((name, text),) = STUDIES.items()
    monkeypatch.chdir(tmp_path)
    study = tmp_path / Path(name).name
    for number, dataset in enumerate(yaml.safe_load(text)["datasets"].values()):
        (tmp_path / f"raw{number}").mkdir()
        assert text.count(dataset["root"]) == 1
        text = text.replace(dataset["root"], f"raw{number}")
    for dataset in yaml.safe_load(BASE.read_text())["datasets"].values():
        Path(dataset["root"]).mkdir(parents=True)
    study.write_text(text)
    assert complaint([BASE, study], {}) == ""
    study.write_text(text.replace("epochs:", "epoch:"))
    assert "did you mean 'epochs'" in complaint([BASE, study], {})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_is_in_the_makefile(name):
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", TEXTS[name], re.MULTILINE))
    assert named <= targets
    assert named or name != "README.md"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_of_the_repository_is_there(name):
    paths = {word.rstrip("/") for word in quoted(TEXTS[name]) if word.startswith(TOP) and " " not in word}
    missing = [path for path in paths - SHOWN if not (REPOSITORY / path).exists()]
    assert missing == []


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_every_link_leads_somewhere(name, link):
    path, _, heading = link.partition("#")
    target = REPOSITORY / name if not path else (REPOSITORY / name).parent / path
    assert target.exists(), f"{name} links to {link}"
    if heading:
        headings = re.findall(r"^#+ (.+)$", FENCES.sub("", target.read_text(encoding="utf-8")), re.MULTILINE)
        assert heading in {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


# The page of all values names them without their section; tests/site has its tests.
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "docs/configuration.md"])
def test_every_key_of_the_config_is_there(name):
    config = yaml.safe_load(BASE.read_text())
    config["study"] |= yaml.safe_load((REPOSITORY / "config" / "studies" / "real_samples.yaml").read_text())["study"]
    keys = re.findall(rf"`({'|'.join(SECTIONS)})\.([a-z_]+)(?:`|:)", TEXTS[name])
    keys = [(section, key) for section, key in keys if key not in ("py", "csv", "html", "json", "smk", "yaml")]
    assert [f"{section}.{key}" for section, key in keys if key not in config[section]] == []
    assert keys or name != "README.md"


def test_every_result_has_its_place_in_the_description():
    rules = "".join(path.read_text() for path in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")))
    declared = {re.sub(r"\{+(\w+)\}+", r"<\1>", path) for path in re.findall(r'(?<!f)"results/([^"]+)"', rules)}
    declared = {path.replace("<fold>", "<k>").replace("<baseline>", "<architecture>") for path in declared}
    described = {
        word for word in quoted(TEXTS["results/README.md"]) if word.startswith(("<dataset>/", "report/", "slides/"))
    }
    named = {path for path in declared if not path.endswith("<table>.csv")}  # inputs that other rules declare
    assert named <= {word.rstrip("/") for word in described}
    for word in described:
        assert any(word.startswith(path) for path in declared) or "/state/" in word, word


def test_every_column_of_the_tables_is_explained():
    words = quoted(TEXTS["README.md"])
    assert {*SUMMARY_COLUMNS, *SCORE_KEYS, *COMPARISON_COLUMNS} <= words


def test_the_citation_is_complete():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "license", "type", "version"} <= citation.keys()
    assert citation["authors"] == [{"name": "The histoloom authors"}]
    version = re.search(r'^version = "(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert citation["version"] == version
    assert f"## [{version}]" in TEXTS["CHANGELOG.md"]
