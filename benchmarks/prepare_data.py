"""The procedural data of real size that benchmarks/prepare.py measures on."""

import json
import sys
import uuid
from pathlib import Path

import imageio.v3 as iio
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.files import digest_of, write_json, write_table
from histoloom.prepare.demo.datasets import write_pannuke
from histoloom.prepare.demo.images import Tissue, draw_scene, draw_staining
from histoloom.prepared import INDEX_COLUMNS

FIELD_PX = (1024, 1360)
FIELD_TISSUE = Tissue(0.55, 0.0, {"neoplastic": 120, "inflammatory": 25})  # about 140 nuclei in a field
FIELD_SCALE = 1.2  # tumour nuclei are then 36 px wide, as in BreCaHAD
PLANTED_EVERY = 100  # one tile in so many is the one before it, mirrored and darker
BLOCK = 32  # patches written at once: 150 MB


def write_fold(folder: Path, patches: int) -> None:
    """Write a PanNuke fold under raw/: 66 procedural patches again and again, each time with other noise."""
    images, masks, types = distinct_patches(folder)
    rng = np.random.default_rng(0)
    arrays = folder / "raw" / "Fold 1"
    arrays.mkdir(parents=True)
    shapes = {"images": (patches, 256, 256, 3), "masks": (patches, 256, 256, 6)}
    new = {
        name: np.lib.format.open_memmap(arrays / f"{name}.npy", "w+", np.float64, shape)
        for name, shape in shapes.items()
    }
    for start in range(0, patches, BLOCK):
        block = np.arange(start, min(start + BLOCK, patches))
        new["images"][block] = noisy(images[block % len(images)], rng)
        new["masks"][block] = masks[block % len(masks)]
    np.save(arrays / "types.npy", types[np.arange(patches) % len(types)])


def distinct_patches(folder: Path) -> list[np.ndarray]:
    """Images, masks and tissue names of the demo's three folds of 22 patches."""
    write_pannuke(folder / "demo", patches_per_fold=22, seed=0)
    paths = ("images/{}/images.npy", "masks/{}/masks.npy", "images/{}/types.npy")
    folds = [(folder / "demo" / f"Fold {number}", f"fold{number}") for number in (1, 2, 3)]
    return [np.concatenate([np.load(parent / path.format(name)) for parent, name in folds]) for path in paths]


def write_fields(root: Path, fields: int) -> int:
    """Write BreCaHAD's layout from eight procedural fields, each time with other noise; gives the number of points."""
    rng = np.random.default_rng(0)
    scenes = [draw_scene(FIELD_PX, FIELD_TISSUE, draw_staining(rng), FIELD_SCALE, rng) for _ in range(min(8, fields))]
    (root / "images").mkdir(parents=True)
    for number in range(fields):
        scene, name = scenes[number % len(scenes)], f"Case_{number // 10 + 1}-{number % 10 + 1:02d}"
        iio.imwrite(root / "images" / f"{name}.tif", noisy(scene.image, rng))
        points = [{"x": nucleus.column / FIELD_PX[1], "y": nucleus.row / FIELD_PX[0]} for nucleus in scene.nuclei]
        write_json(root / "groundTruth" / f"{name}.json", {"tumor": points})
    return sum(len(scenes[number % len(scenes)].nuclei) for number in range(fields))


def write_tiles(folder: Path, tiles: int) -> set[tuple[str, str]]:
    """Write different tiles with their index; gives the names of the pairs that are altered copies."""
    patches = distinct_patches(folder)[0].astype(np.uint8)
    rng = np.random.default_rng(0)
    rows, planted, image = [], set(), patches[0]
    for number in range(tiles):
        is_copy = number % PLANTED_EVERY == PLANTED_EVERY - 1
        image = np.rint(image[:, ::-1] * 0.9).astype(np.uint8) if is_copy else overlaid(patches, rng)
        planted |= {(f"{number - 1:05d}", f"{number:05d}")} if is_copy else set()
        row = dict.fromkeys(INDEX_COLUMNS) | {"name": f"{number:05d}", "image": f"{number:05d}.png"}
        rows.append(row | {"height": 256, "width": 256, "sha256": digest_of(image.tobytes())})
        iio.imwrite(folder / f"{number:05d}.png", image)
    write_table(folder / "index.csv", INDEX_COLUMNS, rows)
    empty = dict.fromkeys(("reader", "licence", "citation"), "")
    description = {"name": "tiles", "classes": [], "has_instances": False, "facts": {}, "warnings": []}
    write_json(folder / "dataset.json", empty | description)
    return planted


def overlaid(patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A new tile: two patches, each turned and moved, at half their optical density laid on one another."""
    light = np.full((256, 256, 3), 1.0)
    for patch in patches[rng.integers(len(patches), size=2)]:
        light *= np.sqrt(np.roll(np.rot90(patch, rng.integers(4)), rng.integers(256, size=2), (0, 1)) / 255)
    return np.rint(255 * light).astype(np.uint8)


def write_geojson(path: Path, size: int) -> int:
    """Write round detections until the file holds `size` bytes; gives their number."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 35, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    properties = {"objectType": "detection", "classification": {"name": "Tumor", "color": [200, 0, 0]}}
    nuclei = 0
    with path.open("wb") as file:
        file.write(b'{"type": "FeatureCollection", "features": [')
        while file.tell() < size:
            outline = rng.uniform(100, 99_900, 2) + circle * rng.normal(12, 1, (35, 1))
            geometry = {"type": "Polygon", "coordinates": [[*outline.round(2).tolist(), outline[0].round(2).tolist()]]}
            name = {"type": "Feature", "id": str(uuid.UUID(bytes=rng.bytes(16)))}
            text = json.dumps(name | {"geometry": geometry, "properties": properties})
            file.write((",\n" if nuclei else "\n").encode() + text.encode())
            nuclei += 1
        file.write(b"]}")
    return nuclei


def noisy(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images with another noise of the sensor, as 8-bit values."""
    return np.clip(np.rint(images + rng.normal(0, 3, images.shape)), 0, 255).astype(np.uint8)
