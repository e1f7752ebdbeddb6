"""scripts/predict.py gives, byte for byte, what the workflow's own scripts give for the same image and slide.

The oracle are the scripts that the rules of predict and slides run, with the flags that those rules give them. They
are other code paths for images (an index, arrays on disk, one script after another), and have tests of their own.
"""

import gzip
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from histoloom.files import write_json, write_table
from histoloom.formats.images import write_image
from histoloom.prepared import INDEX_COLUMNS
from histoloom.study.merging import read_config
from histoloom.study.study import Study
from tests.export.export_case import CARD, write_beside, write_model
from tests.scripts_run import outcome
from tests.slides.made_slides import MadeTissue, write_pyramid

ROOT = Path(__file__).parents[2]
WILD = SimpleNamespace(dataset="demo_breast", architecture="unet_small", fold="1")
SIZES = {"a": (70, 90), "b": (64, 64)}
CHANGES = """
predict: {overlap: 4, window: gaussian, precision: float32, batch_size: 3, method: hover}
regions: {kernel: gaussian, kernel_size: 1.0, opening: 0.6, unit: um}
slides: {model: demo_breast/unet_small, mpp: 0.5, outside: ignore, predict: {overlap: 1}, regions: {kernel_size: 2.0},
         margin_px: 64, simplify_um: 0.5,
         tissue: {tissue_mpp: 8.0, closing_um: 5.0, hole_um2: 100.0, piece_um2: 100.0, margin_um: 5.0}}
"""
THRESHOLDS = {"method": "hover", "options": {}, "min_area_px": 5, "tuned": False, "metric": "pq", "score": None}
pytestmark = pytest.mark.usefixtures("one_thread")


def script(name, *words):
    return outcome([str(ROOT / "scripts" / f"{name}.py"), *map(str, words)])


def words_of(**values):
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", value)]


def exported(folder, native_mpp=CARD["mpp"], downsample=1):
    """Two folds' models, the second with the better score, exported; images and slides for them."""
    (folder / "changes.yaml").write_text(CHANGES)
    config = read_config([ROOT / "config" / "config.yaml", folder / "changes.yaml"], {})
    config["slides"]["files"] = [str(path) for path in write_slides(folder)]
    made = Study(config)
    for fold in (0, 1):
        about = {"fold": fold, "score": 0.5 + 0.1 * fold, "downsample": downsample, "mpp": native_mpp * downsample}
        write_model(folder / f"fold{fold}" / "model.safetensors", seed=fold, **about)
        own = {"min_area_px": 5 + fold, "options": {"foreground": 0.5 + 0.05 * fold}, "images": 0, "reason": ""}
        write_json(folder / f"fold{fold}" / "postprocess.json", THRESHOLDS | own)
    for number, (name, (height, width)) in enumerate(SIZES.items()):
        tissue = MadeTissue(height, width, seed=number, spread=1.5)
        write_image(folder / "images" / f"{name}.png", tissue.rows(0, height))
    models = [folder / f"fold{fold}" / "model.safetensors" for fold in (0, 1)]
    settings = [folder / f"fold{fold}" / "postprocess.json" for fold in (0, 1)]
    beside = [word for flag, path in write_beside(folder).items() for word in (f"--{flag}", path)]
    flags = made.export.weights_flags(WILD)
    lists = ["--model", *models, "--settings", *settings]
    assert script("export_weights", *lists, *beside, *flags, "--weights", folder / "weights") == "done"
    return SimpleNamespace(folder=folder, made=made, best=folder / "fold1", native_mpp=native_mpp)


def write_slides(folder):
    """One that states half of the model's µm per pixel, and one that states none."""
    fine, silent = MadeTissue(300, 260), MadeTissue(150, 170, seed=1)
    return [
        write_pyramid(folder / "fine.tif", fine.rows, 300, 260, compression="deflate", mpp=0.25),
        write_pyramid(folder / "silent.tif", silent.rows, 150, 170, compression="deflate"),
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("export"))


def images_by_the_workflow(study):
    folder = study.folder
    rows = [
        dict.fromkeys(INDEX_COLUMNS, "")
        | {"name": name, "image": f"images/{name}.png", "height": size[0], "width": size[1], "mpp": study.native_mpp}
        for name, size in SIZES.items()
    ]
    write_table(folder / "index.csv", INDEX_COLUMNS, rows)
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), [(1, "test", name, "") for name in SIZES])
    arrays = {name: folder / name for name in ("probabilities", "maps")}
    inputs = words_of(model=study.best / "model.safetensors", index=folder / "index.csv", folds=folder / "folds.csv")
    outputs = words_of(**arrays, cost=folder / "cost.json")
    flags = study.made.predict.flags(WILD)
    assert script("predict_images", *inputs, "--fold", 1, "--part", "test", *flags, *outputs) == "done"
    inputs = words_of(**arrays, index=folder / "index.csv", dataset=folder / "dataset.json")
    inputs += words_of(settings=study.best / "postprocess.json")
    outputs = words_of(regions=folder / "regions", nuclei=folder / "nuclei", nuclei_table=folder / "nuclei.csv")
    assert script("postprocess_images", *inputs, *study.made.predict.postprocess_flags(WILD), *outputs) == "done"


def require_equal_images(study):
    images_by_the_workflow(study)
    folder, results = study.folder, study.folder / "predicted"
    words = words_of(export=folder / "weights", images=folder / "images", results=results)
    assert script("predict", *words) == "done"
    names = [*(f"{kind}/{name}.png" for kind in ("regions", "nuclei") for name in SIZES), "nuclei.csv"]
    for name in names:
        assert (results / name).read_bytes() == (folder / name).read_bytes(), name
    assert (results / "nuclei.csv").read_text().count("\n") > 4


def test_images_get_the_bytes_that_the_workflow_gives_them(study):
    require_equal_images(study)


def test_images_that_the_model_reduces_get_the_same_bytes_too(tmp_path):
    require_equal_images(exported(tmp_path, native_mpp=0.25, downsample=2))


def slide_by_the_workflow(study, slide, results):
    slides, wild = study.made.slides, SimpleNamespace(**vars(WILD), slide=slide.stem)
    facts = words_of(slide_json=results / "slide.json", tissue=results / "tissue.png")
    prediction = {name: results / "prediction" / name for name in ("probabilities", "maps")}
    assert script("find_tissue", "--slide", slide, *slides.tissue_flags(wild), *facts) == "done"
    model = words_of(slide=slide, model=study.best / "model.safetensors", state=results / "state", code="code")
    assert script("predict_slide", *model, *facts, *slides.predict_flags(wild), *words_of(**prediction)) == "done"
    found = words_of(classes=results / "classes", nuclei=results / "nuclei", seams=results / "seams.json")
    inputs = words_of(**{f"prediction_{name}": place for name, place in prediction.items()})
    inputs += words_of(settings=study.best / "postprocess.json")
    assert script("postprocess_slide", *inputs, *facts, *slides.postprocess_flags(wild), *found) == "done"
    files = {"class_map": "classes.ome.tif", "regions": "regions.geojson.gz", "nuclei_outlines": "nuclei.geojson.gz"}
    written = words_of(**{name: results / file for name, file in files.items()}, areas=results / "areas.csv")
    assert script("export_slide", *found, *facts, *slides.export_flags(wild), *written) == "done"
    return [*files.values(), "areas.csv"]


def test_slides_get_the_bytes_that_the_workflow_gives_them_and_keep_the_resolution_that_they_state(
    study, tmp_path, monkeypatch
):
    slides = [study.folder / name for name in ("fine.tif", "silent.tif")]
    for slide in slides:
        files = slide_by_the_workflow(study, slide, tmp_path / "workflow" / slide.stem)

    def in_this_process(command, check):
        assert not check
        assert outcome(command[1:]) == "done"
        return SimpleNamespace(returncode=0)

    # The four scripts would each import torch again, which takes longer than all else here.
    monkeypatch.setattr(subprocess, "run", in_this_process)
    words = words_of(export=study.folder / "weights", results=tmp_path / "predicted", mpp=0.5)
    assert script("predict", *words, "--slides", *slides) == "done"
    for stem, mpp in (("fine", 0.25), ("silent", 0.5)):
        found, expected = (tmp_path / by / stem for by in ("predicted", "workflow"))
        facts = json.loads((found / "slide.json").read_text())
        assert facts["mpp"] == pytest.approx(mpp)
        assert facts["tissue_share"] < 0.9  # there is something outside of it
        # Class indices alone show whether what is no tissue is background or ignored.
        for name in (*files, "classes/store.json", "classes/000000.zst"):
            assert (found / name).read_bytes() == (expected / name).read_bytes(), (stem, name)
        assert b'"Feature"' in gzip.decompress((found / "nuclei.geojson.gz").read_bytes())


@pytest.mark.parametrize(("outside", "value"), [("background", 0), ("ignore", 255)])
def test_what_is_no_tissue_leaves_the_study_as_the_study_has_it(outside, value):
    config = read_config([ROOT / "config" / "config.yaml"], {})
    config["slides"]["outside"] = outside
    words = Study(config).export.weights_flags(WILD)
    assert f"outside={value}" in words[words.index("--slide") :]


def test_the_best_fold_leaves_with_its_own_thresholds_and_papers(study):
    weights = study.folder / "weights"
    assert (weights / "model.safetensors").read_bytes() == (study.best / "model.safetensors").read_bytes()
    assert (weights / "postprocess.json").read_bytes() == (study.best / "postprocess.json").read_bytes()
    assert "Licence of the data: CC BY-NC 4.0" in (weights / "LICENCE_OF_DATA.txt").read_text()
    assert (weights / "model_card.md").read_text() == "# The card\n"
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=weights, check=False)
    assert checked.returncode == 0
    listed = {line.split("  ")[1] for line in (weights / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in weights.iterdir()} - {"SHA256SUMS"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"engine": {"overlap": "4"}}, r"predict.json: engine.overlap is '4'; expected one of 1, 4, 9, 16"),
        ({"engine": {"tta": 1}}, r"engine.tta is 1; expected bool"),
        ({"engine": {"overlapp": 4}}, r"engine.overlapp is 4; expected one of overlap, window"),
        ({"slide": {"margin_px": None}}, r"slide.margin_px is None; expected int"),
    ],
)
def test_settings_that_were_edited_wrongly_are_refused(study, tmp_path, changed, message):
    weights = tmp_path / "weights"
    weights.mkdir()
    for path in (study.folder / "weights").iterdir():
        (weights / path.name).write_bytes(path.read_bytes())
    values = json.loads((weights / "predict.json").read_text())
    ((group, change),) = changed.items()
    write_json(weights / "predict.json", values | {group: values[group] | change})
    found = script("predict", *words_of(export=weights, images=study.folder / "images", results=tmp_path / "out"))
    assert message in found


def test_images_of_another_resolution_are_refused_and_not_scaled(study, tmp_path):
    words = words_of(export=study.folder / "weights", images=study.folder / "images", results=tmp_path, mpp=0.25)
    assert "--mpp 0.25" in script("predict", *words)
    assert "trained on images of 0.5 µm per pixel" in script("predict", *words)


def test_images_of_one_name_are_refused(study, tmp_path):
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    words = words_of(export=study.folder / "weights", images=tmp_path, results=tmp_path / "out")
    assert "several images are called a" in script("predict", *words)
    assert not (tmp_path / "out").exists()


def test_nothing_to_predict_is_said(study, tmp_path):
    words = words_of(export=study.folder / "weights", results=tmp_path)
    assert "--images, --slides: neither is given" in script("predict", *words)


@pytest.mark.parametrize("mpp", [0, -0.5, 250])
def test_a_resolution_that_no_picture_has_is_refused(study, tmp_path, mpp):
    words = words_of(export=study.folder / "weights", images=study.folder / "images", results=tmp_path)
    assert f"--mpp {mpp}; expected 0.02 to 20" in script("predict", *words, f"--mpp={mpp}")
