"""Folds that a user lists: taken at their word, refused with file and line."""

import pytest

from histoloom.errors import InputError
from histoloom.split.folds.fold_findings import fold_findings
from histoloom.split.folds.lists import split_list
from histoloom.split.folds.members import Member
from tests.split.fold_cases import names_of, row

LISTED = [row("a", "one"), row("b", "two"), row("c", "three"), row("d", "four")]


def listed(folder, text, fold_count=1):
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return split_list(LISTED, path, fold_count)


def test_a_list_is_taken_at_its_word(tmp_path):
    members = listed(tmp_path, "name,part\nd,left_out\nc,test\nb,val\na,train\n")
    assert members == [Member(0, "train", "a", "one"), Member(0, "val", "b", "two"), Member(0, "test", "c", "three")]
    (found,) = fold_findings(members, LISTED, [], {})[3:]  # behind three parts of one group
    assert (found.severity, found.kind) == ("info", "left_out")
    assert found.message == "1 images (d) take part in no fold"


def test_a_list_of_a_spreadsheet_with_folds_is_read(tmp_path):
    text = "\ufeffname,fold,part\r\n" + "".join(
        f"{name},{fold},{part}\r\n"
        for fold, parts in enumerate(["train val test train", "test train val train"])
        for name, part in zip("abcd", parts.split(), strict=True)
    )
    members = listed(tmp_path, text, fold_count=2)
    assert (names_of(members, 0, "test"), names_of(members, 1, "test")) == ({"c"}, {"a"})


BAD_LISTS = {
    "no image": ("name,part\na,train\nx,test\n", r"list.csv, line 3: image 'x'; expected a name of index.csv"),
    "no part": ("name,part\na,training\n", r"line 2: part 'training'; expected train, val, test or left_out"),
    "no fold": ("name,fold,part\na,one,train\n", r"line 2: fold 'one'; expected a whole number from 0"),
    "twice": ("name,part\na,train\nb,val\na,test\n", r"line 4: image 'a' again for fold 0, as in line 2"),
    "forgotten": ("name,part\na,train\nb,val\n", r"does not name 2 images of index.csv \(c, d\); expected all"),
    "folds": ("name,fold,part\n" + "".join(f"{n},1,train\n" for n in "abcd"), r"has folds 1; expected 0 to 0"),
    "columns": ("image,part\na,train\n", r"has columns image, part; expected name,part or name,fold,part"),
    "empty": ("", r"has columns none; expected name,part"),
    "short": ("name,fold,part\na\n", r"line 2: part ''; expected train"),
    "not text": (b"name,part\n\xe4,train\n", r"cannot be read as text \(.*expected a CSV in UTF-8"),
}


@pytest.mark.parametrize("text, message", BAD_LISTS.values(), ids=BAD_LISTS.keys())
def test_a_bad_list_is_refused_with_its_line(text, message, tmp_path):
    with pytest.raises(InputError, match=message):
        listed(tmp_path, text)


def test_a_missing_list_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such list of folds; expected a CSV"):
        split_list(LISTED, tmp_path / "nowhere.csv", 1)
