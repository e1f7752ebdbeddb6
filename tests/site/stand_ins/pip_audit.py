"""Stands in for pip-audit, which needs a network: takes its flags and counts the packages that it would look up."""

import argparse
import re
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("-r", "--requirement", type=Path, required=True)
    parser.add_argument("--no-deps", action="store_true")
    parser.add_argument("--disable-pip", action="store_true")
    text = parser.parse_args().requirement.read_text(encoding="utf-8")
    print(len(re.findall(r"^[\w.-]+.*==", text, re.MULTILINE)), "packages")
