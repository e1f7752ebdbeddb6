"""Pairing of files by stem: who belongs to whom, and that nothing is left unsaid."""

import re
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.prepare.reading.pairs import find_folder, pair_by_stem

PNG = (".png", ".tif")
XML = (".xml", ".xml.gz")


def folders(root: Path, images: list[str], annotations: list[str]) -> tuple[Path, Path]:
    for folder, names in (("images", images), ("truth", annotations)):
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).write_bytes(b"")
    return root / "images", root / "truth"


def test_files_of_one_stem_are_a_pair_in_any_case_and_format(tmp_path):
    images, truth = folders(tmp_path, ["b.tif", "A.PNG", ".c.png", "Thumbs.db"], ["a.xml.gz", "B.XML", "notes.txt"])
    pairs, problems = pair_by_stem(images, truth, PNG, XML)
    assert [(pair.stem, pair.image.name, pair.annotation.name) for pair in pairs] == [
        ("A", "A.PNG", "a.xml.gz"),
        ("b", "b.tif", "B.XML"),
    ]
    assert problems == ()


def test_both_ways_of_writing_an_accent_are_one(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Präparat") for form in ("NFC", "NFD"))
    assert composed != apart
    images, truth = folders(tmp_path, [f"{composed}.png"], [f"{apart}.xml"])
    assert len(pair_by_stem(images, truth, PNG, XML)[0]) == 1


GOLDEN = {
    "missing annotation": (
        (["a.png"], []),
        "{images}/a.png: has no annotation; expected truth/a.xml (or .xml.gz); add that file or remove this one",
    ),
    "extra annotation": (
        ([], ["a.xml"]),
        "{truth}/a.xml: has no image; expected images/a.png (or .tif); add that file or remove this one",
    ),
    "two files of one stem": (
        (["a.png", "a.tif"], ["a.xml"]),
        "{images}/a.png: has the same stem as a.tif; expected one image for a.xml; rename or remove all but one",
    ),
    "case-only difference": (
        (["a.png"], ["A.xml", "a.xml"]),
        "{truth}/A.xml: differs only in upper and lower case from a.xml; expected one annotation for a.png; rename or "
        "remove all but one",
    ),
}


@pytest.mark.parametrize("names, message", GOLDEN.values(), ids=GOLDEN.keys())
def test_what_finds_no_partner_is_named_with_its_cure(names, message, tmp_path):
    images, truth = folders(tmp_path, *names)
    pairs, problems = pair_by_stem(images, truth, PNG, XML)
    assert pairs == []
    assert problems == (message.format(images=images, truth=truth),)


def test_endings_tell_kinds_apart_in_one_folder(tmp_path):
    folder, _ = folders(tmp_path, ["1_crop.png", "1_mask.png", "10_crop.png", "10_MASK.png", "1_mask_old.png"], [])
    pairs, problems = pair_by_stem(folder, folder, PNG, PNG, image_ending="_crop", annotation_ending="_mask")
    assert [(pair.stem, pair.annotation.name) for pair in pairs] == [("1", "1_mask.png"), ("10", "10_MASK.png")]
    assert problems == ()


def test_an_ending_of_annotations_alone_makes_the_rest_images(tmp_path):
    folder, _ = folders(tmp_path, ["a.png", "a_mask.png", "b_mask.png"], [])
    pairs, problems = pair_by_stem(folder, folder / "." / "", PNG, PNG, annotation_ending="_mask")
    assert [pair.stem for pair in pairs] == ["a"]
    assert len(problems) == 1
    assert problems[0].startswith(f"{folder}/b_mask.png: has no image; expected images/b.png")


def test_one_folder_without_endings_is_refused(tmp_path):
    folder, _ = folders(tmp_path, ["a.png"], [])
    with pytest.raises(InputError, match="holds images and annotations under names alike; expected two folders"):
        pair_by_stem(folder, folder, PNG, PNG)


def names_file(message: str, path: Path) -> bool:
    first, words = message.partition(": ")[0], re.split(r"[ ;]", message)
    is_partner = f"for {path.name};" in message and Path(first).parent != path.parent
    return first == str(path) or is_partner or (Path(first).parent == path.parent and path.name in words)


NAMES = st.sets(st.from_regex(r"[aAbB]{1,2}\.(png|tif|PNG)", fullmatch=True), max_size=8)


@given(NAMES, NAMES)
@settings(max_examples=60, deadline=None)
def test_each_file_is_in_a_pair_or_in_a_message(images, annotations):
    with tempfile.TemporaryDirectory() as place:
        pictures, truth = folders(Path(place), sorted(images), sorted(annotations))
        pairs, problems = pair_by_stem(pictures, truth, PNG, PNG)
    paired = [path for pair in pairs for path in (pair.image, pair.annotation)]
    assert len(set(paired)) == 2 * len(pairs)
    assert all(pair.image.stem.lower() == pair.annotation.stem.lower() for pair in pairs)
    for path in [pictures / name for name in images] + [truth / name for name in annotations]:
        assert any(names_file(message, path) for message in problems) != (path in paired)


def test_a_folder_is_found_in_any_case_and_only_alone(tmp_path):
    (tmp_path / "Tissue Images").mkdir()
    assert find_folder(tmp_path, ["tissue images"], "tiles").name == "Tissue Images"
    (tmp_path / "tissue images").mkdir()
    with pytest.raises(InputError, match=r"has 2 folders 'tissue images' in any case \(Tissue Images, tissue images\)"):
        find_folder(tmp_path, ["tissue images"], "tiles")
    with pytest.raises(InputError, match="has 0 folders 'a' or 'b' in any case; expected one, with masks; unpack"):
        find_folder(tmp_path, ["a", "b"], "masks")
