"""Run an exported model on images or whole slides, without the workflow.

Of images: regions/<name>.png (class indices), nuclei/<name>.png (ids) and nuclei.csv, as the workflow writes them. Of
each slide a folder with classes.ome.tif, regions.geojson.gz, nuclei.geojson.gz and areas.csv; killed and started again,
it goes on where it was.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from histoloom.errors import InputError, run
from histoloom.export.on_images import ImageModel, image_files, table_rows
from histoloom.export.settings import MODEL, method_of, read_settings
from histoloom.export.slide_commands import slide_commands
from histoloom.files import atomic_folder, sha256, write_table
from histoloom.formats.images import read_image, write_image, write_instances
from histoloom.memory import keep_freed_memory, lack_of_memory_told
from histoloom.predict.engine.flags import memory_advice
from histoloom.study.workflow import fingerprint

SCRIPTS = Path(__file__).resolve().parent
COLUMNS = ("name", "id", "class", "row", "column", "area_px", "mean_probability")


def main() -> None:
    args = parse()
    if args.images:
        predict_images(args)
    for slide in args.slides:
        predict_slide(args, slide)


def predict_images(args: argparse.Namespace) -> None:
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files, model, table = image_files(args.images), ImageModel(args.export, device, args.mpp), []
    with (
        lack_of_memory_told(*memory_advice(model.engine.card, model.settings.engine)),
        atomic_folder(args.results / "regions") as regions_folder,
        atomic_folder(args.results / "nuclei") as nuclei_folder,
    ):
        for path in tqdm(files, desc="predict", unit="image", disable=None):
            found = model.find(read_image(path), path.name)
            if found.not_normalised:
                print(f"warning: {path}: keeps its own stain: {found.not_normalised}", file=sys.stderr)
            write_image(regions_folder / f"{path.stem}.png", found.classes)
            write_instances(nuclei_folder / f"{path.stem}.png", found.ids)
            table += table_rows(path.stem, found.nuclei, model.classes)
    write_table(args.results / "nuclei.csv", COLUMNS, table)


def predict_slide(args: argparse.Namespace, slide: Path) -> None:
    settings, results = read_settings(args.export), args.results / slide.stem
    code = fingerprint(Path("predict_slide.py")) + sha256(args.export / MODEL)[:12]
    method = method_of(args.export)
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
    parser.add_argument("--mpp", type=float, help="µm per pixel, where files do not state it or the model does not")
    parser.add_argument("--results", type=Path, required=True, help="folder to write into")
    args = parser.parse_args()
    if not args.images and not args.slides:
        raise InputError("--images, --slides: neither is given; expected one of them at least; name what to predict")
    stems = [slide.stem for slide in args.slides]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise InputError(f"--slides: several are called {twice}; expected names that differ; give them one by one")
    return args


if __name__ == "__main__":
    run(main)
