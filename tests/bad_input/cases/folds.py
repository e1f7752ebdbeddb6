"""Row B7, the same patient or picture on both sides of a split; and folds that a dataset cannot give."""

from functools import partial

import numpy as np

from tests.bad_input.case import Case
from tests.bad_input.cases.masks import FIND, FOLDER, measured
from tests.bad_input.made_files import mask, pair, put, tissue

BY_CASE = (*FOLDER, "group=tcga_participant")
SPLIT = ("split_dataset.py", "--fold-count", "1", "--scheme", "list", "--list", "list.csv")
GROUPED = ("split_dataset.py", "--scheme", "grouped", "--fold-count")
OFFICIAL = ("split_dataset.py", "--scheme", "official", "--fold-count", "3")


def drawn_up(table: str, **pictures: np.ndarray) -> None:
    """Images a to d, and a list of folds."""
    for seed, name in enumerate("abcd"):
        pair(name, seed, mask(), pictures.get(name))
    put("list.csv", table)


def listed(*parts: str) -> str:
    return "\n".join(["name,part", *(f"{name},{part}" for name, part in zip("abcd", parts, strict=True)), ""])


def of_one_patient() -> None:
    names = ["TCGA-AA-0001-01", "TCGA-AA-0001-02", "TCGA-AA-0002-01", "TCGA-AA-0003-01"]
    for seed, name in enumerate(names):
        pair(name, seed)
    parts = zip(names, ("train", "test", "val", "train"), strict=True)
    put("list.csv", "\n".join(["name,part", *(f"{name},{part}" for name, part in parts), ""]))


def case(
    name: str, lay: object, words: tuple[str, ...] = SPLIT, read: tuple[str, ...] = FOLDER, **more: object
) -> Case:
    return Case("B7", name, lay, words, before=(read, FIND, measured), **more)


APART = listed("train", "val", "test", "train")
CASES = [
    case("one patient in training and test", of_one_patient, read=BY_CASE),
    case("identical pixels under two names", partial(drawn_up, APART, a=tissue(9), c=tissue(9))),
    case("a mirrored copy", partial(drawn_up, APART, a=tissue(9), c=tissue(9)[:, ::-1].copy())),
    case("an image in two parts", partial(drawn_up, APART + "a,test\n")),
    case("an image that the list forgets", partial(drawn_up, APART.replace("d,train\n", ""))),
    case("a name with a slip of the pen", partial(drawn_up, APART.replace("b,val", "bb,val"))),
    case("a part that there is not", partial(drawn_up, APART.replace("b,val", "b,valid"))),
    case("no image to validate by", partial(drawn_up, listed("train", "train", "test", "train"))),
    case("a list without its columns", partial(drawn_up, "image;set\na;train\n")),
    case("more folds than cases", partial(drawn_up, ""), (*GROUPED, "7")),
    case("official folds that the dataset does not have", partial(drawn_up, ""), OFFICIAL),
]
