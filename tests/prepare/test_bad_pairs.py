"""Images and masks that do not fit each other, and what is said of them: rows B4, B5 and B6 of the matrix of faults."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from histoloom import plugins
from histoloom.datasets.folder import folder
from histoloom.errors import InputError
from histoloom.prepare.inspection.findings import inspect
from histoloom.prepare.inspection.measuring import measure
from histoloom.prepare.preparation import PreparedFiles, write_prepared
from histoloom.prepared import read_description, read_index, read_table
from histoloom.sample import Dataset

CLASSES = ("background=0", "stroma=100", "necrosis=255")
COLOURS = ("background=#000000", "stroma=0,128,0", "necrosis=#ff0000")
HEIGHT, WIDTH = 24, 32
TISSUE = np.random.default_rng(3).normal((150, 80, 160), 12, (HEIGHT, WIDTH, 3)).clip(0, 255).astype(np.uint8)


def sound_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[4:20, 4:16], mask[8:16, 16:28] = 255, 100
    return mask


def coloured(mask: np.ndarray) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    table[100], table[255] = (0, 128, 0), (255, 0, 0)
    return table[mask]


def save(path: Path, pixels: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def with_values(**changes: int) -> np.ndarray:
    """The sound mask with the first pixels of its last row set: v7=3 sets 3 of them to 7, and so on."""
    mask = sound_mask()
    mask[-1] = [int(key[1:]) for key, pixels in changes.items() for _ in range(pixels)] + [0] * (
        WIDTH - sum(changes.values())
    )
    return mask


def round_mask() -> np.ndarray:
    rows, columns = np.indices((96, 96))
    return np.select(
        [np.hypot(rows - 30, columns - 30) < 25, np.hypot(rows - 66, columns - 70) < 20], [255, 100]
    ).astype(np.uint8)


def resaved(mask: np.ndarray, path: Path, quality: int) -> np.ndarray:
    save(path / "copy.jpg", mask, quality=quality)
    pixels = np.asarray(Image.open(path / "copy.jpg"))
    (path / "copy.jpg").unlink()
    return pixels


# B4: what the mask is -> (how it is written to `path`, options of the reader, what the message says after its path)
Writer = Callable[[Path], None]
BAD_MASKS: dict[str, tuple[Writer, dict, str]] = {
    "another size": (
        lambda path: save(path, sound_mask()[:, :-1]),
        {},
        "mask is 31x24 px (width x height), its image a.png 32x24; expected one size; export both again at one "
        "downsample",
    ),
    "transposed": (
        lambda path: save(path, sound_mask().T.copy()),
        {},
        "mask is 24x32 px (width x height), its image a.png 32x24; expected one size; looks transposed: exchange its "
        "rows and columns",
    ),
    "coloured where greys are coded": (
        lambda path: save(path, coloured(sound_mask())),
        {},
        "is coloured, with 3 colours: #000000 (480 px), #ff0000 (192 px), #008000 (96 px); expected the greys "
        "background=0, stroma=100, necrosis=255; give its colours in 'classes', as in necrosis=#ff0000, or export the "
        "mask in grey",
    ),
    "grey where colours are coded": (
        lambda path: save(path, sound_mask()),
        {"classes": COLOURS},
        "is grey, with the values 0 (480 px), 255 (192 px), 100 (96 px); expected the colours background=#000000, "
        "stroma=#008000, necrosis=#ff0000; give its greys in 'classes', as in necrosis=255, or export the mask in "
        "colour",
    ),
    "one value out of range": (
        lambda path: save(path, with_values(v7=3)),
        {},
        "3 of 768 pixels hold 1 values that 'classes' do not list: 7 (3 px); expected background=0, stroma=100, "
        "necrosis=255; list them (under the name ignore where nobody annotated), or set 'unlisted' to ignore or "
        "background",
    ),
    "six values out of range": (
        lambda path: save(path, with_values(v50=6, v51=1, v52=2, v53=5, v54=4, v150=3)),
        {},
        "21 of 768 pixels hold 6 values that 'classes' do not list: 50 (6 px), 53 (5 px), 54 (4 px), 150 (3 px), 52 "
        "(2 px), ...; expected background=0, stroma=100, necrosis=255; list them (under the name ignore where nobody "
        "annotated), or set 'unlisted' to ignore or background",
    ),
    "255 without code": (
        lambda path: save(path, sound_mask()),
        {"classes": ("background=0", "stroma=100")},
        "192 of 768 pixels hold 1 values that 'classes' do not list: 255 (192 px); expected background=0, stroma=100; "
        "list them (under the name ignore where nobody annotated), or set 'unlisted' to ignore or background",
    ),
    "colour without code": (
        lambda path: save(path, coloured(sound_mask())),
        {"classes": COLOURS[:2]},
        "192 of 768 pixels hold 1 values that 'classes' do not list: #ff0000 (192 px); expected background=#000000, "
        "stroma=#008000; list them (under the name ignore where nobody annotated), or set 'unlisted' to ignore or "
        "background",
    ),
}


@pytest.mark.parametrize("write, options, expected", BAD_MASKS.values(), ids=BAD_MASKS.keys())
def test_bad_mask_is_refused_with_what_it_holds(tmp_path, write, options, expected):
    save(tmp_path / "images" / "a.png", TISSUE)
    path = tmp_path / "masks" / "a.png"
    path.parent.mkdir()
    write(path)
    (read,) = folder(tmp_path, **{"classes": CLASSES, **options}).items
    with pytest.raises(InputError) as refused:
        read()
    assert str(refused.value) == f"{path}: {expected}"


@pytest.mark.parametrize("classes, mask", [(CLASSES, sound_mask()), (COLOURS, coloured(sound_mask()))])
@pytest.mark.parametrize("unlisted", ["refuse", "ignore", "background"])
def test_jpeg_mask_is_refused_with_the_number_of_its_values(tmp_path, classes, mask, unlisted):
    save(tmp_path / "images" / "a.png", TISSUE)
    save(tmp_path / "masks" / "a.jpg", mask, quality=90)
    pixels = np.asarray(Image.open(tmp_path / "masks" / "a.jpg"))
    count = len(np.unique(pixels.reshape(HEIGHT * WIDTH, -1), axis=0))
    assert count > 8
    (read,) = folder(tmp_path, classes=classes, unlisted=unlisted).items
    with pytest.raises(InputError, match=rf"masks/a.jpg: JPEG with {count} values.*export it again as PNG"):
        read()


@pytest.mark.parametrize("unlisted", ["refuse", "ignore", "background"])
@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_png_copy_of_a_jpeg_mask_is_refused_whatever_becomes_of_unlisted_values(tmp_path, quality, unlisted):
    pixels = resaved(round_mask(), tmp_path, quality)
    values, counts = np.unique(pixels[~np.isin(pixels, (0, 100, 255))], return_counts=True)
    save(tmp_path / "images" / "a.png", np.stack([pixels] * 3, axis=-1))
    save(tmp_path / "masks" / "a.png", pixels)
    (read,) = folder(tmp_path, classes=CLASSES, unlisted=unlisted).items
    with pytest.raises(InputError) as refused:
        read()
    assert str(refused.value) == (
        f"{tmp_path}/masks/a.png: {counts.sum()} of 9216 pixels hold {len(values)} values that 'classes' do not list, "
        "most pixels close to its codes, as JPEG or smooth resizing leaves them; expected only background=0, "
        "stroma=100, necrosis=255; export the mask anew as PNG: a copy of a JPEG keeps the damage"
    )


def test_many_neighbouring_codes_are_not_taken_for_jpeg(tmp_path):
    """BCSS has 22 codes without gaps; those that are not listed may be sent to the background."""
    mask = np.arange(22, dtype=np.uint8).repeat(10).reshape(11, 20)
    save(tmp_path / "images" / "a.png", np.zeros((11, 20, 3), np.uint8))
    save(tmp_path / "masks" / "a.png", mask)
    (sample,) = folder(tmp_path, classes=("ignore=0", "background=2", "necrosis=4"), unlisted="background")
    assert np.bincount(sample.mask.ravel(), minlength=256)[[0, 1, 255]].tolist() == [200, 10, 10]
    assert sample.counts == {"unlisted_px": 190}


def test_soft_borders_may_be_ignored(tmp_path):
    soft = np.asarray(Image.fromarray(round_mask()).resize((40, 40), Image.Resampling.BILINEAR))
    save(tmp_path / "images" / "a.png", np.stack([soft] * 3, axis=-1))
    save(tmp_path / "masks" / "a.png", soft)
    (sample,) = folder(tmp_path, classes=CLASSES, unlisted="ignore")
    assert ((sample.mask == 255) == ~np.isin(soft, (0, 100, 255))).all()
    assert (sample.mask == 255).any()


def test_float_mask_is_refused(tmp_path):
    save(tmp_path / "images" / "a.png", TISSUE)
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "a.tif", sound_mask().astype(np.float32))
    (read,) = folder(tmp_path, classes=CLASSES).items
    with pytest.raises(InputError, match=r"masks/a\.tif: .*float"):
        read()


def test_nucleus_map_of_another_size_is_refused(tmp_path):
    save(tmp_path / "images" / "a.png", TISSUE)
    save(tmp_path / "masks" / "a.png", sound_mask())
    save(tmp_path / "ids" / "a.png", sound_mask().T.copy())
    (read,) = folder(tmp_path, classes=CLASSES, nuclei="ids").items
    with pytest.raises(InputError, match=r"ids/a\.png: nucleus map is 32x24, its image .*24x32.*looks transposed"):
        read()


# B5: names of the files -> (names of the samples, what the problems say after the dataset's folder)
UNPAIRED: dict[str, tuple[list[str], list[str], list[str]]] = {
    "annotation missing": (
        ["images/a.png", "images/b.jpg", "masks/a.png"],
        ["a"],
        [
            "images/b.jpg: has no annotation; expected masks/b.png (or .tif, .tiff, .jpg, .jpeg); add that file or "
            "remove this one"
        ],
    ),
    "image missing": (
        ["images/a.png", "masks/a.png", "masks/c.png"],
        ["a"],
        [
            "masks/c.png: has no image; expected images/c.tif (or .tiff, .png, .jpg, .jpeg); add that file or remove "
            "this one"
        ],
    ),
    "stem twice": (
        ["images/a.png", "images/a.jpg", "masks/a.png", "images/b.png", "masks/b.png", "masks/b.tif"],
        [],
        [
            "images/a.jpg: has the same stem as a.png; expected one image for a.png; rename or remove all but one",
            "masks/b.png: has the same stem as b.tif; expected one annotation for b.png; rename or remove all but one",
        ],
    ),
    "only the case differs": (
        ["images/A.png", "images/a.png", "masks/a.png"],
        [],
        [
            "images/A.png: differs only in upper and lower case from a.png; expected one image for a.png; rename or "
            "remove all but one"
        ],
    ),
    "case differs between image and mask": (["images/Case_1.JPG", "masks/case_1.png"], ["Case_1"], []),
    "accents are written in two ways": (
        [unicodedata.normalize(form, name) for form, name in (("NFC", "images/é.png"), ("NFD", "masks/é.png"))],
        ["é"],
        [],
    ),
    "other files lie about": (
        ["images/a.png", "images/notes.txt", "images/.hidden.png", "masks/a.png", "masks/Thumbs.db"],
        ["a"],
        [],
    ),
}


def write_unpaired(root: Path, names: list[str]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if path.suffix.lower() in (".png", ".jpg", ".tif"):
            save(path, TISSUE if name.startswith("images") else sound_mask())


@pytest.mark.parametrize("names, samples, problems", UNPAIRED.values(), ids=UNPAIRED.keys())
def test_files_without_partner_are_listed_and_the_others_read(tmp_path, names, samples, problems):
    write_unpaired(tmp_path, names)
    dataset = folder(tmp_path, classes=CLASSES)
    assert [sample.name for sample in dataset] == samples
    assert list(dataset.problems) == [f"{tmp_path}/{problem}" for problem in problems]


def prepare(root: Path, dataset: Dataset, on_bad_image: str = "stop") -> PreparedFiles:
    folders = (root / name for name in ("images", "masks", "instances", "second_instances"))
    files = PreparedFiles(*folders, root / "index.csv", root / "skipped.csv", root / "dataset.json")
    write_prepared(dataset, files, name="lab", reader="folder", on_bad_image=on_bad_image)
    return files


def mixed_folder(root: Path) -> Dataset:
    write_unpaired(root, ["images/a.png", "images/b.png", "images/c.png", "masks/a.png", "masks/b.png"])
    save(root / "masks" / "b.png", with_values(v7=3))
    return folder(root, classes=CLASSES)


def test_bad_images_stop_the_preparation_and_leave_nothing(tmp_path):
    with pytest.raises(InputError, match="dataset 'lab': 2 problems with its files, beside 1 sound image;"):
        prepare(tmp_path / "out", mixed_folder(tmp_path / "raw"))
    assert not (tmp_path / "out" / "index.csv").exists()


def test_bad_images_are_left_out_and_counted_when_told_so(tmp_path):
    files = prepare(tmp_path / "out", mixed_folder(tmp_path / "raw"), "skip")
    assert [row.name for row in read_index(files.index)] == ["a"]
    skipped = read_table(files.skipped)
    assert [row["source"] for row in skipped] == [f"{tmp_path}/raw/images/c.png", f"{tmp_path}/raw/masks/b.png"]
    assert read_description(files.description).skipped == 2


# B6: a folder that reads well but has nothing to learn -> (masks of its three images, its image, findings expected)
EMPTY: dict[str, tuple[np.ndarray, np.ndarray, set[tuple[str, str, str]]]] = {
    "class absent everywhere": (
        np.where(sound_mask() == 100, 0, sound_mask()).astype(np.uint8),
        TISSUE,
        {("absent_class", "stroma", "class 'stroma' has no pixel in any image; its scores will be undefined")},
    ),
    "background only": (
        np.zeros((HEIGHT, WIDTH), np.uint8),
        TISSUE,
        {
            ("absent_class", "stroma", "class 'stroma' has no pixel in any image; its scores will be undefined"),
            ("absent_class", "necrosis", "class 'necrosis' has no pixel in any image; its scores will be undefined"),
            (
                "empty_mask",
                "lab",
                "3 of 3 images (a, b, c) hold background only; check that they were annotated",
            ),
        },
    ),
    "no tissue": (
        sound_mask(),
        np.full((HEIGHT, WIDTH, 3), 245, np.uint8),
        {("blank_image", "lab", "3 of 3 images (a, b, c) show no tissue; remove them")},
    ),
}


@pytest.mark.parametrize("mask, image, expected", EMPTY.values(), ids=EMPTY.keys())
def test_data_with_nothing_to_learn_is_prepared_and_warned_of(tmp_path, mask, image, expected):
    for name in "abc":
        save(tmp_path / "raw" / "images" / f"{name}.png", image)
        save(tmp_path / "raw" / "masks" / f"{name}.png", mask)
    files = prepare(tmp_path / "out", folder(tmp_path / "raw", classes=CLASSES))
    findings = inspect([measure(row) for row in read_index(files.index)], read_description(files.description))
    found = {(one.kind, one.subject, one.message) for one in findings if one.severity == "warning"}
    kinds = {"absent_class", "empty_mask", "blank_image"}
    assert {one for one in found if one[0] in kinds} == expected
    assert not [one for one in findings if one.severity == "error"]


@pytest.mark.parametrize("metric", ["dice", "iou"])
def test_score_of_a_class_that_is_nowhere_is_undefined(metric):
    confusion = np.array([[[700, 0, 0], [0, 0, 0], [30, 0, 38]]])  # class 1 in neither truth nor prediction
    scores = plugins.load("metrics", metric)(confusion)[0]
    assert np.isnan(scores).tolist() == [False, True, False]
