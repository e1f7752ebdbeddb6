"""Run an exported model on images or whole slides, without the workflow.

Of images: regions/<name>.png (class indices), nuclei/<name>.png (ids) and nuclei.csv, as the workflow writes them. Of
each slide a folder with classes.ome.tif, regions.geojson.gz, nuclei.geojson.gz and areas.csv; killed and started again,
it goes on where it was. Nothing that is there already is replaced, but results of the same slide.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.errors import InputError, PlaceError, printable, run
from histoloom.export.on_images import ImageModel, image_files, table_rows
from histoloom.export.places import require_room_for_images, require_room_for_slide
from histoloom.export.settings import read_settings, thresholds_of
from histoloom.export.slide_commands import prediction_code, slide_commands
from histoloom.files import write_table
from histoloom.findings import listed
from histoloom.formats.images import read_image, write_image, write_instances
from histoloom.formats.slides.mpp import MPP_RANGE, plausible_mpp
from histoloom.memory import keep_freed_memory, lack_of_memory_told
from histoloom.predict.engine.flags import memory_advice

SCRIPTS = Path(__file__).resolve().parent
COLUMNS = ("name", "id", "class", "row", "column", "area_px", "mean_probability")


def main() -> None:
    args = parse()
    for slide in args.slides:
        require_room_for_slide(args.results / slide.stem)
    if args.images:
        require_room_for_images(args.results)
        predict_images(args)
    for slide in args.slides:
        predict_slide(args, slide)


def predict_images(args: argparse.Namespace) -> None:
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files, model, table, refused = image_files(args.images), ImageModel(args.export, device, args.mpp), [], []
    with lack_of_memory_told(*memory_advice(model.engine.card, model.settings.engine)):
        for path in tqdm(files, desc="predict", unit="image", disable=None):
            try:
                table += predicted_rows(model, path, args.results)
            except PlaceError:
                raise
            except InputError as error:  # one image must not cost the others theirs
                refused.append(path.name)
                print(f"error: {printable(str(error))}", file=sys.stderr)
    if len(refused) < len(files):
        write_table(args.results / "nuclei.csv", COLUMNS, table)
    if refused:
        raise InputError(
            f"--images: {len(refused)} of {len(files)} could not be predicted ({listed(refused)}), as said above; "
            "expected images that can; results of the others are written: mend these, and give them alone with "
            "another --results"
        )


def predicted_rows(model: ImageModel, path: Path, results: Path) -> list[tuple[object, ...]]:
    found = model.find(read_image(path))
    if found.not_normalised:
        print(f"warning: {path}: keeps its own stain: {found.not_normalised}", file=sys.stderr)
    write_instances(results / "nuclei" / f"{path.stem}.png", found.ids)  # first: it refuses more nuclei than PNG holds
    write_image(results / "regions" / f"{path.stem}.png", found.classes)
    return list(table_rows(path.stem, found.nuclei, model.classes))


def predict_slide(args: argparse.Namespace, slide: Path) -> None:
    settings, results = read_settings(args.export), args.results / slide.stem
    code, method = prediction_code(args.export), thresholds_of(args.export).method
    for script, words in slide_commands(args.export, settings, method, slide, results, args.mpp, code):
        ended = subprocess.run([sys.executable, str(SCRIPTS / f"{script}.py"), *words], check=False)
        if ended.returncode:
            sys.exit(ended.returncode)  # the script has said why


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--export", type=Path, required=True, help="folder that export_weights.py wrote")
    parser.add_argument(
        "--images", type=Path, help="folder of images, or one image, at the training images' resolution"
    )
    parser.add_argument("--slides", type=Path, nargs="+", default=[], help="whole slides, at any finer resolution")
    parser.add_argument(
        "--mpp",
        type=float,
        help="µm per pixel of slides whose header states none, and of images where the model states none",
    )
    parser.add_argument("--results", type=Path, required=True, help="folder to write into")
    args = parser.parse_args()
    if not args.images and not args.slides:
        raise InputError("--images, --slides: neither is given; expected one of them at least; name what to predict")
    if args.mpp is not None and plausible_mpp(args.mpp) is None:
        least, most = MPP_RANGE
        raise InputError(f"--mpp {args.mpp:g}; expected {least} to {most} µm per pixel; correct it (0.25 at 40x)")
    stems = [slide.stem for slide in args.slides]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise InputError(f"--slides: several are called {twice}; expected names that differ; give them one by one")
    return args


if __name__ == "__main__":
    run(main)
