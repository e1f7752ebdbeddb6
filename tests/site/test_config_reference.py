"""The page of all values of the config is complete and as new as the schema and the comments it is written from."""

import re
from pathlib import Path

import pytest
import yaml

from histoloom.errors import InputError
from histoloom.site.config_comments import Comments, read_comments
from histoloom.site.config_keys import ConfigKey, config_keys, kind
from histoloom.site.config_reference import reference
from tests.scripts_run import outcome

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
SCHEMA = yaml.safe_load((REPOSITORY / "workflow" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))
CONFIG = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8")
DEFAULTS = yaml.safe_load(CONFIG)
ROWS = {
    (section.partition("\n")[0], row[1]): row
    for section in PAGE.split("\n## ")[1:]
    for row in re.finditer(r"^\| `(.+?)` \| (.+?) \| (.+?) \| (.*?) \| (.+) \|$", section, re.MULTILINE)
}


def walked(node, way=()):
    """Every key of a schema by the names on its way: our own walk, which knows nothing of the page's."""
    if "$ref" in node:
        yield from walked(SCHEMA["$defs"][node["$ref"].split("/")[-1]], way)
    for name, inner in node.get("properties", {}).items():
        yield (*way, name)
        yield from walked(inner, (*way, name))
    for below, mark in (("additionalProperties", ".<name>"), ("items", "[]")):
        if isinstance(node.get(below), dict):
            yield from walked(node[below], (*way, mark))


def told_key(way):
    """The row that tells of a key: its own, or that of the section whose values a dataset overrides."""
    section, *inner = way
    catalogue = section in ("datasets", "architectures", "pairs")
    is_override = catalogue and len(inner) > 1 and inner[1] in DEFAULTS
    is_slide_override = section == "slides" and inner[0] in ("predict", "regions")
    shortened = inner[:2] if is_override else inner[:1] if is_slide_override else inner
    return section, ".".join(shortened).replace("..", ".").replace(".[]", "[]").lstrip(".")


KEYS = {told_key(way) for way in walked(SCHEMA) if len(way) > 1}


def test_the_page_has_every_key_of_the_schema_and_no_other():
    assert len(KEYS) > 200
    assert {*ROWS} == KEYS


def test_every_row_says_something_in_every_cell():
    assert [row[0] for row in ROWS.values() if len(row[2]) < 5 or not row[3] or not row[5]] == []


def test_every_default_of_the_page_is_that_of_the_config():
    for (section, key), row in ROWS.items():
        value = DEFAULTS[section]
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        # A mapping with rows of its own, and what the default lacks, have no cell; `none` is a text of the config.
        shown = "" if value is None or (isinstance(value, dict) and value) else yaml.safe_load(row[4].strip("`"))
        assert (row[4] if shown == "" else shown) == ("" if shown == "" else value), (section, key)


def test_the_page_is_as_new_as_what_it_is_written_from(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    written = tmp_path / "configuration.md"
    assert outcome(["scripts/write_config_reference.py", "--page", str(written)]) == "done"
    assert written.read_text(encoding="utf-8") == PAGE, "run: python scripts/write_config_reference.py"


def test_a_comment_belongs_to_the_key_beside_or_below_it():
    text = (
        "# Of the file.\n\n# Of the section.\npredict:\n  # Of scale alone.\n"
        '  scale: 1          # a factor, as in "#1"\n                    # and more\n  plain: 2\n'
    )
    comments = read_comments(text)
    assert comments.of("predict") == "Of the section"
    assert comments.of("predict.scale") == 'a factor, as in "#1" and more. Of scale alone'
    assert comments.of("predict.plain") == ""


def test_a_key_that_nothing_explains_is_refused():
    with pytest.raises(InputError, match=r"'train\.new' has no comment; expected one that says what it is"):
        reference("# Title", [ConfigKey("train.new", "a text")], {"train": {}}, Comments())


def test_kinds_and_bounds_are_said_in_words():
    assert kind(SCHEMA, {"type": "number", "exclusiveMinimum": 0, "maximum": 1}) == "a number, at most 1, more than 0"
    assert kind(SCHEMA, {"type": ["string", "array"]}) == "a text or a list"
    assert (
        kind(SCHEMA, {"type": "array", "items": {"enum": [1, 4]}, "minItems": 1})
        == "a list, each 1 or 4, at least 1 entry"
    )
    listed = {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}}
    schema = {"properties": {"one": {"properties": {"two": listed}}}, "$defs": {}}
    assert [key.key for key in config_keys(schema)] == ["one.two", "one.two[].a"]
