"""Flags, fingerprints and digests: what makes Snakemake run a rule again, and what does not."""

import ast
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from histoloom.arguments import pair
from histoloom.flags import flags
from histoloom.study import workflow
from histoloom.study.sections import section
from histoloom.study.study import Study
from histoloom.study.workflow import SCRIPTS, fingerprint

REPOSITORY = Path(__file__).parents[2]
DEMO = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
CODE = {
    "run.py": '"""Run."""\nfrom lib import model\nimport json\n\n\ndef main():\n    """Start."""\n    model.f(1)\n',
    "lib/__init__.py": "",
    "lib/model.py": "from lib.parts import g\n\n\ndef f(x):\n    return g(x)  # why\n",
    "lib/parts.py": "def g(x):\n    return x + 1\n",
    "lib/other.py": "def h(x):\n    return x\n",
}


def lay(folder, changed):
    """Write the small project CODE into `folder` with some files replaced."""
    for name, text in (CODE | changed).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def print_of(tmp_path):
    """A function that lays the project anew, with {file: text} changed, and gives the fingerprint of run.py."""
    numbers = iter(range(99))
    return lambda changed=CODE: fingerprint(Path("run.py"), root=lay(tmp_path / str(next(numbers)), changed))


def test_a_moved_project_keeps_its_fingerprint(print_of):
    assert print_of() == print_of()


def test_comments_docstrings_layout_and_unused_modules_do_not_count(print_of):
    edited = CODE["run.py"].replace("Start", "Begin").replace("Run.", "Go.").replace("import json", "import json  # so")
    others = {"lib/other.py": "def h(x):\n    return 2\n", "lib/new.py": "x = 1\n"}
    assert print_of({"run.py": edited, **others}) == print_of()
    model = CODE["lib/model.py"].replace("# why", "").replace("g(x)  ", "g( x )")
    assert print_of({"lib/model.py": model}) == print_of()


@pytest.mark.parametrize("name", ["run.py", "lib/model.py", "lib/parts.py", "lib/__init__.py"])
def test_code_of_the_script_and_of_every_module_it_imports_counts(print_of, name):
    assert print_of({name: CODE[name] + "\n\nextra = 1\n"}) != print_of()


def test_a_text_that_is_no_docstring_counts(print_of):
    assert print_of({"lib/parts.py": 'def g(x):\n    x\n    "a"\n'}) != print_of(
        {"lib/parts.py": 'def g(x):\n    x\n    "b"\n'}
    )


def test_a_body_of_nothing_but_a_docstring_is_hashed(print_of):
    assert print_of({"lib/parts.py": 'def g(x):\n    """No."""\n'}) == print_of(
        {"lib/parts.py": 'def g(x):\n    """Yes."""\n'}
    )


def test_imports_within_functions_are_followed(print_of):
    late = "def g(x):\n    from lib.other import h\n    return h(x)\n"
    assert print_of({"lib/parts.py": late}) != print_of(
        {"lib/parts.py": late, "lib/other.py": "def h(x):\n    return 2\n"}
    )


def test_circular_imports_end(print_of):
    assert print_of({"lib/parts.py": "from lib import model\n\n\ndef g(x):\n    return x\n"})


def test_no_script_imports_what_only_the_snakefile_needs():
    rules = "".join(path.read_text() for path in (SCRIPTS.parent / "workflow" / "rules").glob("*.smk"))
    called = {f"{name}.py" for name in re.findall(r"python scripts/(\w+)\.py", rules)}
    assert "train.py" in called or "launch_training.py" in called
    # A model card quotes the sections of the config, and is written in seconds.
    for script in (SCRIPTS / name for name in called - {"write_model_card.py"}):
        assert "study" not in {file.parent.name for file in modules_of(script)}, script


def modules_of(script):
    waiting, found = [script], {}
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file], imports = workflow._read_module(file, SCRIPTS)
            waiting += imports
    return list(found)


def test_no_import_is_relative_for_fingerprints_follow_absolute_ones_alone():
    files = sorted(SCRIPTS.rglob("*.py"))
    relative = [
        f"{file.relative_to(SCRIPTS)}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert files
    assert relative == []


def test_no_script_bears_the_name_of_a_module_of_the_standard_library():
    assert {script.stem for script in SCRIPTS.glob("*.py")} & set(sys.stdlib_module_names) == set()


def test_options_come_back_from_their_flag_as_they_were():
    options = {"width": 8, "rate": 0.5, "deep": True, "name": "8", "points": ["a", "b"], "none": None}
    words = flags({"option": options})
    assert words[0] == "--option"
    assert dict(pair(word) for word in words[1:]) == options


def reordered(value):
    """The same value with the keys of every dict in reverse order; lists stay."""
    return {key: reordered(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def test_another_order_of_the_configs_lines_changes_no_rules_params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dataset in ("pannuke", "brecahad"):
        raw(Path("data/demo") / dataset)
    assert list(reordered(DEMO)["train"]) == list(DEMO["train"])[::-1]
    first, second = Study(DEMO), Study(reordered(DEMO))
    names = [
        (stage, name)
        for stage in ("prepare", "split", "train", "predict", "evaluate", "report")
        for name in dir(getattr(first, stage))
        if name.endswith("flags")
    ]
    assert len(names) >= 9
    for stage, name in [*names, ("report", "recorded")]:
        one, other = (getattr(getattr(study, stage), name) for study in (first, second))
        assert one(WILDCARDS) == other(WILDCARDS), name


def test_the_order_of_a_list_is_kept():
    assert flags({"metric": ["pq", "dice"]}) == ["--metric", "pq", "dice"]


def test_equal_flags_are_one_list_for_all_jobs_of_a_plan():
    assert flags({"tile_px": 256, "flip": True}) is flags({"flip": True, "tile_px": 256})
    assert flags({"tile_px": 256}) is not flags({"tile_px": 128})


def test_flags_of_nothing_are_left_out():
    assert flags({"option": {}, "metric": [], "flip": False, "hue_deg": 0.0}) == ["--flip", "false", "--hue-deg", "0.0"]


def raw(folder, size=5):
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(b"a" * size)
    (folder / "b.json").write_bytes(b"{}")
    return folder


def test_the_stronger_section_wins():
    config = {
        "train": {"a": 0, "b": 0, "c": 0, "d": 0},
        "datasets": {"x": {"train": {"b": 1, "c": 1, "d": 1}}},
        "architectures": {"y": {"train": {"c": 2, "d": 2}}},
        "pairs": {"x/y": {"train": {"d": 3}}},
    }
    assert section(config, "train", "x", "y") == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert section(config, "train", "x") == {"a": 0, "b": 1, "c": 1, "d": 1}
    assert section(config, "train", "z", "y") == {"a": 0, "b": 0, "c": 2, "d": 2}


WILDCARDS = SimpleNamespace(
    dataset="demo_breast", architecture="unet_narrow", fold="0", baseline="all_background", overlap="4"
)


def changed(**values):
    return {**DEMO, "train": {**DEMO["train"], **values}}


@pytest.mark.parametrize(
    "run", [{"processes_per_node": 2}, {"threads_per_process": 2}, {"loader_workers": 0}, {"local_scratch": True}]
)
def test_how_training_runs_is_no_part_of_its_flags(run):
    before, after = Study(DEMO), Study(changed(**run))
    assert before.train.flags(WILDCARDS) == after.train.flags(WILDCARDS)
    assert before.train.flags(WILDCARDS) != Study(changed(weight_decay=0.5)).train.flags(WILDCARDS)


def test_threads_are_those_of_all_processes():
    assert Study(changed(processes_per_node=2, threads_per_process=3)).train.threads(WILDCARDS) == 6


def test_the_loss_and_the_selecting_metric_are_part_of_trainings_code():
    codes = [
        Study(changed(**values)).train.code(WILDCARDS) for values in ({}, {"loss": "bce"}, {"select_metric": "iou"})
    ]
    assert len(set(codes)) == 3


def test_postprocessing_does_not_change_the_flags_of_prediction():
    edited = {**DEMO, "predict": {**DEMO["predict"], "min_area_px": 7}}
    assert Study(edited).predict.flags(WILDCARDS) == Study(DEMO).predict.flags(WILDCARDS)
    assert Study(edited).predict.tune_flags(WILDCARDS) != Study(DEMO).predict.tune_flags(WILDCARDS)


def test_without_baselines_their_pattern_matches_nothing():
    import re

    bare = Study({**DEMO, "study": {**DEMO["study"], "baselines": []}})
    assert not re.fullmatch(bare.baseline_pattern, "")


def test_the_record_holds_what_was_chosen_and_no_more(tmp_path, monkeypatch):
    import json

    monkeypatch.chdir(tmp_path)
    for dataset in ("pannuke", "brecahad"):
        raw(Path("data/demo") / dataset)
    record = json.loads(Study(DEMO).report.recorded(None))
    assert set(record["architectures"]) == {"unet_small", "unet_narrow"}
    assert record["datasets"]["demo_nuclei"]["split"]["scheme"] == "official"
    assert record["datasets"]["demo_nuclei"]["split"]["fold_count"] == 3
    assert set(record["raw_data"]) == {"demo_nuclei", "demo_breast"}


@pytest.mark.parametrize("rules", sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")), ids=lambda path: path.stem)
def test_every_rule_has_a_log_and_quotes_what_it_interpolates(rules):
    import re

    text = rules.read_text()
    for rule in re.split(r"\n(?:(?:use )?rule|checkpoint) ", text)[1:]:
        if "\n    output:" not in rule:  # a name for wanted files
            continue
        assert "\n    log:" in rule
        if " as " not in rule.splitlines()[0]:
            assert "\n    shell:" in rule
            assert not re.findall(r"{[a-z_.]+}", rule.split("shell:")[1])
    for word in ("lambda", "\n    run:", "\n    script:", "def "):
        assert word not in text


def test_the_snakefile_has_at_most_sixty_lines_and_defines_nothing():
    text = (REPOSITORY / "Snakefile").read_text()
    assert len(text.splitlines()) <= 60
    assert "def " not in text


def test_workflow_needs_the_standard_library_alone():
    for name in ("study/workflow", "flags", "files", "plugins", "errors", "train/loss_terms"):
        tree = ast.parse((SCRIPTS / "histoloom" / f"{name}.py").read_text())
        roots = {found.split(".")[0] for found in workflow._imported_names(tree)}
        assert roots <= {*sys.stdlib_module_names, "histoloom"}


def test_the_conda_environment_has_the_locks_versions():
    lock = (REPOSITORY / "envs" / "lock.txt").read_text()
    environment = yaml.safe_load((REPOSITORY / "envs" / "environment.yaml").read_text())
    pinned = environment["dependencies"][-1]["pip"]
    wanted = (REPOSITORY / "envs" / "requirements.in").read_text().split("# Tests")[0]
    names = [line.split()[0].split("==")[0] for line in wanted.splitlines() if line and not line.startswith("#")]
    assert [pin.split("==")[0] for pin in pinned] == names
    assert [pin for pin in pinned if f"\n{pin} " not in "\n" + lock] == []


def test_the_lock_pins_hashes_and_names_no_host():
    lock = (REPOSITORY / "envs" / "lock.txt").read_text()
    assert "://" not in lock
    assert "index" not in lock
    packages = [line for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    assert all(line.endswith(" \\") for line in packages)
    assert lock.count("--hash=sha256:") >= len(packages)
