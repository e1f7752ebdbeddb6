"""A trained network as a MONAI bundle that MONAI's own commands load and run where histoloom is not installed.

Source: MONAI bundle specification (docs.monai.io/en/stable/mb_specification.html). The network is a program of
torch.export, models/model.pt2: it has weights and steps in one file, and needs no code of ours beside it.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from histoloom.export.exported_network import LEAST_SIDE_PX, exported_program, quiet
from histoloom.export.papers import LICENCE, facts_of, licence_of
from histoloom.export.source import Source
from histoloom.files import write_json, write_text
from histoloom.formats.images import SUFFIXES
from histoloom.networks import SIDES

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
VERSION = "1.0.0"
NEEDED = ("pytorch-ignite", "fire", "pillow")  # beside MONAI, torch and NumPy, to run configs/inference.json
MAP_NAMES = ("horizontal distance from the nucleus' centre", "vertical distance from the nucleus' centre")
OVERLAP = 0.5  # of a window with the next, along each side: four windows see each pixel
WINDOWS_AT_ONCE = 4
SAME_STEM = "dataset_dir: several images have one name before the suffix, by which results are named; rename them"


def write_bundle(folder: Path, source: Source) -> None:
    """Write the bundle of a model into an empty folder.

    Raises InputError for a network that cannot be exported.
    """
    program = exported_program(source.network, source.outputs, source.card["network"], is_joined=True)
    (folder / "models").mkdir()
    with quiet():
        torch.export.save(program, folder / "models" / "model.pt2")
    write_json(folder / "configs" / "metadata.json", bundle_metadata(source))
    write_json(folder / "configs" / "inference.json", inference_config(source))
    write_text(folder / "docs" / "README.md", readme(source))


def bundle_metadata(source: Source) -> dict[str, Any]:
    """What configs/metadata.json says, by the keys of MONAI's schema."""
    facts, classes = facts_of(source), list(source.outputs.classes)
    maps = MAP_NAMES if source.outputs.has_maps else ()
    channels = {str(number): name for number, name in enumerate((*classes, *maps))}
    shape = {"num_channels": len(channels), "spatial_shape": [f"{SIDES}*n", f"{SIDES}*p"]}
    shared = {"dtype": "float32", "is_patch_data": True}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "changelog": {VERSION: f"exported by histoloom from {source.path.parent.name} of {source.name}"},
        "monai_version": version("monai"),
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {name: version(name) for name in NEEDED},
        "supported_apps": {},
        "name": source.name,
        "task": f"Segmentation of {', '.join(classes[1:])} in H&E images",
        "description": f"{source.card['network']} trained by histoloom on {source.description.name}; docs/README.md",
        "authors": "not stated",
        "copyright": "not stated; what the licence of the data asks for stands in " + LICENCE,
        "data_source": source.description.citation or "not stated",
        "data_licence": licence_of(source),
        "data_type": "RGB images of tissue stained with haematoxylin and eosin",
        "image_classes": facts["input"],
        "label_classes": ", ".join(f"{number} {name}" for number, name in enumerate(classes)),
        "pred_classes": ", ".join(f"channel {number}: {name}" for number, name in channels.items()),
        "intended_use": facts["intended_use"],
        "references": [source.description.citation or "not stated"],
        "histoloom": facts,
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "H&E",
                    "num_channels": 3,
                    "spatial_shape": shape["spatial_shape"],
                    "value_range": [0, 255],
                    "channel_def": {"0": "red", "1": "green", "2": "blue"},
                    **shared,
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "labels",
                    **shape,
                    "value_range": [-1 if maps else 0, 1],
                    "channel_def": channels,
                    **shared,
                }
            },
        },
    }


def inference_config(source: Source) -> dict[str, Any]:
    """What configs/inference.json says: images of a folder to class maps, PNG files of class indices."""
    tile_px = max(-(-source.card.get("tile_px", LEAST_SIDE_PX) // SIDES) * SIDES, LEAST_SIDE_PX)
    classes = len(source.outputs.classes)
    return {
        "imports": [
            "$import os",
            "$import sys",
            "$import numpy",
            "$from PIL import Image",
            "$import torch",
            "$import torch.export.passes",
        ],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "data_list": (
            "$[os.path.join(@dataset_dir, name) for name in sorted(os.listdir(@dataset_dir)) "
            f"if name.lower().endswith({SUFFIXES})]"
        ),
        "stems": "$[os.path.splitext(path)[0] for path in @data_list]",
        "initialize": [f"$sys.exit('{SAME_STEM}') if len(set(@stems)) < len(@stems) else None"],
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "program": (
            "$torch.export.passes.move_to_device_pass("
            "torch.export.load(@bundle_root + '/models/model.pt2'), str(@device)).module(check_guards=False)"
        ),
        # What torch.export gives has no eval(), which MONAI calls; the same steps as an ordinary module do.
        "network_def": "$torch.fx.GraphModule(@program, @program.graph)",
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "LoadImaged",
                    "keys": "image",
                    "reader": {
                        "_target_": "PILReader",
                        # Transparent pixels lie on white, as histoloom lays them.
                        "converter": (
                            "$lambda image: Image.alpha_composite(Image.new('RGBA', image.size, 'white'), "
                            "image.convert('RGBA')).convert('RGB')"
                        ),
                        "reverse_indexing": False,
                    },
                    "ensure_channel_first": True,
                },
                {"_target_": "EnsureTyped", "keys": "image", "dtype": "$torch.float32"},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @data_list]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [tile_px, tile_px],
            "sw_batch_size": WINDOWS_AT_ONCE,
            "overlap": OVERLAP,
            "mode": "gaussian",
            "padding_mode": "replicate",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Lambdad",
                    "keys": "pred",
                    # Turned, since the writer takes columns first.
                    "func": f"$lambda values: values[:{classes}].argmax(0, keepdim=True).transpose(1, 2)",
                },
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_ext": ".png",
                    "output_postfix": "classes",
                    "output_dtype": "$numpy.uint8",
                    "writer": "PILWriter",
                    "scale": None,
                    "resample": False,
                    "separate_folder": False,
                },
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "amp": False,
        },
        "run": ["$@evaluator.run()"],
    }


def readme(source: Source) -> str:
    """How to run the bundle, then the model's card."""
    facts = facts_of(source)
    stain = f"\nStain: {facts['stain_normalisation']}.\n" if "stain_normalisation" in facts else ""
    return f"""# {source.name}

Takes RGB images of H&E, {_resolution(facts)}.
Gives class maps: PNG files whose values are
{", ".join(f"{number} {name}" for number, name in enumerate(source.outputs.classes))}.
{stain}
```sh
python -m pip install monai {" ".join(NEEDED)}
python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES --output_dir RESULTS
```

Nuclei are not parted here: that is what histoloom's own scripts/predict.py does with the exported weights.
Licence of the data: {LICENCE}.

{source.model_card}"""


def _resolution(facts: Mapping[str, str]) -> str:
    working, native = (f" of {facts[name]} µm per pixel" if name in facts else "" for name in ("mpp", "native_mpp"))
    if (factor := facts["downsample"]) == "1":
        return f"as the training images are{native} (downsample: 1)"
    return f"""{working.removeprefix(" of ") or "a lower resolution"}: those of the training images' resolution{native},
reduced by {factor}, each pixel the mean of {factor} x {factor}
(downsample: {factor} native pixels along one input pixel).
Reduce them first, the bundle does not. Resolution in the card below is that of native pixels"""
