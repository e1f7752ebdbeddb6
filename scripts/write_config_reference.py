"""Write docs/configuration.md: every key of the config, from its schema and the comments of the default."""

import argparse
from pathlib import Path

import yaml

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.site.config_comments import read_comments
from histoloom.site.config_keys import config_keys
from histoloom.site.config_reference import reference

TITLE = """# Every value of the config

This page is written by `python scripts/write_config_reference.py` from `workflow/schemas/config.schema.yaml` and the
comments of `config/config.yaml`; change those. The README says [who wins](../README.md#the-config) where several
sections set a value, and [what runs again](../README.md#what-runs-again) in words.

"Runs again first" names the rule that a change makes run; all that depends on its results follows. "Nothing" means that
finished work stays. `<name>` is a name of your own.
"""


def main() -> None:
    arguments = parse()
    text = arguments.config.read_text(encoding="utf-8")
    schema = yaml.safe_load(arguments.schema.read_text(encoding="utf-8"))
    page = reference(TITLE, list(config_keys(schema)), yaml.safe_load(text), read_comments(text))
    write_text(arguments.page, page + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    places = {
        "--config": ("config/config.yaml", "the default config, whose comments explain its keys"),
        "--schema": ("workflow/schemas/config.schema.yaml", "the schema of all configs"),
        "--page": ("docs/configuration.md", "Markdown to write"),
    }
    for flag, (path, meaning) in places.items():
        parser.add_argument(flag, type=Path, default=Path(path), metavar="FILE", help=f"{meaning} (default: {path})")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
