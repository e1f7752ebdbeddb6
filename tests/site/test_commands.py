"""Every command that the documents show can be given: its program takes the words, and the files named are there."""

import re
import runpy
import sys
from functools import cache

import pytest

from tests.site.commands import DOCUMENTS, INDENTED, PROGRAMS, REPOSITORY, commands_of

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
RULES = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"))
TEXTS = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
SHOWN_FILES = set(re.findall(r"^`([\w./]+)`:$", TEXTS, re.MULTILINE))  # a document prints them whole
COMMANDS = list(dict.fromkeys(command for document in DOCUMENTS for command in commands_of(document)))
OURS = ("Snakefile", "config/", "docs/", "envs/", "scripts/", "tests/", "workflow/", ".ci/")
# Programs of others, which are not asked whether they take these words; files of ours among them are looked for.
FOREIGN = {
    "QuPath",
    "apptainer",
    "audit/bin/pip",
    "audit/bin/pip-audit",
    "cd",
    "git",
    "grep",
    "monai",
    "pip",
    "sha256sum",
    "source",
    "tee",
}


def of(*programs):
    return [pytest.param(command, id=str(command)) for command in COMMANDS if command.words[0] in programs]


@cache
def flags_of(script):
    """Every flag of a script, as its --help tells them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, "--help"])
        patch.setenv("COLUMNS", "400")
        told = []
        patch.setattr("argparse.ArgumentParser.print_help", lambda parser: told.append(parser.format_help()))
        with pytest.raises(SystemExit):
            runpy.run_path(str(REPOSITORY / script), run_name="__main__")
    return set(re.findall(r"--[a-z0-9-]+", told[0]))


def is_there(path):
    return (REPOSITORY / path).exists() or path in SHOWN_FILES


def test_commands_were_found():
    programs = {command.words[0] for command in COMMANDS}
    assert {"make", "snakemake", "python"} <= programs
    assert programs <= {*PROGRAMS, *FOREIGN}, "a program that no test here knows"
    assert len(COMMANDS) > 60


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_a_block_shows_commands_from_its_first_line_or_none(document):
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for block in INDENTED.findall(text):
        first, *others = (line.split()[0] for line in block.splitlines() if line.strip())
        assert first in PROGRAMS or not {"make", "snakemake", "python"} & set(others), block


@pytest.mark.parametrize("command", of("make"))
def test_make_knows_the_target_and_its_variables(command):
    _, target, *rest = command.words
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    for word in rest:
        name, sign, _ = word.partition("=")
        assert sign and (f"$({name})" in MAKEFILE), f"{word}: no variable of the Makefile"


@pytest.mark.parametrize("command", of("snakemake"))
def test_snakemake_takes_the_words_and_has_the_target_and_the_files(command):
    from snakemake.cli import get_argument_parser

    words = [word for word in command.words[1:] if word != "..."]
    if words[-1] in ("--configfile", "--report"):
        words.pop()  # named in running text, without its value
    arguments = get_argument_parser().parse_args(words)
    for file in arguments.configfile or ():
        assert is_there(str(file)) or str(file) == "config/studies/mine.yaml"
    for target in arguments.targets:
        is_rule = re.search(rf"^(?:rule|checkpoint) {re.escape(target)}:", RULES, re.MULTILINE)
        assert is_rule or any(re.fullmatch(path, target) for path in declared_outputs()), target
    assert all(is_there(f"workflow/profiles/{profile}") for profile in arguments.profile or ())


@cache
def declared_outputs():
    """Every path of the rules as a pattern, a name for each wildcard."""
    paths = set(re.findall(r'"(results/[^"]+)"', RULES))
    return [re.sub(r"\\\{\w+\\\}", "[a-z0-9_]+", re.escape(path)) for path in paths]


@pytest.mark.parametrize("command", of("python", ".venv/bin/python", "bash"))
def test_python_and_bash_have_the_script_and_the_script_its_flags(command):
    script, *rest = command.words[1:]
    if script == "-m":
        assert rest[0] in ("monai.bundle", "pip", "pytest", "venv")
        assert all(is_there(word) for word in rest[1:] if word.startswith(OURS))
        return
    assert is_there(script)
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert not given or given <= flags_of(script)


@pytest.mark.parametrize("command", of(*FOREIGN))
def test_other_programs_are_given_files_that_are_there(command):
    for word in command.words[1:]:
        if word.startswith(OURS) and not word.endswith(".sif"):  # an image is what the command makes
            assert is_there(word)


def test_a_flag_that_no_script_has_would_be_seen():
    assert "--truth" in flags_of("scripts/score.py")
    assert "--thruth" not in flags_of("scripts/score.py")
