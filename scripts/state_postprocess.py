"""Write the options of post-processing as the config states them, for a model with nothing to tune."""

import argparse
from dataclasses import asdict
from pathlib import Path

from histoloom.arguments import pair
from histoloom.errors import run
from histoloom.files import write_json
from histoloom.plugins import names
from histoloom.predict.thresholds import KIND, configured_options, untuned


def main() -> None:
    args = parse()
    configured = configured_options(args.method, dict(args.option), args.min_area_px)
    reason = "predict.tune names no option"
    write_json(args.settings, asdict(untuned(args.method, configured, args.metric, reason)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", choices=names(KIND), required=True, help="how touching nuclei are separated")
    parser.add_argument("--option", nargs="*", type=pair, default=[], help="the method's options, key=value")
    parser.add_argument("--min-area-px", type=int, required=True, help="smallest nucleus that is kept, in pixels")
    parser.add_argument("--metric", required=True, help="metric of nuclei that would choose")
    parser.add_argument("--settings", type=Path, required=True, help="JSON to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
