"""An exported model under the name that docs/export.md gives it, of random weights, and what it is run on."""

from pathlib import Path
from types import SimpleNamespace

from histoloom.export.monai_bundle import write_bundle
from histoloom.export.papers import write_papers
from histoloom.files import write_json
from histoloom.formats.images import write_image
from histoloom.study.merging import read_config
from histoloom.study.study import Study
from tests.export.export_case import CARD, source
from tests.export.test_predict_script import THRESHOLDS, words_of
from tests.scripts_run import outcome
from tests.site.commands import REPOSITORY
from tests.site.treatment import EXPORT
from tests.slides.made_slides import MadeTissue, write_pyramid

SIZE = (96, 128)


def lay_export(folder: Path) -> None:
    """Weights and a MONAI bundle, images to predict, and two slides."""
    made = folder / "made_model"
    model = source(made)
    write_json(made / "postprocess.json", THRESHOLDS | {"images": 0, "reason": ""})
    config = read_config([REPOSITORY / "config" / "config.yaml"], {})
    wildcards = SimpleNamespace(dataset="demo_breast", architecture="unet_small")
    words = words_of(model=made / "fold0" / "model.safetensors", settings=made / "postprocess.json")
    words += words_of(dataset=made / "dataset.json", model_card=made / "card.md")
    words += [*Study(config).export.weights_flags(wildcards), "--weights", folder / EXPORT / "weights"]
    assert outcome([str(REPOSITORY / "scripts" / "export_weights.py"), *map(str, words)]) == "done"
    bundle = folder / EXPORT / "monai_bundle"
    bundle.mkdir(parents=True)
    write_bundle(bundle, model)
    write_papers(bundle, model)
    lay_pictures(folder)


def lay_pictures(folder: Path) -> None:
    tissue = MadeTissue(*SIZE, spread=1.5)
    for place in ("my_images", "data/images"):
        write_image(folder / place / "one.png", tissue.rows(0, SIZE[0]))
    for name in ("a.svs", "b.svs"):
        write_pyramid(folder / name, tissue.rows, *SIZE, mpp=CARD["mpp"], compression="deflate")
