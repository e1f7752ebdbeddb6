"""Runs several commands `python -m ...` in one process, since each start of torch and MONAI takes ten seconds.

python one_start.py "python -m monai.bundle run ..." "python -m monai.bundle verify_net_in_out ..."
"""

import runpy
import shlex
import sys


def main(lines: list[str]) -> None:
    for line in lines:
        _, _, module, *words = shlex.split(line)
        sys.argv = [module, *words]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
