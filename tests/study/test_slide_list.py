"""Which slides a config lists: patterns, tables, odd names, and what is refused."""

from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.study.slide_list import ListedSlide, listed_slides

SECTION = {"model": "breast/unet"}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def laid(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


def listed(*files: str, **values: object) -> list[ListedSlide]:
    return listed_slides({**SECTION, **values, "files": list(files)})


def test_patterns_are_sorted_and_give_slugs_and_shown_names() -> None:
    laid("raw/B-2.svs", "raw/a 1.svs", "raw/notes.txt")
    assert listed("raw/*.svs") == [
        ListedSlide("b_2", Path("raw/B-2.svs"), "B-2.svs", "breast/unet"),
        ListedSlide("a_1", Path("raw/a 1.svs"), "a 1.svs", "breast/unet"),
    ]


def test_absolute_patterns_fit_too(in_folder: Path) -> None:
    laid("a.svs")
    assert [slide.path for slide in listed(f"{in_folder}/*.svs")] == [in_folder / "a.svs"]


def test_a_name_with_brackets_is_no_pattern() -> None:
    laid("a [d=1,x=0].svs", "a d.svs")
    assert [slide.name for slide in listed("a [d=1,x=0].svs")] == ["a [d=1,x=0].svs"]


@pytest.mark.parametrize("names", [("a b.svs", "a-b.svs"), ("x/slide.svs", "y/slide.svs"), ("é.svs", "ü.svs")])
def test_slides_that_would_share_a_slug_get_two(names: tuple[str, str]) -> None:
    laid(*names)
    first, second = (slide.slug for slide in listed(*names))
    assert first != second
    assert [slide.slug for slide in listed(*reversed(names))] == [second, first]  # whatever their order


def test_a_long_name_gives_a_slug_that_a_file_system_takes() -> None:
    laid("n" * 240 + ".svs")
    assert len(listed("n*.svs")[0].slug) == 60


def test_a_table_overrides_what_the_section_says() -> None:
    laid("a.svs", "b.svs", "mask.png")
    Path("slides.csv").write_text(
        "path,name,mpp,patient,model,tissue\na.svs,Müller; 3,0.5,p7,breast/fpn,mask.png\nb.svs,,,,,\n", encoding="utf-8"
    )
    assert listed("slides.csv") == [
        ListedSlide("a", Path("a.svs"), "Müller; 3", "breast/fpn", 0.5, "p7", Path("mask.png")),
        ListedSlide("b", Path("b.svs"), "b.svs", "breast/unet"),
    ]


def test_without_an_mpp_the_files_own_counts() -> None:
    laid("a.svs")
    assert listed("a.svs")[0].mpp is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,mpp\na.svs,1\n", "has the columns file, mpp; expected path"),
        ("path,mp\na.svs,1\n", "has the columns path, mp; expected path"),
        ("path\nmissing.svs\n", r"slides.csv:2: no file 'missing.svs'"),
        ("path,mpp\na.svs,quarter\n", "mpp 'quarter'; expected µm per pixel"),
        ("path,tissue\na.svs,m.png\n", "no tissue mask m.png"),
        ("path\na.svs\na.svs\n", "a.svs is listed 2 times"),
        ("", "has the columns none"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(table: str, message: str) -> None:
    laid("a.svs")
    Path("slides.csv").write_text(table, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        listed("slides.csv")


def test_a_pattern_without_files_and_a_slide_without_model_are_refused() -> None:
    laid("a.svs")
    with pytest.raises(InputError, match=r"slides\.files: none/\*\.svs fits no file"):
        listed("none/*.svs")
    with pytest.raises(InputError, match=r"a\.svs has no model"):
        listed("a.svs", model="none")
