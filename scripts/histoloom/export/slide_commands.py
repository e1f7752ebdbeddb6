"""The commands that take an exported model over a slide: those of the workflow's stage slides, one after another."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from histoloom.export.settings import MODEL, REFERENCE, THRESHOLDS, ExportedSettings
from histoloom.files import sha256
from histoloom.flags import flags
from histoloom.networks import read_model
from histoloom.split.normalisation import read_reference
from histoloom.study.workflow import code_with_plugins

Command = tuple[str, list[str]]  # name of the script, and its words


def prediction_code(export: Path) -> str:
    """Digits that change with the weights, and with any code that predicts a slide by them.

    That is the script, the architecture, and the normaliser if there is one. Raises InputError for a damaged folder.
    """
    used = [("architectures", read_model(export / MODEL)["card"]["network"])]
    if (export / REFERENCE).is_file():
        used.append(("normalisers", read_reference(export / REFERENCE)[0]))
    return code_with_plugins("predict_slide", *used) + sha256(export / MODEL)[:12]


def slide_commands(
    export: Path, settings: ExportedSettings, method: str, slide: Path, results: Path, mpp: float | None, code: str
) -> Iterator[Command]:
    """What has to run, in order, to find tissue, predict, post-process and write files for other programs.

    `method` is that of postprocess.json, `mpp` the slide's µm per pixel where its header states none, `code` that of
    `prediction_code`, by which unfinished work is told apart.
    """
    facts = {"slide_json": results / "slide.json", "tissue": results / "tissue.png"}
    given = {} if mpp is None else {"default_mpp": mpp}
    yield "find_tissue", _words({"slide": slide, "name": slide.name}, given, asdict(settings.tissue), facts)
    prediction = {"probabilities": results / "prediction" / "probabilities", "maps": results / "prediction" / "maps"}
    model = {"slide": slide, "model": export / MODEL, "choose": "best", "outside": settings.slide.outside}
    known = {"mpp": settings.slide.model_mpp} if settings.slide.model_mpp else {}
    stain = {"reference": export / REFERENCE} if (export / REFERENCE).is_file() else {}
    state = {"state": results / "prediction_state", "code": code}
    yield "predict_slide", _words(model, known, stain, asdict(settings.slide_engine), facts, state, prediction)
    found = {"classes": results / "classes", "nuclei": results / "nuclei", "seams": results / "seams.json"}
    inputs = {f"prediction_{name}": place for name, place in prediction.items()}
    how = {"settings": export / THRESHOLDS, "method": method, "margin_px": settings.slide.margin_px}
    yield "postprocess_slide", _words(inputs, facts, how, asdict(settings.slide_regions), found)
    shown = {"model_name": settings.name, "simplify_um": settings.slide.simplify_um}
    written = {
        "class_map": results / "classes.ome.tif",
        "regions": results / "regions.geojson.gz",
        "nuclei_outlines": results / "nuclei.geojson.gz",
        "areas": results / "areas.csv",
    }
    yield "export_slide", _words(found, facts, shown, written)


def _words(*values: Mapping[str, Any]) -> list[str]:
    return flags({name: value for part in values for name, value in part.items()})
