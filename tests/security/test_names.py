"""Names made for harm go through a real run: of shells, paths and Snakemake's own braces they are nothing but text."""

import re
import shutil

import imageio.v3 as iio
import numpy as np
import pytest
import yaml

from histoloom.prepared import read_description, read_index
from tests.study.test_snakemake import REPOSITORY, copy_workflow, snakemake

HARM = "$(touch pwned1) ; touch pwned2 | `touch pwned3` && 'x\" \\ {output} {{y}} <z> *"
INDEX = "results/hostile/prepared/index.csv"
STUDY = {
    "study": {"name": f"{HARM}\n</script><script>alert(1)</script>", "datasets": ["hostile"]},
    "datasets": {
        "hostile": {
            "reader": "folder",
            "root": f"raw {HARM}\n--receipt=pwned4",
            "options": {
                "images": f"images {HARM}",
                "classes": ["background=0", f"{HARM}=1"],
                "licence": f"{HARM}\n../../pwned5",
                "citation": "--on-bad-image",
            },
        }
    },
}
NAMES = (f"a{HARM.replace('/', '')}", "--help", "x\\..\\pwned6", "=cmd|' !A0", "a\nb")


def run(folder, *arguments, **values):
    (folder / "study.yaml").write_text(yaml.safe_dump({**STUDY, **values}))
    return snakemake(folder, *arguments, "-c1", "--configfile", "study.yaml", "--", INDEX)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder in which the workflow has prepared a dataset with such names."""
    folder = tmp_path_factory.mktemp("hostile") / "workflow"
    folder.mkdir()
    copy_workflow(folder)
    settings = STUDY["datasets"]["hostile"]
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    images, masks = (folder / settings["root"] / name for name in (settings["options"]["images"], "masks"))
    for place, values in ((images, pixels), (masks, np.eye(32, dtype=np.uint8))):
        place.mkdir(parents=True)
        for name in NAMES:
            iio.imwrite(place / f"{name}.png", values)
    ended = run(folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


def test_nothing_that_stands_in_a_name_was_run(prepared):
    assert list(prepared.parent.rglob("pwned?")) == []


def test_files_bear_names_without_any_meaning_and_lie_in_their_folder(prepared):
    rows = read_index(prepared / INDEX)
    assert len(rows) == len(NAMES)
    for row in rows:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", row.name)
        assert row.image.resolve().parent == (prepared / "results/hostile/prepared/images").resolve()


def test_the_names_are_kept_as_text(prepared):
    description = read_description(prepared / "results/hostile/prepared/dataset.json")
    assert description.classes == ("background", HARM)
    assert description.licence == STUDY["datasets"]["hostile"]["options"]["licence"]


def test_raising_every_limit_makes_nothing_run_again(prepared):
    values = yaml.safe_load((prepared / "config" / "config.yaml").read_text())["limits"]
    ended = run(prepared, "-n", limits={name: 2 * value for name, value in values.items()})
    assert "Nothing to be done" in ended.stdout + ended.stderr


def test_a_limit_of_the_config_reaches_the_job(prepared):
    shutil.rmtree(prepared / "results")
    ended = run(prepared, limits={"image_pixels": 1023})
    assert ended.returncode != 0
    log = (prepared / "logs/prepare/hostile.log").read_text()
    assert "32 x 32 pixels; expected at most 1,023 in one image; cut it into tiles, or raise limits.image_pixels" in log


def test_every_value_in_a_shell_command_of_a_rule_is_quoted():
    commands = [
        command
        for path in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
        for command in re.findall(r'shell:\s*"""(.*?)"""', path.read_text(), re.DOTALL)
    ]
    assert len(commands) > 30
    assert [found for command in commands for found in re.findall(r"\{[^{}]*(?<!:q)\}", command)] == []
