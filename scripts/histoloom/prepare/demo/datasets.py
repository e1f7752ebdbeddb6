"""Demo scenes written to disk as PanNuke and BreCaHAD are laid out when they are downloaded."""

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from jaxtyping import Float64

from histoloom.errors import InputError
from histoloom.files import atomic_folder, write_json, write_text
from histoloom.prepare.demo.images import KINDS, TISSUES, Scene, Tissue, draw_scene, draw_staining

MARKER = "MADE_BY_MAKE_DEMO_DATA.txt"  # only a folder with it is ever replaced
PATCH_PX = 256
FOLDS = (1, 2, 3)
FIELD_PX = (256, 340)  # a quarter of BreCaHAD's 1024 x 1360
FIELD_SCALE = 0.6  # tumour nuclei are then 18 px wide
FIELD_TISSUE = Tissue(0.55, 0.0, {"neoplastic": 380, "inflammatory": 50, "connective": 50, "dead": 15})
CASES = 6
POINT_KINDS = ("mitosis", "non_mitosis", "apoptosis", "tumor", "non_tumor", "lumen", "non_lumen")
POINT_OF_KIND = {
    "neoplastic": "tumor",
    "dead": "apoptosis",
    "inflammatory": "non_tumor",
    "connective": "non_tumor",
    "epithelial": "non_tumor",
}


def write_pannuke(folder: Path, patches_per_fold: int, seed: int) -> None:
    """Write three folds of 256 x 256 patches as PanNuke's float64 arrays; tissues take turns, stainings differ.

    Raises InputError where `folder` holds anything that this function did not make.
    """
    refuse_foreign(folder)
    with atomic_folder(folder) as part:
        for fold in FOLDS:
            names, scenes = _patches(patches_per_fold, (seed, 1, fold))
            images, masks = (part / f"Fold {fold}" / kind / f"fold{fold}" for kind in ("images", "masks"))
            images.mkdir(parents=True)
            masks.mkdir(parents=True)
            np.save(images / "images.npy", np.stack([scene.image for scene in scenes]).astype(np.float64))
            np.save(images / "types.npy", np.array(names, dtype="<U13"))
            np.save(masks / "masks.npy", np.stack([_channels(scene) for scene in scenes]))
        mark(part, seed)


def write_brecahad(folder: Path, images_per_case: int, seed: int) -> None:
    """Write six cases of 340 x 256 fields with a point on each nucleus, as BreCaHAD's TIFF and JSON files.

    A case has one staining. Raises InputError where `folder` holds anything that this function did not make.
    """
    refuse_foreign(folder)
    with atomic_folder(folder) as part:
        (part / "images").mkdir()
        (part / "groundTruth").mkdir()
        for case in range(1, CASES + 1):
            staining = draw_staining(np.random.default_rng((seed, 2, case)))
            for number in range(1, images_per_case + 1):
                rng = np.random.default_rng((seed, 2, case, number))
                scene = draw_scene(FIELD_PX, FIELD_TISSUE, staining, FIELD_SCALE, rng)
                name = f"Case_{case}-{number:02d}"
                iio.imwrite(part / "images" / f"{name}.tif", scene.image)
                write_json(part / "groundTruth" / f"{name}.json", _points(scene))
        mark(part, seed)


def _patches(count: int, seed: Sequence[int]) -> tuple[list[str], list[Scene]]:
    names = [list(TISSUES)[number % len(TISSUES)] for number in range(count)]
    rngs = [np.random.default_rng((*seed, number)) for number in range(count)]
    shape = (PATCH_PX, PATCH_PX)
    return names, [
        draw_scene(shape, TISSUES[name], draw_staining(rng), 1.0, rng) for name, rng in zip(names, rngs, strict=True)
    ]


def _channels(scene: Scene) -> Float64[np.ndarray, "height width 6"]:
    channels = np.zeros((*scene.instances.shape, len(KINDS) + 1))
    kind_of_id = np.array([len(KINDS), *(KINDS.index(nucleus.kind) for nucleus in scene.nuclei)])
    owner = kind_of_id[scene.instances]
    for channel in range(len(KINDS)):
        channels[..., channel] = np.where(owner == channel, scene.instances, 0)
    channels[..., -1] = scene.instances == 0
    return channels


def _points(scene: Scene) -> dict[str, list[dict[str, float]]]:
    height, width = scene.instances.shape
    points = {kind: [] for kind in POINT_KINDS}
    for nucleus in scene.nuclei:
        points[POINT_OF_KIND[nucleus.kind]].append({"x": nucleus.column / width, "y": nucleus.row / height})
    return points


def mark(folder: Path, seed: int) -> None:
    """Say in a folder that it holds demo data, so that it may be replaced."""
    write_text(folder / MARKER, f"Procedural images, seed {seed}: no real tissue. make_demo_data.py replaces them.\n")


def refuse_foreign(folder: Path) -> None:
    """Raise InputError for a folder that holds anything else than demo data."""
    if folder.exists() and not (folder / MARKER).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder}: holds something that is no demo data; expected a new or empty folder, or one with {MARKER}; "
            "give another folder"
        )
