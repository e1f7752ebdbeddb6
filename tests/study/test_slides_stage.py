"""What the rules of stage slides hang on: each slide's own values, and nothing of another slide."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from histoloom.study.study import Study

DEMO = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text())
SLIDES = {"files": ["slides.csv"], "model": "demo_breast/unet_small"}


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("A 1.svs", "b.svs", "m.png", "sums"):
        Path(name).write_bytes(name.encode())
    Path("slides.csv").write_text("path,mpp,model,tissue\nA 1.svs,0.5,demo_nuclei/unet_narrow,m.png\nb.svs,,,\n")


def study(**changes):
    config = copy.deepcopy(DEMO)
    config["slides"] |= SLIDES | changes
    return Study(config)


def wild(slide, dataset="demo_breast", architecture="unet_small"):
    return SimpleNamespace(slide=slide, dataset=dataset, architecture=architecture)


def after(words, flag):
    rest = words[words.index(flag) + 1 :]
    return rest[: next((place for place, word in enumerate(rest) if word.startswith("--")), len(rest))]


def test_the_report_wants_a_picture_of_each_slide_by_its_own_model_and_one_page():
    assert study().slides.wanted("demo") == [
        "results/slides/a_1/demo_nuclei/unet_narrow/overview.png",
        "results/slides/b/demo_breast/unet_small/overview.png",
        "results/report/demo/slides.html",
    ]
    assert study(files=[]).slides.wanted("demo") == []
    assert "results/report/demo/slides.html" in study().wanted


def test_a_slides_own_values_reach_the_search_for_tissue():
    slides = study(checksums="sums").slides
    words = slides.tissue_flags(wild("a_1"))
    assert after(words, "--name") == ["A 1.svs"]
    assert after(words, "--mpp") == ["0.5"]
    assert after(words, "--own-mask") == ["m.png"]
    assert after(words, "--checksums") == ["sums"]
    assert slides.own_files(wild("b")) == {"checksums": "sums"}
    assert not {"--mpp", "--default-mpp"} & set(slides.tissue_flags(wild("b")))
    words = study(mpp=0.25).slides.tissue_flags(wild("b"))
    assert after(words, "--default-mpp") == ["0.25"]


def test_what_section_slides_says_of_prediction_wins_for_slides_alone():
    whole = study(predict={"overlap": 16}, outside="ignore", fold="all", model_mpp=0.25)
    words = whole.slides.predict_flags(wild("b"))
    assert after(words, "--overlap") == ["16"]
    assert after(words, "--outside") == ["255"]
    assert after(words, "--choose") == ["all"]
    assert after(words, "--mpp") == ["0.25"]
    assert "--method" not in words
    assert after(whole.predict.flags(wild("b")), "--overlap") == ["4"]


def test_smoothing_of_slides_is_that_of_images_but_for_what_differs():
    words = study(regions={"kernel": "median", "kernel_size": 2.0}).slides.postprocess_flags(wild("b"))
    assert after(words, "--kernel") == ["median"]
    assert after(words, "--unit") == ["um"]
    assert after(words, "--method") == ["watershed"]
    assert "--tried" not in words


def test_a_slide_counts_by_its_content():
    slides = study().slides
    first = slides.content(wild("b"))
    Path("b.svs").touch()
    assert study().slides.content(wild("b")) == first
    Path("b.svs").write_bytes(b"other")
    assert study().slides.content(wild("b")) != first


def test_every_fold_of_the_model_is_there_to_choose_from():
    files = study().slides.folds_of("results/{dataset}/{architecture}/fold{fold}/model.safetensors")(wild("b"))
    assert files == [f"results/demo_breast/unet_small/fold{fold}/model.safetensors" for fold in range(3)]
