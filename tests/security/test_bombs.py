"""Small files that would be large once read: each is refused before it takes memory, and by a message."""

import gzip
import io
import random
import struct
import tarfile
import threading
import tracemalloc
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat

from histoloom.datasets.brecahad import read_points
from histoloom.errors import InputError
from histoloom.evaluate.scoring.matlab import read_matlab
from histoloom.formats.images import read_image
from histoloom.formats.integrity import check_jpeg2000
from histoloom.formats.shapes import read_shapes
from histoloom.formats.slides.slide import Slide
from histoloom.limits import VARIABLE
from histoloom.prepare.fetch import archives, download
from histoloom.prepare.reading.aperio import read_outlines

MIB = 2**20
MOST_MIB = 96  # what a refusal may take; each bomb below asks for many times more
GREYS = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.fixture(autouse=True)
def little_memory():
    """Whatever a test does, it takes little memory."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    assert peak < MOST_MIB


def refusal(read, path):
    with pytest.raises(InputError) as refused:
        read(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def lying_jpeg():
    """A JPEG of 16 x 16 pixels whose header says 20,000 x 20,000, which a decoder lays out: 1.2 GB."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 20_000, 20_000)
    return bytes(data)


def tiff_with(path, data, compression):
    """A sound TIFF of one tile of 256 x 256, then with `data` in place of its tile."""
    tifffile.imwrite(path, GREYS, photometric="rgb", tile=(256, 256), compression=compression)
    with tifffile.TiffFile(path) as file:
        tags = [file.pages[0].tags[name] for name in ("TileOffsets", "TileByteCounts")]
    content = bytearray(path.read_bytes())
    for tag, value in zip(tags, (len(content), len(data)), strict=True):
        struct.pack_into("<I" if tag.dtype == 4 else "<H", content, tag.valueoffset, value)
    path.write_bytes(content + data)
    return path


def test_a_jpeg_within_a_tiff_that_says_more_pixels_than_its_tile_has_is_refused(tmp_path):
    path = tiff_with(tmp_path / "a.tif", lying_jpeg(), "jpeg")
    assert "says 20000 x 20000 pixels where 256 x 256 belong" in refusal(read_image, path)


def test_a_tile_of_a_slide_that_says_more_pixels_is_refused(tmp_path):
    def rows(path):
        with Slide(path) as slide:
            slide.level_rows(0).rows(0, 256)

    path = tiff_with(tmp_path / "a.tif", lying_jpeg(), "jpeg")
    assert "says 20000 x 20000 pixels where 256 x 256 belong" in refusal(rows, path)


def test_a_jpeg_2000_that_says_more_pixels_is_refused():
    sound = imagecodecs.jpeg2k_encode(GREYS, codecformat="j2k")
    check_jpeg2000(sound, (256, 256))
    lying = sound[:8] + struct.pack(">II", 60_000, 50_000) + sound[16:]
    with pytest.raises(ValueError, match="says 60000 x 50000 pixels where 256 x 256 belong"):
        check_jpeg2000(lying, (256, 256))


def test_a_strip_that_unpacks_to_more_than_its_pixels_is_refused(tmp_path):
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(MIB)) for _ in range(400)) + packer.flush()
    assert "cannot be read as an image" in refusal(read_image, tiff_with(tmp_path / "a.tif", data, "zlib"))


def test_a_png_that_says_a_billion_pixels_is_refused(tmp_path):
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"0")), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    assert "40,000 x 40,000 pixels" in refusal(read_image, tmp_path / "a.png")


@pytest.mark.parametrize("entities", [f'<!ENTITY l0 "ha">{LAUGHS}', '<!ENTITY l9 SYSTEM "file:///etc/passwd">'])
def test_entities_of_an_annotation_are_refused(entities, tmp_path):
    (tmp_path / "a.xml").write_text(
        f"<!DOCTYPE Annotations [{entities}]><Annotations><Region>&l9;</Region></Annotations>"
    )
    assert "has a document type (DOCTYPE)" in refusal(read_outlines, tmp_path / "a.xml")


def test_entities_in_the_description_of_a_slide_are_not_expanded(tmp_path):
    start = f'<!DOCTYPE OME [<!ENTITY l0 "{"ha" * 50}">{LAUGHS}]>'
    xml = f'{start}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image Name="&l9;"/></OME>'
    tifffile.imwrite(tmp_path / "a.tif", GREYS, photometric="rgb", tile=(128, 128), metadata=None, description=xml)
    with Slide(tmp_path / "a.tif") as slide:
        assert (slide.read(0, 0, 256, 256) == GREYS).all()
        assert slide.mpp is None


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"tumor": ' * 200_000])
def test_nested_brackets_are_refused(text, tmp_path):
    (tmp_path / "a.json").write_bytes(text)
    assert "is not JSON" in refusal(read_points, tmp_path / "a.json")
    assert "brackets nest" in refusal(read_shapes, tmp_path / "a.json")


def test_a_geojson_that_unpacks_to_endless_objects_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.geojson.gz"
    features = b'{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]}},' * 20_001
    path.write_bytes(gzip.compress(b"[" + features[:-1] + b"]"))
    monkeypatch.setenv(VARIABLE, "geojson_objects=20000")
    assert "holds more than 20000 objects" in refusal(read_shapes, path)
    monkeypatch.setenv(VARIABLE, "geojson_mib=1")
    assert "more than 1 MiB of text when unpacked" in refusal(read_shapes, path)


@pytest.mark.parametrize("name", ["inst_map", "junk"])
def test_a_matlab_file_that_unpacks_to_more_than_its_maps_need_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "image_pixels=100000")
    values = {"inst_map": np.zeros((20, 30))} | {name: np.zeros((2000, 2000))}
    savemat(tmp_path / "a.mat", values, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 100_000
    assert "unpacks to more than 3,200,000 bytes" in refusal(
        lambda path: read_matlab(path, ["inst_map"]), tmp_path / "a.mat"
    )


def test_a_nest_of_cells_is_no_map(tmp_path):
    nest = np.empty((1, 2), object)
    nest[0, 0], nest[0, 1] = np.zeros(3), "text"
    savemat(tmp_path / "a.mat", {"inst_map": nest})
    message = refusal(lambda path: read_matlab(path, ["inst_map"]), tmp_path / "a.mat")
    assert "inst_map is cell; expected an array of real numbers" in message


def test_damage_anywhere_in_a_matlab_file_ends_in_a_message_and_never_in_a_crash(tmp_path):
    path, chance, outcomes = tmp_path / "a.mat", random.Random(0), Counter()
    sound = []
    for is_packed in (False, True):
        savemat(path, {"inst_map": np.arange(600).reshape(20, 30), "b": "text"}, do_compression=is_packed)
        sound.append(path.read_bytes())
    for number in range(200):
        data = bytearray(sound[number % 2])
        for _ in range(chance.choice([1, 4])):
            place = chance.choice([chance.randrange(len(data)), chance.randrange(124, min(len(data), 220))])
            data[place : place + 4] = chance.choice([b"\xff\xff\xff\xff", bytes(4), bytes([chance.randrange(256)])])
        path.write_bytes(data)
        try:
            read_matlab(path, ["inst_map"])
            outcomes["read"] += 1
        except InputError:
            outcomes["refused"] += 1
    assert outcomes["read"] > 20 and outcomes["refused"] > 100


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "u1", "i2", "i4", "u8", "f4", "f8"])
def test_arrays_of_a_matlab_file_are_those_that_scipy_wrote(dtype, is_packed, tmp_path):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    written = {"a": values, "longer_name": values.T, "none": np.zeros((0, 0)), "one": np.array([[1]], dtype), "t": "x"}
    savemat(tmp_path / "a.mat", written, do_compression=is_packed)
    read = read_matlab(tmp_path / "a.mat", ["a", "longer_name", "none", "one"])
    assert list(read) == list(written) and read["t"] is None
    assert all(
        (read[name] == written[name]).all() and read[name].shape == written[name].shape for name in list(read)[:4]
    )


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_tar_that_is_longer_than_any_name_is_refused(kind, tmp_path):
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, 400 * MIB
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        for _ in range(400):
            file.write(bytes(MIB))
    message = refusal(lambda path: archives.unpack(path, tmp_path / "out"), tmp_path / "a.tar.gz")
    assert f"a name or header of {400 * MIB} bytes" in message


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "GB", 10**6)
    (tmp_path / "zeros.npy").write_bytes(bytes(10**7))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "zeros.npy", "zeros.npy")
    monkeypatch.setenv(VARIABLE, "archive_gb=100")
    message = refusal(lambda path: archives.unpack(path, tmp_path / "out"), tmp_path / "a.tar.gz")
    assert "unpacks to more than 200 times its size" in message
    assert not (tmp_path / "out").exists()


class Endless(BaseHTTPRequestHandler):
    """A server that never says how much it sends, and never ends."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(MIB))

    def log_message(self, *_):
        pass


class Quiet(HTTPServer):
    def handle_error(self, *_):
        """A client that hangs up is what the test is about."""


def test_a_download_without_end_is_left_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "GB", 10**6)
    monkeypatch.setenv(VARIABLE, "download_gb=5")
    server = Quiet(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/a.zip"
    try:
        with pytest.raises(InputError, match=r"sends more than 5000000 bytes; .*raise limits\.download_gb"):
            download.fetch_file(url, "0" * 64, tmp_path / "a.zip")
    finally:
        server.shutdown()
        server.server_close()
    assert not (tmp_path / "a.zip").exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_001_000
