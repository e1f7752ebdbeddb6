"""Write the config of a study, as it was resolved, to a YAML file."""

import argparse
import json
from pathlib import Path

import yaml

from histoloom.errors import run
from histoloom.files import write_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=json.loads, required=True, help="The config as JSON.")
    parser.add_argument("--config", type=Path, required=True, help="YAML file to write.")
    arguments = parser.parse_args()
    write_text(arguments.config, yaml.safe_dump(arguments.values, sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    run(main)
