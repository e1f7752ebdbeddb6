"""The images of a fold are given one stain by the script, which shows what it left alone and looks at no test image."""

import csv
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from histoloom import plugins
from histoloom.colour.stain import optical_density, tissue_mask
from histoloom.files import digest_of, write_table
from histoloom.formats.images import read_image, write_image
from histoloom.prepared import INDEX_COLUMNS, read_index, read_table
from histoloom.split.normalisation import draw_reference, read_reference
from tests.colour.test_stain import PAIRS, inked, plain, stained, unit

METHODS = plugins.names("normalisers")
SCRIPT = Path(__file__).parents[2] / "scripts" / "normalise_images.py"

IMAGES = {
    "a": ("train", stained("blue", seed=1)),
    "b": ("train", stained("grey", seed=2)),
    "ink": ("train", inked((30, 140, 60))),
    "c": ("val", stained("macenko", seed=3)),
    "d": ("test", stained("ruifrok", seed=4)),
    "glass": ("test", plain(250)),
}


def write_dataset(folder, images=IMAGES):
    rows = []
    for name, (_, image) in images.items():
        write_image(folder / "prepared" / "images" / f"{name}.png", image)
        height, width = image.shape[:2]
        own = {"name": name, "image": f"images/{name}.png", "mask": f"masks/{name}.png"}
        own["instances"] = f"instances/{name}.png"
        rows.append(dict.fromkeys(INDEX_COLUMNS, "") | own | {"height": height, "width": width})
    write_table(folder / "prepared" / "index.csv", INDEX_COLUMNS, rows)
    members = [(fold, part, name, "") for fold in (0, 1) for name, (part, _) in images.items()]
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), members)


def run_script(folder, monkeypatch, method="macenko", seed=7):
    flags = {"index": folder / "prepared" / "index.csv", "folds": folder / "folds.csv", "fold": 1, "method": method}
    flags |= {"seed": seed, "images": folder / "normalised", "table": folder / "normalised.csv"}
    flags |= {"reference": folder / "reference.npz", "normalised-index": folder / "fold1" / "index.csv"}
    flags["findings"] = folder / "findings.csv"
    words = [text for key, value in flags.items() for text in (f"--{key}", str(value))]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    with (folder / "normalised.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("method", METHODS)
def test_every_image_is_written_and_every_fallback_is_named(tmp_path, monkeypatch, capsys, method):
    write_dataset(tmp_path)
    table = run_script(tmp_path, monkeypatch, method)
    assert {name: row["state"] for name, row in table.items()} == {
        name: "fallback" if name in ("ink", "glass") else "normalised" for name in IMAGES
    }
    (finding,) = read_table(tmp_path / "findings.csv")
    assert (finding["severity"], finding["kind"], finding["subject"]) == ("warning", "not_normalised", "fold 1")
    assert finding["message"].startswith("2 of 6 images (ink, glass) could not be normalised")
    assert {name: row["part"] for name, row in table.items()} == {name: part for name, (part, _) in IMAGES.items()}
    log = capsys.readouterr().err
    assert "ink: kept as it is: " in log
    assert "glass: kept as it is: 0 stained pixels, expected at least 1000" in log
    assert log.endswith("4 images normalised, 2 kept as they are\n")
    for name, (_, image) in IMAGES.items():
        result = read_image(tmp_path / "normalised" / f"{name}.png")
        assert np.array_equal(result, image) == (name in ("ink", "glass"))
    assert (table["glass"]["reason"], table["glass"]["haematoxylin_r_before"]) != ("", "")
    before = [
        float(table["d"][f"{stain}_{channel}_before"]) for stain in ("haematoxylin", "eosin") for channel in "rgb"
    ]
    np.testing.assert_allclose(np.reshape(before, (2, 3)), unit(PAIRS["ruifrok"]), atol=0.02)


def test_the_normalised_index_is_read_like_the_prepared_one(tmp_path, monkeypatch):
    write_dataset(tmp_path)
    run_script(tmp_path, monkeypatch)
    prepared = read_index(tmp_path / "prepared" / "index.csv")
    for row, old in zip(read_index(tmp_path / "fold1" / "index.csv"), prepared, strict=True):
        image = read_image(row.image)
        assert row.image.resolve() == tmp_path / "normalised" / f"{row.name}.png"
        assert row.mask.resolve() == old.mask.resolve()
        assert row.sha256 == digest_of(image.tobytes())
        assert row.instances.resolve() == old.instances.resolve()
        assert (row.name, row.height, row.width, row.second_instances) == (old.name, *image.shape[:2], None)


def test_the_reference_knows_training_images_only(tmp_path, monkeypatch):
    write_dataset(tmp_path)
    run_script(tmp_path, monkeypatch)
    first = (tmp_path / "reference.npz").read_bytes()
    first_a = (tmp_path / "normalised" / "a.png").read_bytes()
    unseen = {"c": ("val", stained("blue", seed=8)), "d": ("test", inked((40, 60, 170)))}
    write_dataset(tmp_path, IMAGES | unseen)
    run_script(tmp_path, monkeypatch)
    assert (tmp_path / "reference.npz").read_bytes() == first
    assert (tmp_path / "normalised" / "a.png").read_bytes() == first_a
    write_dataset(tmp_path, IMAGES | {"a": ("train", stained("macenko", seed=8))})
    run_script(tmp_path, monkeypatch)
    assert (tmp_path / "reference.npz").read_bytes() != first


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path, monkeypatch):
    write_dataset(tmp_path)
    made = []
    for seed in (7, 7, 8):
        run_script(tmp_path, monkeypatch, seed=seed)
        files = [tmp_path / "normalised.csv", tmp_path / "reference.npz", *sorted((tmp_path / "normalised").iterdir())]
        made.append([path.read_bytes() for path in files])
    assert made[0] == made[1]
    assert made[0][1] != made[2][1]


def test_a_stored_reference_makes_the_same_normaliser(tmp_path, monkeypatch):
    write_dataset(tmp_path)
    run_script(tmp_path, monkeypatch)
    method, reference = read_reference(tmp_path / "reference.npz")
    image = IMAGES["d"][1]
    again = plugins.load("normalisers", method)(reference)(image[tissue_mask(image)])(image)
    np.testing.assert_array_equal(read_image(tmp_path / "normalised" / "d.png"), again)


def test_each_image_gives_the_same_number_of_pixels_and_ink_gives_none(tmp_path):
    write_dataset(tmp_path, {key: IMAGES[key] for key in ("a", "b", "ink")})
    drawn = draw_reference(read_index(tmp_path / "prepared" / "index.csv"), 0)
    assert [len(pixels) for pixels in drawn] == [10_000, 10_000]
    for pair in ("blue", "grey"):
        across = np.linalg.svd(unit(PAIRS[pair]))[2][2]  # orthogonal to both stains of one image
        assert min(np.abs(optical_density(pixels) @ across).mean() for pixels in drawn) < 0.01


def test_too_many_unusable_training_images_stop_the_fold(tmp_path, monkeypatch):
    inks = {"ink2": ("train", inked((200, 30, 40))), "white": ("train", plain(255))}
    write_dataset(tmp_path, IMAGES | inks)
    message = r"3 of 5 training images show no two stains \(ink, ink2, white\); expected half of them at least"
    with pytest.raises(SystemExit, match=message):
        run_script(tmp_path, monkeypatch)
    assert not (tmp_path / "normalised").exists()


def test_a_reference_that_the_method_refuses_ends_without_traceback(tmp_path, monkeypatch):
    # Pure haematoxylin beside pure eosin, both of lightness 46.4: two stains, but no spread that Reinhard could match.
    is_nucleus = np.random.default_rng(0).random((64, 64, 1)) < 0.5
    even = np.where(is_nucleus, (123, 101, 147), (176, 77, 108)).astype(np.uint8)
    write_dataset(tmp_path, {"a": ("train", even), "d": IMAGES["d"]})
    with pytest.raises(SystemExit) as ended:
        run_script(tmp_path, monkeypatch, "reinhard")
    message = str(ended.value)
    assert message.startswith(f"error: {tmp_path / 'folds.csv'}: the training images of fold 1 give no reference for ")
    assert "'reinhard' (one colour: a channel of CIELAB varies by" in message and "set another normalise.m" in message
    assert not (tmp_path / "normalised").exists() and not (tmp_path / "reference.npz").exists()
