"""OME-TIFF: what is written is read back by other libraries, level by level, with its names, colours and pixel size."""

import importlib.util
import resource
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openslide
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from histoloom.errors import InputError
from histoloom.formats.ome_tiff import level_sizes, majority, signed_rgba, write_ome_tiff
from histoloom.formats.slides.slide import Slide

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"
NAMES = ("tumour", 'Stromå & "µ" <b>')
COLOURS = np.array([(0, 158, 115), (240, 228, 66)], np.uint8)
HEIGHT, WIDTH, MPP = 1100, 1301, 0.4991  # sides that are no multiple of a tile, odd ones among the levels


def class_map(height=HEIGHT, width=WIDTH):
    """Rectangles of both classes, and 255 where nobody looked."""
    values = np.zeros((height, width), np.uint8)
    values[100:700, 300:900] = 1
    values[513:1000, 700:1299] = 2
    values[:, -20:] = 255
    return values


def noise(channels):
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint8)


def write_classes(path, values):
    rows = values[..., None]
    write_ome_tiff(path, lambda first, last: rows[first:last], *values.shape, NAMES, COLOURS, MPP, "classes")
    return path


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("ome") / "a.ome.tif", class_map())


@pytest.fixture(scope="module")
def probabilities(tmp_path_factory):
    path, values = tmp_path_factory.mktemp("ome") / "p.ome.tif", noise(3)
    names, colours = ("background", *NAMES), np.concatenate([np.full((1, 3), 128, np.uint8), COLOURS])
    write_ome_tiff(path, lambda first, last: values[first:last], HEIGHT, WIDTH, names, colours, MPP, "probabilities")
    return path


def test_each_class_is_a_channel_of_255_and_0_and_255_is_in_none(classes):
    values = class_map()
    with tifffile.TiffFile(classes) as file:
        assert file.is_ome
        assert file.series[0].axes == "CYX"
        pixels = file.asarray()
    assert (pixels == np.stack([values == 1, values == 2]) * np.uint8(255)).all()


def test_a_single_class_is_a_single_page(tmp_path):
    values = class_map(700, 600)[..., None]
    write_ome_tiff(tmp_path / "a.ome.tif", lambda a, b: values[a:b], 700, 600, NAMES[:1], COLOURS[:1], 1.0, "classes")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert len(file.pages) == 1
        assert [level.shape for level in file.series[0].levels] == [(700, 600), (350, 300)]
        assert (file.asarray() == (values[..., 0] == 1) * np.uint8(255)).all()


def test_probabilities_are_kept_byte_by_byte(probabilities):
    with tifffile.TiffFile(probabilities) as file:
        assert (file.asarray() == noise(3).transpose(2, 0, 1)).all()


def test_coarser_levels_of_probabilities_are_means(probabilities):
    fine = noise(3).transpose(2, 0, 1).astype(float)
    with tifffile.TiffFile(probabilities) as file:
        levels = [level.asarray() for level in file.series[0].levels]
    assert [level.shape[1:] for level in levels] == [(1100, 1301), (550, 651), (275, 326)]
    whole = fine[:, :1100, :1300].reshape(3, 550, 2, 650, 2).mean((2, 4))
    assert (levels[1][:, :, :650] == np.floor(whole + 0.5)).all()  # a half is rounded up
    assert np.abs(levels[1][:, :, 650] - fine[:, :, 1300].reshape(3, 550, 2).mean(2)).max() <= 0.5
    quarter = fine[:, :1100, :1300].reshape(3, 275, 4, 325, 4).mean((2, 4))
    assert np.abs(levels[2][:, :, :325] - quarter).max() <= 1


def test_classes_of_coarser_levels_lie_where_those_of_the_finest_do(classes):
    with tifffile.TiffFile(classes) as file:
        levels = [level.asarray() for level in file.series[0].levels]
    for step, level in enumerate(levels):
        assert set(np.unique(level)) == {0, 255}
        assert (level.min(0) == 0).all()  # in two classes at once nowhere
        shares = (level > 0).mean((1, 2)) / (levels[0] > 0).mean((1, 2))
        assert shares == pytest.approx(1, abs=0.01)
        # Within the rectangles, away from their edges.
        assert (level[0, 120 >> step : 500 >> step, 320 >> step : 680 >> step] == 255).all()
        assert (level[1, 720 >> step : 980 >> step, 720 >> step : 1260 >> step] == 255).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_majority_of_four_is_the_most_common_and_the_first_of_equals(values):
    most, _ = Counter(values).most_common(1)[0]  # of equals, the one met first
    assert majority(*(np.array([value], np.uint8) for value in values)) == most


def test_levels_end_with_one_tile_and_halve_each_time():
    assert level_sizes(512, 512) == [(512, 512)]
    assert level_sizes(513, 1) == [(513, 1), (257, 1)]
    assert level_sizes(3, 4097)[-1] == (1, 257)


def test_names_colours_and_pixel_size_are_in_the_xml(classes):
    with tifffile.TiffFile(classes) as file:
        text = file.pages[0].description
    assert text.isascii()
    pixels = ElementTree.fromstring(text).find(f"{OME}Image/{OME}Pixels")
    sizes = [pixels.get(f"Size{axis}") for axis in "XYCZT"]
    assert sizes == ["1301", "1100", "2", "1", "1"]
    assert pixels.get("PhysicalSizeX") == pixels.get("PhysicalSizeY") == "0.4991"
    channels = pixels.findall(f"{OME}Channel")
    assert [channel.get("Name") for channel in channels] == list(NAMES)
    colours = [int(channel.get("Color")).to_bytes(4, "big", signed=True) for channel in channels]
    assert [tuple(colour) for colour in colours] == [(0, 158, 115, 255), (240, 228, 66, 255)]
    planes = [(data.get("IFD"), data.get("FirstC")) for data in pixels.findall(f"{OME}TiffData")]
    assert planes == [("0", "0"), ("1", "1")]


def test_a_colour_is_the_number_that_the_schema_documents():
    # The schema's own examples: red is -16776961, and its default, -1, is white.
    assert signed_rgba((255, 0, 0)) == -16776961
    assert signed_rgba((255, 255, 255)) == -1


def test_tifffile_reads_planes_levels_names_colours_and_pixel_size(classes):
    with tifffile.TiffFile(classes) as file:
        (series,) = file.series
        assert (series.kind, series.axes, series.shape) == ("ome", "CYX", (2, HEIGHT, WIDTH))
        assert [level.shape for level in series.levels] == [(2, 1100, 1301), (2, 550, 651), (2, 275, 326)]
        assert len(file.pages) == 2
        described = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [channel["Name"] for channel in described["Channel"]] == list(NAMES)
    assert [channel["Color"] & 0xFFFFFFFF for channel in described["Channel"]] == [0x009E73FF, 0xF0E442FF]
    assert described["PhysicalSizeX"] == described["PhysicalSizeY"] == MPP
    assert [plane["IFD"] for plane in described["TiffData"]] == [0, 1]


def test_the_xml_is_valid_by_the_schema_of_june_2016(classes, probabilities):
    # ome-types carries the schema, and need not be imported for it.
    pytest.importorskip("lxml", reason="needs lxml and ome-types")
    if (package := importlib.util.find_spec("ome_types")) is None:
        pytest.skip("needs ome-types, which carries the schema")
    schema = (Path(package.origin).parent / "ome-2016-06.xsd").read_bytes()
    for path in (classes, probabilities):
        with tifffile.TiffFile(path) as file:
            text = file.pages[0].description
        assert tifffile.OmeXml.validate(text, schema)
    with pytest.raises(AssertionError, match="SizeC"):
        tifffile.OmeXml.validate(text.replace('SizeC="3"', 'SizeC="three"'), schema)


def test_openslide_and_gdal_read_the_first_class(classes):
    expected = (class_map() == 1) * np.uint8(255)
    with openslide.OpenSlide(classes) as handle:
        assert float(handle.properties["openslide.mpp-x"]) == pytest.approx(MPP, rel=1e-6)
        assert (np.asarray(handle.read_region((0, 0), 0, (WIDTH, HEIGHT)))[..., 0] == expected).all()
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(classes) as file:
        assert file.overviews(1) == [2, 4]
        assert (file.read(1) == expected).all()


def test_our_own_reader_finds_the_pixel_size(classes):
    with Slide(classes) as slide:
        assert (slide.width, slide.height, slide.mpp) == (WIDTH, HEIGHT, pytest.approx(MPP))


def test_equal_values_give_equal_bytes(tmp_path, classes):
    assert write_classes(tmp_path / "a.ome.tif", class_map()).read_bytes() == classes.read_bytes()


def test_rows_are_asked_for_once_from_the_top(tmp_path):
    asked, values = [], class_map()[..., None]

    def rows(first, last):
        asked.append((first, last))
        return values[first:last]

    write_ome_tiff(tmp_path / "a.ome.tif", rows, HEIGHT, WIDTH, NAMES, COLOURS, MPP, "classes")
    assert asked == [(0, 512), (512, 1024), (1024, 1100)]


def test_memory_does_not_grow_with_the_height(tmp_path):
    import tracemalloc

    def peak(height):
        band = np.random.default_rng(0).integers(0, 3, (512, 512, 1), dtype=np.uint8)
        tracemalloc.start()
        write_ome_tiff(tmp_path / "a.ome.tif", lambda a, b: band[: b - a], height, 512, NAMES, COLOURS, MPP, "classes")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(512)  # what libraries keep
    # The whole would be 4 MB more; only the places of tiles may grow.
    assert peak(16_384) - peak(8_192) < 200_000


@pytest.mark.parametrize("lacking", [2_700_000, 1_000_000, 10])
def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, lacking):
    """It fills up with the first tiles, with later ones, or, since the file ends with its tables, at the very end."""
    values, path = noise(2), tmp_path / "a.ome.tif"
    args = (lambda a, b: values[a:b], HEIGHT, WIDTH, NAMES, COLOURS, MPP, "probabilities")
    write_ome_tiff(path, *args)
    whole = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores SIGXFSZ, so a write beyond the limit raises as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) - lacking, limits[1]))
    try:
        with pytest.raises(InputError, match=r"no space left: \S+a\.ome\.tif .+; free some") as caught:
            write_ome_tiff(path, *args)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(str(caught.value).splitlines()) <= 4
    assert [file.name for file in tmp_path.iterdir()] == ["a.ome.tif"]
    assert path.read_bytes() == whole


def test_what_goes_wrong_in_reading_the_rows_is_passed_on(tmp_path):
    def rows(first, last):
        raise InputError("band 0 is damaged")

    with pytest.raises(InputError, match="band 0 is damaged"):
        write_ome_tiff(tmp_path / "a.ome.tif", rows, 20, 20, NAMES, COLOURS, MPP, "classes")
    assert not list(tmp_path.iterdir())
