import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from histoloom.errors import InputError
from histoloom.formats.slides.checks import require_checksum
from histoloom.formats.slides.slide import Slide
from tests.formats.slides.test_rows import ODD_NAMES
from tests.slides.made_slides import APERIO, JPEG_2000, MadeTissue, write_pyramid

MADE = MadeTissue(600, 700)  # three by three tiles of 256, two by two at the second level


def slide(folder: Path, name: str = "bad.tif", **options) -> Path:
    return write_pyramid(folder / name, MADE.rows, 600, 700, levels=2, **options)


def stored_tile(path: Path, level: int, number: int) -> tuple[int, int]:
    """Where a tile begins in the file, and how long it is."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[level]
        return page.dataoffsets[number], page.databytecounts[number]


def overwrite(path: Path, place: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def set_tag(path: Path, name: str, value: int) -> None:
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[name].overwrite(value)


def require_refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught, Slide(path) as opened:
        opened.level_rows(0).rows(0, opened.height)
    message = str(caught.value)
    assert path.name in message
    assert len(message.splitlines()) <= 4


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "jpeg"},
        {"compression": "deflate"},
        {"compression": "lzw"},
        {"compression": JPEG_2000, "description": APERIO},
    ],
)
@pytest.mark.parametrize(
    ("level", "number", "place"), [(0, 4, "x 256 to 512, y 256 to 512"), (1, 3, "x 512 to 700, y 512 to 600")]
)
def test_a_zeroed_tile_is_named_and_other_rows_are_read(tmp_path, options, level, number, place):
    path = slide(tmp_path, **options)
    with Slide(path) as whole:
        expected = whole.level_rows(level).rows(0, 256)
    start, length = stored_tile(path, level, number)
    overwrite(path, start, bytes(length))
    with Slide(path) as opened:
        rows = opened.level_rows(level)
        for _ in range(2):
            with pytest.raises(InputError, match=rf"bad\.tif: a tile within {place} cannot be decoded"):
                rows.rows(250, 290)
        assert (rows.rows(0, 256) == expected).all()


@pytest.mark.parametrize("lost", [0.3, 0.5, 0.9])
def test_a_jpeg_tile_whose_end_is_zeroed_is_named(tmp_path, lost):
    path = slide(tmp_path, compression="jpeg")
    start, length = stored_tile(path, 0, 4)
    kept = int(length * (1 - lost))
    overwrite(path, start + kept, bytes(length - kept))
    require_refused(path, r"a tile within x 256 to 512, y 256 to 512 cannot be decoded \(it breaks off: truncated\)")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("compression", ["jpeg", None])
def test_a_slide_that_is_cut_off_is_refused_before_it_is_read(tmp_path, share, compression):
    path = slide(tmp_path, compression=compression)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"bad\.tif"), Slide(path) as opened:
        opened.level_rows(0)
        pytest.fail("it was opened")


def test_a_slide_whose_last_tile_is_cut_off_says_so(tmp_path):
    path = tmp_path / "cut.svs"
    # Directories first, as scanners write them, then tiles.
    tifffile.imwrite(
        path, MADE.rows(0, 600), photometric="rgb", tile=(256, 256), compression="jpeg", description=APERIO
    )
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1000])
    require_refused(path, rf"cut\.svs: ends after {size - 1000} bytes, its tiles after {size} or later; .*cut off")


def test_a_directory_of_levels_that_leads_nowhere_is_refused(tmp_path):
    path = slide(tmp_path)
    with tifffile.TiffFile(path) as file:
        pointer = file.pages[0].offset + 8 + 20 * len(file.pages[0].tags)  # BigTIFF: count, tags, next directory
    overwrite(path, pointer, (path.stat().st_size + 1000).to_bytes(8, "little"))
    require_refused(path, r"bad\.tif: names a level at byte \d+ that cannot be read")


def test_a_header_that_says_more_pixels_than_there_are_tiles_is_refused(tmp_path):
    path = slide(tmp_path)
    set_tag(path, "ImageLength", 60_000)
    require_refused(path, r"bad\.tif: 9 tiles where 700 x 60000 pixels need 705; expected one for each place")


def test_a_header_that_says_too_many_pixels_is_refused_with_the_limit(tmp_path):
    path = slide(tmp_path)
    set_tag(path, "ImageWidth", 2_000_000_000)
    require_refused(path, r"2000000000 x 600 pixels; expected at most 500000 a side;.* raise limits.slide_side_px in")


def sums(folder: Path, *names: str) -> Path:
    written = subprocess.run(["sha256sum", "--", *names], cwd=folder, capture_output=True, text=True, check=True)
    (folder / "SHA256SUMS").write_text(written.stdout, encoding="utf-8")
    return folder / "SHA256SUMS"


def test_a_byte_that_no_decoder_misses_is_found_by_its_checksum(tmp_path):
    path = slide(tmp_path, compression=None)
    manifest = sums(tmp_path, path.name)
    require_checksum(path, manifest)
    overwrite(path, stored_tile(path, 0, 4)[0] + 100, b"\x01\x02\x03")
    with Slide(path) as opened:
        assert (opened.level_rows(0).rows(0, 600) != MADE.rows(0, 600)).any()  # read without a word
    with pytest.raises(InputError, match=r"bad\.tif: bad\.tif has sha256 .*; expected .* by .*SHA256SUMS"):
        require_checksum(path, manifest)


@pytest.mark.parametrize("name", [*ODD_NAMES, "back\\slash.tif"])
def test_checksums_of_odd_names_are_read_as_sha256sum_writes_them(tmp_path, name):
    (tmp_path / name).write_bytes(b"some slide")
    require_checksum(tmp_path / name, sums(tmp_path, name))


def test_a_slide_without_a_checksum_is_refused(tmp_path):
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(b"some slide")
    with pytest.raises(InputError, match=r"SHA256SUMS: no line for .*b\.tif; expected its sha256"):
        require_checksum(tmp_path / "b.tif", sums(tmp_path, "a.tif"))


def test_files_that_belong_to_a_slide_are_checked_too(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a.mrxs", "a/Data0001.dat", "other.tif"):
        (tmp_path / name).write_bytes(b"some slide")
    manifest = sums(tmp_path, "a.mrxs", "a/Data0001.dat", "other.tif")
    (tmp_path / "other.tif").unlink()
    require_checksum(tmp_path / "a.mrxs", manifest)
    (tmp_path / "a" / "Data0001.dat").write_bytes(b"some slidE")
    with pytest.raises(InputError, match=r"a\.mrxs: Data0001\.dat has sha256"):
        require_checksum(tmp_path / "a.mrxs", manifest)
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(InputError, match=r"a\.mrxs: Data0001\.dat has sha256 no such file"):
        require_checksum(tmp_path / "a.mrxs", manifest)


@pytest.mark.parametrize("content", [b"not a checksum", b"abc  a.tif", b"\xff\xfe\x00", None])
def test_a_manifest_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(b"some slide")
    if content is not None:
        (tmp_path / "sums").write_bytes(content)
    with pytest.raises(InputError, match=r"sums: (line 1 is|cannot be read|no such file)"):
        require_checksum(tmp_path / "a.tif", tmp_path / "sums")


def test_one_damaged_slide_leaves_others_readable(tmp_path):
    bad, good = slide(tmp_path), slide(tmp_path, "good.tif")
    start, length = stored_tile(bad, 0, 0)
    overwrite(bad, start, bytes(length))
    with Slide(bad) as damaged, Slide(good) as sound:
        with pytest.raises(InputError, match=r"bad\.tif"):
            damaged.level_rows(0).rows(0, 10)
        assert np.abs(sound.level_rows(0).rows(0, 600).astype(int) - MADE.rows(0, 600)).mean() < 5


def test_a_bad_tile_that_openslide_reads_is_named_and_other_rows_are_read(tmp_path):
    pixels = np.dstack([MADE.rows(0, 600), np.full((600, 700), 255, np.uint8)])
    path = tmp_path / "bad.tif"
    tifffile.imwrite(
        path, pixels, photometric="rgb", tile=(256, 256), extrasamples=["unassalpha"], compression="deflate"
    )
    start, length = stored_tile(path, 0, 8)
    overwrite(path, start, bytes(length))
    with Slide(path) as opened:
        rows = opened.level_rows(0)
        for _ in range(2):
            with pytest.raises(InputError, match=r"bad\.tif: a tile within x 0 to 700, y 512 to 600 cannot be decoded"):
                rows.rows(500, 600)
            assert (rows.rows(0, 512) == MADE.rows(0, 512)).all()
