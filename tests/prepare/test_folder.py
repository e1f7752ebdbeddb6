import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from histoloom import plugins
from histoloom.datasets.folder import UNKNOWN_PATIENTS, folder
from histoloom.errors import InputError
from histoloom.prepare.preparation import checked_options
from histoloom.prepared import read_description, read_index

SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_dataset.py"
SAMPLES = Path(__file__).parents[3] / "shared" / "data"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")

GREY = np.array([[0, 0, 4], [4, 7, 2]], np.uint8)
RED, GREEN = (255, 0, 0), (0, 128, 5)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def save_pair(root: Path, name: str, mask: np.ndarray, *, suffix: str = ".png") -> None:
    save(root / "images" / f"{name}{suffix}", np.full((*mask.shape[:2], 3), 200, np.uint8))
    save(root / "masks" / f"{name}.png", mask)


def only(root: Path, **options):
    dataset = folder(root, **options)
    assert dataset.problems == ()
    (sample,) = dataset
    return sample


def test_codes_become_class_indices(tmp_path):
    save_pair(tmp_path, "a", GREY)
    sample = only(tmp_path, classes=["background=0", "stroma=2", "necrosis=4", "ignore=7"], mpp=0.25)
    assert sample.mask.tolist() == [[0, 0, 2], [2, 255, 1]]
    assert (sample.name, sample.group, sample.stratum, sample.mpp, sample.fold) == ("a", "a", "", 0.25, None)
    assert (sample.source, sample.instances, dict(sample.counts)) == ("images/a.png", None, {})
    assert (sample.image == 200).all()


def test_several_codes_of_one_name_are_one_class(tmp_path):
    save_pair(tmp_path, "a", GREY)
    dataset = folder(tmp_path, classes=["ignore=0", "background=2", "lesion=4", "lesion=7"])
    assert dataset.classes == ("background", "lesion")
    assert dataset.facts == {"codes": "ignore=0, background=2, lesion=4, lesion=7", "unlisted": "refuse"}
    assert next(iter(dataset)).mask.tolist() == [[255, 255, 1], [1, 1, 0]]


@pytest.mark.parametrize("unlisted, value", [("ignore", 255), ("background", 0)])
def test_unlisted_codes_go_where_they_are_sent_and_are_counted(tmp_path, unlisted, value):
    save_pair(tmp_path, "a", GREY)
    sample = only(tmp_path, classes=["background=0", "necrosis=4"], unlisted=unlisted)
    assert sample.mask.tolist() == [[0, 0, 1], [1, value, value]]
    assert sample.counts == {"unlisted_px": 2}


COLOURED = np.array([[RED, GREEN], [GREEN, RED]], np.uint8)


def palette_image() -> Image.Image:
    image = Image.fromarray(np.array([[1, 0], [0, 1]], np.uint8), mode="P")
    image.putpalette([*GREEN, *RED])
    return image


@pytest.mark.parametrize(
    "image",
    [Image.fromarray(COLOURED), Image.fromarray(COLOURED).convert("RGBA"), palette_image()],
    ids=["rgb", "opaque", "palette"],
)
@pytest.mark.parametrize("red", ["#ff0000", "#FF0000", "255,0,0", "255, 0, 0"])
def test_colours_are_written_in_two_ways_and_stored_in_three(tmp_path, image, red):
    save_pair(tmp_path, "a", COLOURED)
    image.save(tmp_path / "masks" / "a.png")
    assert only(tmp_path, classes=["background=#008005", f"tumour={red}"]).mask.tolist() == [[1, 0], [0, 1]]


def test_grey_codes_stored_as_rgb_are_the_same_codes(tmp_path):
    save_pair(tmp_path, "a", np.stack([GREY] * 3, axis=-1))
    assert only(tmp_path, classes=["background=0", "b=2", "c=4", "d=7"]).mask.tolist() == [[0, 0, 2], [2, 3, 1]]


def test_grey_colours_of_a_coloured_map_may_be_stored_as_grey(tmp_path):  # some programs shrink an all-black RGB so
    save_pair(tmp_path, "a", np.zeros((2, 2), np.uint8))
    assert not only(tmp_path, classes=["background=#000000", "tumour=#ff0000"]).mask.any()


def test_sixteen_bit_codes_are_read(tmp_path):
    save_pair(tmp_path, "a", np.array([[0, 1000], [65535, 0]], np.uint16))
    sample = only(tmp_path, classes=["background=0", "tumour=1000", "ignore=65535"])
    assert sample.mask.tolist() == [[0, 1], [255, 0]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_code_map_round_trips(tmp_path, data):
    """Whatever the codes, class i drawn with any of its codes is read as class i."""
    is_coloured = data.draw(st.booleans())
    count = data.draw(st.integers(2, 6))
    values = st.integers(0, 0xFFFFFF if is_coloured else 255)
    codes = data.draw(st.lists(values, min_size=count, max_size=count, unique=True))
    names = ["background", *(data.draw(st.sampled_from(["ignore", "a", "b", "c"])) for _ in codes[1:-1]), "last"]
    form = "{}=#{:06x}" if is_coloured else "{}={}"
    written = [form.format(name, code) for name, code in zip(names, codes, strict=True)]
    classes = [name for name in dict.fromkeys(names) if name != "ignore"]
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    drawn = rng.integers(0, len(codes), (5, 7))
    values = np.array(codes)[drawn]
    pixels = np.stack([values >> 16, values >> 8 & 255, values & 255], -1) if is_coloured else values
    save_pair(tmp_path, "a", pixels.astype(np.uint8))
    dataset = folder(tmp_path, classes=written)
    (sample,) = dataset
    assert dataset.classes == tuple(classes)
    expected = [255 if name == "ignore" else classes.index(name) for name in names]
    assert (sample.mask == np.array(expected)[drawn]).all()


def test_jpg_images_pair_with_png_masks_and_masks_may_bear_an_ending(tmp_path):
    for name in ("a", "B.2"):
        save(tmp_path / f"{name}.jpg", np.full((4, 5, 3), 90, np.uint8))
        save(tmp_path / f"{name}_mask.png", np.zeros((4, 5), np.uint8))
    dataset = folder(tmp_path, images=".", masks=".", mask_suffix="_mask")
    assert dataset.problems == ()
    assert [(sample.name, sample.source) for sample in dataset] == [("a", "a.jpg"), ("B.2", "B.2.jpg")]


def test_nuclei_are_read_where_a_folder_of_them_is_named(tmp_path):
    save(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    save(tmp_path / "a_mask.png", np.full((2, 2), 255, np.uint8))
    save(tmp_path / "ids" / "a.tif", np.array([[0, 300], [7, 7]], np.uint16))
    sample = only(tmp_path, images=".", masks=".", mask_suffix="_mask", nuclei="ids")
    assert sample.instances.tolist() == [[0, 2], [1, 1]]
    assert dict(sample.counts) == {"nuclei": 2, "renumbered_nuclei": 2, "nuclei_in_pieces": 0}


def test_large_nucleus_ids_are_numbered_and_counted_beside_unlisted_pixels(tmp_path):
    save_pair(tmp_path, "a", np.array([[0, 9], [0, 255]], np.uint8))
    save(tmp_path / "ids" / "a.tif", np.array([[70_000, 0], [2, 70_000]], np.int32))
    sample = only(tmp_path, nuclei="ids", unlisted="ignore")
    assert sample.instances.tolist() == [[2, 0], [1, 2]]
    assert sample.counts["unlisted_px"] == 1 and sample.counts["nuclei"] == 2


@pytest.mark.parametrize("white", [1, 255])
def test_a_mask_in_place_of_a_nucleus_map_is_refused(tmp_path, white):
    save_pair(tmp_path, "a", np.zeros((5, 5), np.uint8))
    save(tmp_path / "ids" / "a.png", np.uint8(white) * np.array([[1, 1, 0, 0, 1]] * 5, np.uint8))
    with pytest.raises(InputError, match=rf"ids/a.png: holds only 0 and {white}, in 2 places; expected one number"):
        only(tmp_path, nuclei="ids")
    save(tmp_path / "ids" / "a.png", np.uint8(white) * np.array([[1, 1, 1, 0, 0]] * 5, np.uint8))
    assert only(tmp_path, nuclei="ids").instances.max() == 1  # a single nucleus may bear any number


def test_image_without_nuclei_is_a_problem_where_nuclei_are_named(tmp_path):
    save_pair(tmp_path, "a", np.zeros((2, 2), np.uint8))
    save_pair(tmp_path, "b", np.zeros((2, 2), np.uint8))
    save(tmp_path / "ids" / "b.png", np.zeros((2, 2), np.uint8))
    dataset = folder(tmp_path, nuclei="ids")
    assert [sample.name for sample in dataset] == ["b"]
    (problem,) = dataset.problems
    assert problem.startswith(f"{tmp_path}/masks/a.png: has no annotation; expected ids/a.png")


def test_group_and_stratum_come_from_the_name(tmp_path):
    save_pair(tmp_path, "TCGA-A1-A0SK-01Z_Breast_3", np.zeros((2, 2), np.uint8))
    dataset = folder(tmp_path, group="tcga_participant", stratum="_([A-Z][a-z]+)_")
    (sample,) = dataset
    assert (sample.group, sample.stratum, dataset.warnings) == ("TCGA-A1-A0SK", "Breast", ())


def test_unknown_patients_are_warned_of_beside_the_note(tmp_path):
    save_pair(tmp_path, "a", np.zeros((2, 2), np.uint8))
    assert folder(tmp_path, note="mind the pen").warnings == (UNKNOWN_PATIENTS, "mind the pen")


def test_name_that_the_pattern_does_not_match_is_a_problem_of_that_image(tmp_path):
    for name in ("case1_x", "case2_x", "odd"):
        save_pair(tmp_path, name, np.zeros((2, 2), np.uint8))
    dataset = folder(tmp_path, group=r"case\d")
    assert [sample.group for sample in dataset] == ["case1", "case2"]
    (problem,) = dataset.problems
    assert problem.startswith("odd: has nothing that matches the group pattern")


@pytest.mark.parametrize("pattern, expected", [("slide", "nothing that matches"), ("(", "no regular expression")])
def test_pattern_that_matches_no_name_is_refused_at_once(tmp_path, pattern, expected):
    save_pair(tmp_path, "a", np.zeros((2, 2), np.uint8))
    with pytest.raises(InputError, match=expected):
        folder(tmp_path, group=pattern)


def write_index(root: Path, text: str, encoding: str = "utf-8") -> None:
    (root / "index.csv").write_text(text, encoding=encoding)


def three_images(root: Path) -> None:
    for name in ("a", "b", "c"):
        save_pair(root, name, np.zeros((2, 2), np.uint8))


def test_index_wins_over_patterns_cell_by_cell(tmp_path):
    three_images(tmp_path)
    text = "name,Group,stratum,mpp,fold,scanner\na,p1,Colon,0.5,1,x\nB,,,,2,y\nc,p1,,0.2,3,z\n"
    write_index(tmp_path, text, "utf-8-sig")
    dataset = folder(tmp_path, index="index.csv", mpp=0.25, stratum="^.")
    assert dataset.problems == ()
    assert [(sample.group, sample.stratum, sample.mpp, sample.fold) for sample in dataset] == [
        ("p1", "Colon", 0.5, 1),
        ("b", "b", 0.25, 2),
        ("p1", "c", 0.2, 3),
    ]
    assert dataset.warnings == (UNKNOWN_PATIENTS,)  # b has no group of its own


def test_index_with_all_groups_leaves_no_warning(tmp_path):
    three_images(tmp_path)
    write_index(tmp_path, "name,group\na,p1\nb,p1\nc,p2\n")
    assert folder(tmp_path, index="index.csv").warnings == ()


def test_images_and_rows_that_miss_each_other_are_problems(tmp_path):
    three_images(tmp_path)
    save(tmp_path / "images" / "bare.png", np.zeros((2, 2, 3), np.uint8))  # has a row, but no mask: said once
    write_index(tmp_path, "name,group\na,p1\nd,p1\nbare,p1\nb,p2\n")
    dataset = folder(tmp_path, index="index.csv")
    assert [sample.name for sample in dataset] == ["a", "b"]
    bare, missing, unknown = dataset.problems
    assert bare.startswith(f"{tmp_path}/images/bare.png: has no annotation")
    assert missing == (
        f"{tmp_path}/images/c.png: has no row in index.csv; expected one named 'c'; add it, or remove the image"
    )
    assert unknown.startswith(f"{tmp_path}/index.csv: names 'd', of which images/ has no image")


BAD_TABLES = {
    "image,group\na,p\n": "has no column 'name'",
    "": "has no column 'name'",
    "name,case\na,p\n": "has beside 'name' the columns 'case'; expected one or more of group, stratum, mpp, fold",
    "name,groups,mpp\na,p,1\n": "has beside 'name' the columns 'groups', 'mpp'",
    "name\na\n": r"has beside 'name' the columns \(none\)",
    "name,mpp\na,half\n": "row 'a': mpp is 'half'; expected micrometres",
    "name;mpp\na;1\nb;0,5\n": "row 'b': mpp is '0,5'",
    "name,mpp\na,1\nb,-1\n": "row 'b': mpp is '-1'",
    "name,mpp\na,nan\n": "row 'a': mpp is 'nan'",
    "name,fold\na,1.5\n": "row 'a': fold is '1.5'; expected a whole number",
    "name,group\na,p\nA,q\n": "has two rows for 'A'",
}


@pytest.mark.parametrize("text, expected", BAD_TABLES.items(), ids=BAD_TABLES.values())
def test_bad_index_is_refused(tmp_path, text, expected):
    three_images(tmp_path)
    write_index(tmp_path, text)
    with pytest.raises(InputError, match=f"index.csv: {expected}"):
        folder(tmp_path, index="index.csv")


def test_index_in_another_encoding_is_refused(tmp_path):
    three_images(tmp_path)
    (tmp_path / "index.csv").write_bytes("name,group\na,Müller\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"index.csv: cannot be read as text .*save it as UTF-8 text"):
        folder(tmp_path, index="index.csv")


BAD_SETTINGS = {
    "no code": ({"classes": ["background"]}, "classes: 'background'; expected name=code"),
    "no name": ({"classes": ["=3"]}, "classes: '=3'; expected name=code"),
    "grey too large": ({"classes": ["background=0", "a=65536"]}, "'a=65536'; expected name=code"),
    "colour too large": ({"classes": ["background=0,0,0", "a=256,0,0"]}, "'a=256,0,0'; expected"),
    "short colour": ({"classes": ["background=#000", "a=#fff"]}, "'background=#000'; expected"),
    "negative": ({"classes": ["background=-1", "a=1"]}, "'background=-1'; expected"),
    "mapping": ({"classes": ["{'background': 0}"]}, "expected name=code"),
    "greys and colours": ({"classes": ["background=0", "a=#ff0000"]}, "some codes are greys, some colours"),
    "code twice": ({"classes": ["background=0", "a=4", "b=4"]}, "code 4 is given twice"),
    "colour twice": ({"classes": ["background=#000000", "a=255,0,0", "b=#ff0000"]}, "code #ff0000 is given twice"),
    "no background": ({"classes": ["tumour=1", "stroma=2"]}, "the first is 'tumour'; expected 'background'"),
    "background not first": ({"classes": ["tumour=1", "background=2"]}, "the first is 'tumour'"),
    "ignore alone": ({"classes": ["ignore=0"]}, "the first is ''; expected 'background'"),
    "one class": ({"classes": ["background=0", "ignore=1"]}, "classes: 1 with the background; expected 2 to 255"),
    "unlisted": ({"unlisted": "ignored"}, "unlisted: unknown word 'ignored'; did you mean 'ignore'"),
    "mpp": ({"mpp": -0.5}, "mpp: -0.5; expected micrometres per pixel"),
    "mpp not a number": ({"mpp": float("nan")}, "mpp: nan"),
    "images": (
        {"images": "pictures"},
        r"pictures: no such folder; expected the images in it \(the folders beside it are: images, masks\)",
    ),
    "masks": (
        {"masks": "truth"},
        "truth: no such folder; expected the masks in it .*set the option 'masks', or mend 'root'",
    ),
    "nuclei": ({"nuclei": "ids"}, "ids: no such folder; expected the nuclei in it"),
    "index": ({"index": "no.csv"}, "no.csv: no such file; expected one"),
    "outside": ({"masks": "../masks"}, "masks: '../masks' lies outside"),
    "absolute": ({"index": "/etc/passwd"}, "index: '/etc/passwd' lies outside"),
    "one folder": ({"masks": "images"}, "images and annotations under names alike"),
}


@pytest.mark.parametrize("options, expected", BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_bad_settings_are_refused_before_an_image_is_read(tmp_path, options, expected):
    save_pair(tmp_path, "a", np.zeros((2, 2), np.uint8))
    (tmp_path / "images" / "a.png").write_bytes(b"never decoded")
    with pytest.raises(InputError, match=expected):
        folder(tmp_path, **options)


def test_missing_root_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder; expected images and masks in it; mend 'root'"):
        folder(tmp_path / "nowhere")


def test_links_to_other_disks_are_followed(tmp_path):
    save_pair(tmp_path / "disk", "a", np.zeros((2, 2), np.uint8))
    (tmp_path / "root").mkdir()
    for part in ("images", "masks"):
        (tmp_path / "root" / part).symlink_to(tmp_path / "disk" / part)
    assert only(tmp_path / "root").source == "images/a.png"


def test_options_can_be_set_from_a_config():
    given = {"classes": ["background=0", "a=1"], "mpp": 1, "index": "index.csv"}
    assert checked_options("folder", given) == {"classes": ("background=0", "a=1"), "mpp": 1, "index": "index.csv"}
    assert {"licence", "citation", "note"} <= plugins.options("datasets", "folder").keys()


@needs_samples
@pytest.mark.parametrize(
    "place, sought, group, groups",
    [
        ("necrosis/composites", "necrosis", r"Case-\d+", {"Case-3", "Case-4"}),
        ("oscc_tumour", "tumour", "^[0-9]+", None),
    ],
)
def test_real_folders_have_the_pixels_that_pillow_counts(place, sought, group, groups):
    root = SAMPLES / place
    dataset = folder(root, classes=["background=0", f"{sought}=255"], group=group)
    assert dataset.problems == ()
    samples = list(dataset)
    assert len(samples) == len(list((root / "images").iterdir())) == len(list((root / "masks").iterdir()))
    assert {sample.group for sample in samples} == (groups or {"1009009"})
    for sample in samples:
        histogram = Image.open(root / "masks" / f"{sample.name}.png").histogram()
        assert np.bincount(sample.mask.ravel(), minlength=256).tolist() == [histogram[0], histogram[255], *[0] * 254]
        assert sample.image.shape[:2] == sample.mask.shape
        assert (sample.image == np.asarray(Image.open(root / sample.source))).all()


def test_script_prepares_a_folder(tmp_path):
    save_pair(tmp_path / "raw", "slide 1", GREY, suffix=".jpg")
    out = tmp_path / "out"
    flags = [f"--{name}={out / name}" for name in ("images", "masks", "instances", "second-instances")]
    flags += [f"--index={out / 'index.csv'}", f"--dataset={out / 'dataset.json'}", f"--skipped={out / 'skipped.csv'}"]
    flags += ["--option", "classes=['background=0', 'stroma=2', 'necrosis=4']", "unlisted=ignore"]
    flags += [f"--root={tmp_path / 'raw'}", "--on-bad-image=stop"]
    command = [sys.executable, str(SCRIPT), "--name=lab", "--reader=folder", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = read_index(out / "index.csv")
    assert np.asarray(Image.open(row.mask)).tolist() == [[0, 0, 2], [2, 255, 1]]
    assert read_description(out / "dataset.json").facts["unlisted_px"] == 1
