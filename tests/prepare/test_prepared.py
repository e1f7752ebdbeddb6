import hashlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.files import write_text
from histoloom.formats.images import read_image, read_instances, read_mask, write_image
from histoloom.prepare.preparation import PreparedFiles, checked_options, safe_name, write_prepared
from histoloom.prepared import part_names, read_description, read_index, read_table
from histoloom.sample import Dataset, Sample

SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_dataset.py"
IMAGE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def sample(name: str = "tile 1", **changes) -> Sample:
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 2:4], mask[5] = 1, 255
    instances = np.where(mask == 1, 300, 0).astype(np.int32)
    values = {"mask": mask, "instances": instances, "source": f"{name}.tif", "group": "p1", "stratum": "Colon"}
    made = Sample(name, IMAGE, **values)
    for key, value in changes.items():  # set afterwards: the checks of tests would stop a mask of another size here
        object.__setattr__(made, key, value)
    return made


def dataset(*samples: Sample, **more) -> Dataset:
    items = [partial(lambda made: made, made) for made in samples]
    return Dataset(("background", "tumour"), items, "CC0", "nobody 2020", {"a": 1}, ("w",), **more)


def files_in(folder: Path) -> PreparedFiles:
    folders = (folder / name for name in ("images", "masks", "instances", "second_instances"))
    return PreparedFiles(*folders, folder / "index.csv", folder / "skipped.csv", folder / "dataset.json")


def write(folder: Path, data: Dataset, **more) -> None:
    write_prepared(data, files_in(folder), name="demo", reader="toy", **more)


def test_what_was_written_is_read_back(tmp_path):
    first = sample(mpp=0.5, fold=2)
    write(tmp_path, dataset(first, sample("b")))
    row, other = read_index(tmp_path / "index.csv")
    assert (read_image(row.image) == first.image).all()
    assert (read_mask(row.mask) == first.mask).all()
    assert (read_instances(row.instances) == first.instances).all()
    assert (row.height, row.width, row.mpp, row.group, row.stratum, row.fold) == (6, 8, 0.5, "p1", "Colon", 2)
    assert (other.mpp, other.fold) == (None, None)
    assert row.sha256 == hashlib.sha256(IMAGE.tobytes()).hexdigest()


def test_description_is_read_back(tmp_path):
    write(tmp_path, dataset(sample()))
    description = read_description(tmp_path / "dataset.json")
    assert (description.name, description.reader) == ("demo", "toy")
    assert description.classes == ("background", "tumour")
    assert description.has_instances
    assert (description.licence, description.citation) == ("CC0", "nobody 2020")
    assert (description.facts, description.warnings) == ({"a": 1}, ("w",))


def test_counts_of_the_samples_are_summed_into_the_facts(tmp_path):
    write(tmp_path, dataset(sample(counts={"repairs": 3}), sample("b", counts={"repairs": 4, "hidden": 1})))
    assert read_description(tmp_path / "dataset.json").facts == {"a": 1, "repairs": 7, "hidden": 1}


def test_nuclei_of_a_second_annotator_are_kept(tmp_path):
    second = np.zeros((6, 8), np.int32)
    second[1:3, 1:3] = 9
    write(tmp_path, dataset(sample(second_instances=second), sample("b")))
    with_second, without = read_index(tmp_path / "index.csv")
    assert (read_instances(with_second.second_instances) == second).all()
    assert without.second_instances is None


def test_dataset_without_instances_has_an_empty_folder_of_them(tmp_path):
    write(tmp_path, dataset(sample(instances=None)))
    assert list((tmp_path / "instances").iterdir()) == []
    assert read_index(tmp_path / "index.csv")[0].instances is None
    assert not read_description(tmp_path / "dataset.json").has_instances


def test_names_become_safe_file_names_and_the_original_is_kept(tmp_path):
    write(tmp_path, dataset(sample("Fold 1/tile (3)", source="wsi.svs"), sample("plain", source="")))
    odd, plain = read_index(tmp_path / "index.csv")
    assert (odd.name, odd.image.name, odd.source) == ("Fold_1_tile_3", "Fold_1_tile_3.png", "wsi.svs (Fold 1/tile (3))")
    assert (plain.name, plain.source) == ("plain", "plain")


@pytest.mark.parametrize("name", ["../x", ".hidden", "a b", "Ärger", "a/b\\c", "fold1_00012"])
def test_safe_name_stays_in_its_folder(name):
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert safe.isascii()


def test_same_input_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        write(tmp_path / folder, dataset(sample(), sample("b")))
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 9
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_progress_counts_to_the_number_of_samples(tmp_path):
    seen = []
    write(tmp_path, dataset(sample(), sample("b")), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_one_sample_at_a_time_is_read(tmp_path):
    asked = []

    def read(name: str) -> Sample:
        asked.append(name)
        return sample(name)

    data = Dataset(("background", "tumour"), [partial(read, name) for name in "abc"], "CC0", "nobody")
    write(tmp_path, data, progress=lambda done, total: asked.append(done))
    assert asked == ["a", 1, "b", 2, "c", 3]


def damaged() -> Sample:
    raise InputError("raw/b.tif: cannot be read as an image (truncated);\ncopy the file again")


def with_damage() -> Dataset:
    sound = dataset(sample("a"), sample("c"))
    items = [sound.items[0], damaged, sound.items[1]]
    return Dataset(sound.classes, items, "CC0", "nobody", problems=("raw/d.tif: has no mask; add it",))


def test_every_bad_image_is_named_before_the_dataset_is_refused(tmp_path):
    told = []
    with pytest.raises(InputError) as error:
        write(tmp_path, with_damage(), tell=told.append)
    assert [message.split(":")[0] for message in told] == ["raw/d.tif", "raw/b.tif"]
    assert str(error.value) == (
        "dataset 'demo': 2 problems with its files, beside 2 sound images; expected none; mend or remove these files "
        "(all are named above), or set prepare.on_bad_image: skip. The first:\nraw/d.tif: has no mask; add it"
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_skipped_images_are_left_out_listed_and_counted(tmp_path):
    write(tmp_path, with_damage(), on_bad_image="skip")
    assert [row.name for row in read_index(tmp_path / "index.csv")] == ["a", "c"]
    assert read_table(tmp_path / "skipped.csv") == [
        {"source": "raw/d.tif", "message": "has no mask; add it"},
        {"source": "raw/b.tif", "message": "cannot be read as an image (truncated); copy the file again"},
    ]
    assert read_description(tmp_path / "dataset.json").skipped == 2


def test_dataset_of_bad_images_alone_is_refused_even_when_they_may_be_skipped(tmp_path):
    data = Dataset(("background", "tumour"), [damaged], "CC0", "nobody")
    with pytest.raises(InputError, match="dataset 'demo': no sound image, 1 problem; expected at least one"):
        write(tmp_path, data, on_bad_image="skip")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_refused_ids_leave_no_file_of_their_image(tmp_path):
    write(tmp_path, dataset(sample(), sample("b", instances=np.full((6, 8), 70_000, np.int32))), on_bad_image="skip")
    assert {path.name for path in tmp_path.glob("*/*.png")} == {"tile_1.png"}


def test_refused_ids_of_a_second_annotator_leave_no_file_and_free_the_name(tmp_path):
    bad = sample("b", source="bad.tif", second_instances=np.full((6, 8), 70_000, np.int32))
    write(tmp_path, dataset(sample(), bad, sample("b", source="good.tif")), on_bad_image="skip")
    assert [row.source for row in read_index(tmp_path / "index.csv")] == ["tile 1.tif (tile 1)", "good.tif"]
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*instances/*.png")} == {
        "instances/tile_1.png",
        "instances/b.png",
    }
    (skipped,) = read_table(tmp_path / "skipped.csv")
    assert skipped["source"] == "bad.tif"
    assert skipped["message"].startswith("second nucleus map holds ids 70000 to 70000; expected 0 to 65535")


SMALL = np.zeros((5, 8), np.uint8)
BAD = {
    "mask size": ([sample(mask=SMALL)], r"tile 1.tif: mask is \(5, 8\), image is \(6, 8\); expected one size"),
    "ids size": ([sample(instances=SMALL.astype(np.int32))], r"tile 1.tif: nucleus map is \(5, 8\), image is \(6, 8\)"),
    "mask value": ([sample(mask=np.full((6, 8), 2, np.uint8))], r"mask holds 2; expected class indices 0 to 1, or 255"),
    "same name": ([sample(), sample()], r"its name 'tile 1' gives the file 'tile_1.png', as tile 1.tif does"),
    "same file": ([sample("A b"), sample("a_B")], r"a_B.tif: its name 'a_B' gives the file 'a_B.png', as A b.tif does"),
    "no name": ([sample("???")], r"name '\?\?\?' has no letter or digit"),
    "some ids": ([sample(), sample("b", instances=None)], r"b.tif: has no nucleus ids, unlike the images before it"),
    "many ids": (
        [sample(instances=np.full((6, 8), 70_000, np.int32))],
        r"tile 1.tif: nucleus map holds ids 70000 to 70000; expected 0 to 65535; cut the image",
    ),
    "no sample": ([], r"dataset 'demo': the reader 'toy' found no image; expected at least one; check 'root'"),
}


@pytest.mark.parametrize("samples, message", BAD.values(), ids=BAD.keys())
def test_bad_sample_is_refused_and_nothing_is_left(samples, message, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        write(tmp_path, dataset(*samples))
    assert str(error.value).count("\n") < 4
    assert list(tmp_path.iterdir()) == []


def test_refused_dataset_leaves_the_earlier_one_as_it_was(tmp_path):
    write(tmp_path, dataset(sample()))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="mask is"):
        write(tmp_path, dataset(sample("new"), sample("bad", mask=SMALL)))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_options_take_the_kind_of_their_default():
    assert checked_options("brecahad", {"radius_px": 12.5, "points": "tumor", "note": 2020}) == {
        "radius_px": 12.5,
        "points": ("tumor",),
        "note": "2020",
    }


@pytest.mark.parametrize("value", ["20px", True, [20]])
def test_option_that_is_no_number_is_refused(value):
    with pytest.raises(InputError, match=r"'brecahad': option radius_px is '.*'; expected a number like 20"):
        checked_options("brecahad", {"radius_px": value})


def test_misspelt_option_is_refused():
    with pytest.raises(InputError, match="reader 'brecahad' has no option 'radius'; did you mean 'radius_px'"):
        checked_options("brecahad", {"radius": 20})


def test_unknown_fold_is_refused(tmp_path):
    (tmp_path / "folds.csv").write_text("fold,part,name,group\n0,train,a,p1\n0,test,b,p2\n")
    assert part_names(tmp_path / "folds.csv", 0, "test") == ["b"]
    with pytest.raises(InputError, match=r"folds.csv: has no fold 3"):
        part_names(tmp_path / "folds.csv", 3, "test")


def run_script(folder: Path, *flags: str) -> subprocess.CompletedProcess:
    outputs = [f"--{kind}={folder / kind}" for kind in ("images", "masks", "instances", "second-instances")]
    outputs += [f"--{kind}={folder / kind}.csv" for kind in ("index", "skipped")]
    outputs += [f"--dataset={folder / 'dataset.json'}"]
    command = [sys.executable, str(SCRIPT), "--name", "toy", "--on-bad-image", "stop", *flags, *outputs]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_script_prepares_a_dataset_and_counts_in_the_log(tmp_path):
    points = json.dumps({"tumor": [{"x": 0.5, "y": 0.5}]})
    write_image(tmp_path / "raw" / "images" / "Case_1-01.png", IMAGE)
    write_text(tmp_path / "raw" / "groundTruth" / "Case_1-01.json", points)
    flags = ("--reader", "brecahad", "--root", str(tmp_path / "raw"), "--option", "radius_px=3", "points=['tumor']")
    done = run_script(tmp_path / "out", *flags)
    assert done.returncode == 0, done.stderr
    assert "toy: 1 of 1 images" in done.stderr
    assert done.stdout == ""
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())["facts"]
    assert (facts["radius_px"], facts["points"], facts["points_tumor"]) == (3, "tumor", 1)


def test_script_names_each_bad_image_in_the_log(tmp_path):
    for name in ("Case_1-01", "Case_2-01", "Case_3-01"):
        write_image(tmp_path / "raw" / "images" / f"{name}.png", IMAGE)
        write_text(tmp_path / "raw" / "groundTruth" / f"{name}.json", "{}")
    for name in ("Case_1-01", "Case_3-01"):
        (tmp_path / "raw" / "images" / f"{name}.png").write_bytes(b"<html>no such file</html>")
    flags = ("--reader", "brecahad", "--root", str(tmp_path / "raw"))
    stopped = run_script(tmp_path / "out", *flags)
    assert stopped.returncode == 1
    for name in ("Case_1-01", "Case_3-01"):
        assert f"bad image: {tmp_path}/raw/images/{name}.png" in stopped.stderr
    assert "error: dataset 'toy': 2 problems with its files, beside 1 sound image;" in stopped.stderr
    assert run_script(tmp_path / "out", *flags, "--on-bad-image", "skip").returncode == 0
    assert [row.name for row in read_index(tmp_path / "out" / "index.csv")] == ["Case_2-01"]


def test_script_ends_with_a_message_and_no_traceback(tmp_path):
    done = run_script(tmp_path / "out", "--reader", "pannuke", "--root", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
