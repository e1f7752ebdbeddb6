"""The definition of the Apptainer image: its syntax, and that what it copies, runs and installs is there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
DEFINITION = REPOSITORY / "envs" / "histoloom.def"
# Source: Apptainer user documentation, "Definition files": header keywords and sections of a build of one stage.
SECTIONS = {"setup", "files", "post", "environment", "test", "startscript", "runscript", "labels", "help", "arguments"}


@pytest.fixture(scope="module")
def parts():
    """(header, lines of each section) of the definition; comments and empty lines are left out."""
    header, sections, current = {}, {}, None
    for line in DEFINITION.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("%"):
            current = sections.setdefault(text.removeprefix("%"), [])
        elif current is None:
            key, _, value = text.partition(":")
            header[key] = value.strip()
        else:
            current.append(text)
    return header, sections


@pytest.fixture(scope="module")
def locked():
    """Names of the libraries that the lock pins."""
    lock = (REPOSITORY / "envs" / "lock.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def test_the_header_names_a_python_that_the_workflow_runs_on(parts):
    header, _ = parts
    assert set(header) == {"Bootstrap", "From"}
    assert header["Bootstrap"] == "docker"
    assert re.fullmatch(r"python:3\.1[1-9]-slim-\w+", header["From"])


def test_all_sections_are_known_to_apptainer_and_hold_something(parts):
    _, sections = parts
    assert {"files", "post", "runscript", "test"} <= set(sections) <= SECTIONS
    assert all(sections.values())


def test_what_is_copied_into_the_image_is_there_and_is_what_is_installed(parts):
    _, sections = parts
    pairs = [line.split() for line in sections["files"]]
    assert all(len(pair) == 2 and (REPOSITORY / pair[0]).is_file() for pair in pairs)
    targets = [target for _, target in pairs]
    [install] = [line for line in sections["post"] if "pip install" in line]
    assert re.findall(r"-r (\S+)", install) == targets
    assert "--require-hashes" in install


def test_the_build_stops_at_the_first_command_that_fails(parts):
    _, sections = parts
    assert sections["post"][0] == "set -eu"


def test_what_the_image_runs_is_installed(parts, locked):
    _, sections = parts
    commands = [line.removeprefix("exec ").split()[0] for line in sections["runscript"] + sections["test"]]
    assert set(commands) - {"python"} <= locked


def test_no_registry_but_the_base_images_is_named(parts):
    text = DEFINITION.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text


def test_the_workflow_names_the_image_that_the_definition_says_to_build():
    [image] = re.findall(r"apptainer build (\S+) envs/histoloom\.def", DEFINITION.read_text(encoding="utf-8"))
    snakefile = (REPOSITORY / "Snakefile").read_text(encoding="utf-8")
    assert re.search(rf'^container: "{re.escape(image)}"$', snakefile, re.MULTILINE)
