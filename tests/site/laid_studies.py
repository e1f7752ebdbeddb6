"""The data that documented studies read, small: drawn by rule, or an empty place where a study is only planned."""

import re
import shutil
from pathlib import Path

import numpy as np
import yaml

from histoloom.formats.images import write_image, write_instances
from histoloom.prepare.demo.datasets import write_brecahad, write_pannuke
from tests.site.commands import DOCUMENTS, REPOSITORY
from tests.study.test_study_files import config_of, lay_data

SHOWN = re.compile(r"^`(config/studies/[\w./]+)`:\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The study of docs/own_data.md learns for a minute on small images; else it is run as it is printed there.
SHORTER = {
    "architectures: [unet_resnet34, unet_small]": "architectures: [unet_small]",
    "fold_count: 4": "fold_count: 2, validation: images",  # three folds are the fewest otherwise
    "tile_px: 256, stride_px: 192": "tile_px: 64, stride_px: 64",
    "epochs: 40": "epochs: 1",
}
SIDE_PX = 64
ANNOTATED = Path("Annotator 1 (biologist)", "label masks modify")
PATIENTS = 4
# As the samples' own: arrays of each fold, from the patches that lie beside.
MAKE_FOLDS = """
import pathlib, sys
import numpy as np
for fold in (1, 2, 3):
    folder = pathlib.Path(sys.argv[1], f"Fold {fold}", "images", f"fold{fold}")
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.zeros((1, 8, 8, 3)))
"""


def lay_first(folder: Path) -> None:
    """Write every study that a document prints whole, glands.yaml made shorter, and what several documents read."""
    found = dict(pair for path in DOCUMENTS for pair in SHOWN.findall(path.read_text(encoding="utf-8")))
    for path, text in found.items():
        shorter = made_shorter(text) if Path(path).stem == "glands" else text
        (folder / path).write_text(shorter.replace("root: /data/", f"root: {folder}/data/"))
    write_pannuke(folder / "data" / "my_nuclei", 1, 0)
    write_brecahad(folder / "data" / "my_breast", 1, 0)
    for layers in ([], ["pannuke.yaml"]):
        lay_data(folder, config_of(layers))


def made_shorter(text: str) -> str:
    for long, short in SHORTER.items():
        assert long in text, long
        text = text.replace(long, short)
    return text


def lay_glands(folder: Path) -> None:
    """The images, masks and patients of docs/own_data.md: a gland in each image, which is a tumour in every second."""
    rows, place = ["name,group,stratum,mpp"], folder / "data" / "glands"
    for number in range(2 * PATIENTS):
        name, patient = f"P{number // 2:02}_{number % 2}", f"P{number // 2:02}"
        image, is_gland = gland(number)
        write_image(place / "images" / f"{name}.png", image)
        write_image(place / "masks" / f"{name}.png", np.where(is_gland, (128, 255)[number % 2], 0).astype(np.uint8))
        rows.append(f"{name},{patient},{('colon', 'rectum')[number // 2 % 2]},0.5")
    (place / "patients.csv").write_text("\n".join(rows) + "\n")


def gland(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A dark disc on light, patchy ground, and where it is; no two are alike."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:SIDE_PX, :SIDE_PX] - rng.integers(20, 44, 2)[:, None, None]
    patches = np.kron(rng.integers(0, 50, (8, 8, 3)), np.ones((SIDE_PX // 8, SIDE_PX // 8, 1)))
    is_gland = down**2 + across**2 < 14**2
    return (np.where(is_gland[..., None], [90, 40, 130], [200, 150, 180]) + patches).astype(np.uint8), is_gland


def lay_older_run(folder: Path) -> None:
    """A run to compare with, which had another learning rate."""
    shutil.copytree(folder / "results", folder / "old" / "results")
    (recorded,) = (folder / "old" / "results" / "report").glob("*/config.yaml")
    text = recorded.read_text(encoding="utf-8")
    recorded.write_text(re.sub(r"(?<=learning_rate: )\S+", "0.5", text))


def lay_demo(folder: Path) -> None:
    """The demo's images that are scored, as `make demo-data` makes them."""
    shutil.rmtree(folder / "data" / "demo" / "pannuke")
    write_pannuke(folder / "data" / "demo" / "pannuke", 16, 0)


def lay_studies(folder: Path) -> None:
    """Empty raw data of all studies that are planned, and samples for the scripts that lay data out."""
    for layers in planned_layers():
        lay_data(folder, config_of(layers))
    config = yaml.safe_load((folder / "config" / "studies" / "real_samples.yaml").read_text(encoding="utf-8"))
    samples = folder / config["study"]["samples"]
    picture, ids = np.full((8, 8, 3), 200, np.uint8), np.eye(8, dtype=np.int32)
    write_image(samples / "cryonuseg" / "tissue images" / "Human_Skin_01.png", picture)
    write_instances(samples / "cryonuseg" / ANNOTATED / "Human_Skin_01.png", ids)
    for fold in (1, 2, 3):
        write_image(samples / "consep_patches" / "images" / f"fold{fold}_tile04_07.png", picture)
    (samples / "brecahad").mkdir(exist_ok=True)
    (samples / "make_pannuke_folds.py").write_text(MAKE_FOLDS)


def planned_layers() -> set[tuple[str, ...]]:
    """The files in config/studies that documents give to Snakemake together."""
    texts = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs" / "studies").glob("*.md"))
    given = (found for text in texts for found in re.findall(r"--configfile((?: config/studies/[\w/]+\.yaml)+)", text))
    return {tuple(path.removeprefix("config/studies/") for path in paths.split()) for paths in given}
