"""Stands in for QuPath's program: takes the words of its command `script`, and knows what each script may be given.

Source of the words: `QuPath script --help` of version 0.5, as its documentation, "Command line", prints it.
"""

import argparse
import re
import sys
from pathlib import Path

# What QuPath prints where one image of two fails; it ends with 0 all the same.
LOG = "INFO: one.svs: 3 objects of hnscc/unet imported\nERROR: Error running script: two.svs\nit cannot be read\n"


def main() -> None:
    arguments = parsed()
    defaults = re.search(r"\[(\w+: null.*?)\]", arguments.script.read_text(encoding="utf-8"), re.DOTALL)[1]
    settings = re.findall(r"(\w+): ", defaults)
    if unknown := [given for given in arguments.args if given.partition("=")[0] not in settings]:
        sys.exit(f"{arguments.script}: no setting {unknown}; it has {settings}")
    sys.stderr.write(LOG)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("command", choices=["script"])
    parser.add_argument("-p", "--project", required=True)
    parser.add_argument("-s", "--save", action="store_true")
    parser.add_argument("-a", "--args", action="append", default=[])
    parser.add_argument("script", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
