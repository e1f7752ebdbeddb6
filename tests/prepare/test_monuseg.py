import gzip
import re
from pathlib import Path
from xml.etree import ElementTree

import imageio.v3 as iio
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoloom.datasets.monuseg import monuseg, nuclei_of
from histoloom.errors import InputError

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "monuseg"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="real samples are not beside the checkout")

NAME = "TCGA-A7-A13E-01Z-00-DX1"
MIB = 1 << 20


def square(column, row, side) -> list[tuple[float, float]]:
    return [(column, row), (column + side, row), (column + side, row + side), (column, row + side)]


def xml(*regions, head='MicronsPerPixel="0.2456"', region="") -> str:
    """Aperio's XML, one line for each element, so that messages can be checked for their line."""
    lines = [f"<Annotations {head}>", '<Annotation Id="1">', "<Regions>"]
    for ring in regions:
        lines += [f'<Region Id="1" {region}>', "<Vertices>"]
        lines += [f'<Vertex X="{x}" Y="{y}"/>' for x, y in ring]
        lines += ["</Vertices>", "</Region>"]
    return "\n".join([*lines, "</Regions>", "</Annotation>", "</Annotations>"])


def write_tile(root: Path, text: str | bytes, name=NAME, size=(20, 30), suffix=".xml") -> Path:
    for folder in ("Tissue Images", "Annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    iio.imwrite(root / "Tissue Images" / f"{name}.tif", np.full((*size, 3), 200, np.uint8))
    path = root / "Annotations" / f"{name}{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def only(root: Path, **options):
    (sample,) = monuseg(root, **options)
    return sample


def test_a_region_owns_the_pixels_whose_centres_it_holds(tmp_path):
    write_tile(tmp_path, xml(square(3, 2, 4), [(10.4, 5.4), (12.6, 5.4), (12.6, 6.6), (10.4, 6.6)]))
    sample = only(tmp_path)
    expected = np.zeros((20, 30), int)
    expected[2:6, 3:7] = 1
    expected[5:7, 10:13] = 2  # centres at 10.5, 11.5, 12.5 and 5.5, 6.5
    assert (sample.instances == expected).all()
    assert (sample.mask == (expected > 0)).all()
    assert (sample.group, sample.mpp, sample.stratum, sample.source) == (
        "TCGA-A7-A13E",
        0.2456,
        "",
        f"Tissue Images/{NAME}.tif",
    )


def test_the_later_region_wins_and_hidden_nuclei_are_counted(tmp_path):
    write_tile(tmp_path, xml(square(2, 2, 4), square(10, 10, 6), square(4, 4, 4), square(9, 9, 8)))
    sample = only(tmp_path)
    assert sample.instances[3, 3:9].tolist() == [1, 1, 1, 0, 0, 0]
    assert sample.instances[4, 2:9].tolist() == [1, 1, 2, 2, 2, 2, 0]
    assert sample.instances.max() == 3
    counts = {key: sample.counts[key] for key in ("regions", "nuclei", "hidden_nuclei", "double_pixels")}
    assert counts == {"regions": 4, "nuclei": 3, "hidden_nuclei": 1, "double_pixels": 2 * 2 + 6 * 6}


def test_what_is_no_nucleus_is_left_out_and_counted(tmp_path):
    text = xml(square(2, 2, 4), [(1, 1), (5, 5)], [(9.1, 9.1), (9.2, 9.1), (9.2, 9.2)])
    write_tile(tmp_path, text.replace("</Regions>", '<Region NegativeROA="1"><Vertex X="1" Y="1"/></Region></Regions>'))
    sample = only(tmp_path)
    assert dict(sample.counts) == {
        "regions": 4,
        "short_regions": 1,
        "negative_regions": 1,
        "cut_regions": 0,
        "hidden_nuclei": 1,  # too small to hold the centre of a pixel
        "double_pixels": 0,
        "nuclei": 1,
        "nuclei_in_pieces": 0,
    }


def test_regions_over_the_border_are_cut_by_it(tmp_path):
    write_tile(tmp_path, xml(square(-3, -3, 5), square(27, 17, 50), square(8, 8, 3)))
    sample = only(tmp_path)
    assert [(sample.instances == number).sum() for number in (1, 2, 3)] == [4, 9, 9]
    assert sample.counts["cut_regions"] == 2


def test_a_nucleus_parted_by_a_later_one_stays_one(tmp_path):
    write_tile(tmp_path, xml([(2, 5), (22, 5), (22, 8), (2, 8)], square(10, 4, 5)))
    sample = only(tmp_path)
    assert sample.instances[6, [3, 12, 20]].tolist() == [1, 2, 1]
    assert sample.counts["nuclei_in_pieces"] == 1


def test_a_file_without_regions_is_an_image_without_nuclei(tmp_path):
    write_tile(tmp_path, xml())
    sample = only(tmp_path)
    assert not sample.mask.any()
    assert set(sample.counts.values()) == {0}


RING = st.lists(st.tuples(*[st.floats(-5, 30, allow_nan=False).map(lambda value: round(value, 2) + 0.001)] * 2))


@given(RING.filter(lambda ring: len(ring) >= 3 and shapely.Polygon(ring).is_valid))
@settings(suppress_health_check=[HealthCheck.filter_too_much], max_examples=60)
def test_pixels_are_those_whose_centres_shapely_finds_inside(ring):
    ids = nuclei_of([ring], 20, 25)
    columns, rows = np.meshgrid(np.arange(25) + 0.5, np.arange(20) + 0.5)
    inside = shapely.contains_xy(shapely.Polygon(ring), columns, rows)
    unsure = shapely.distance(shapely.Polygon(ring).exterior, shapely.points(columns, rows)) < 1e-6
    assert ((ids == inside) | unsure).all()


def test_gzip_and_plain_are_one_whatever_the_suffix_says(tmp_path):
    text = xml(square(2, 2, 4)).encode()
    for number, (payload, suffix) in enumerate([(text, ".xml"), (gzip.compress(text), ".xml.gz"), (text, ".XML.GZ")]):
        write_tile(tmp_path / str(number), payload, suffix=suffix)
        assert only(tmp_path / str(number)).mask.sum() == 16


def test_images_and_annotations_may_lie_in_one_folder(tmp_path):
    path = write_tile(tmp_path, xml(square(2, 2, 4)))
    path.rename(tmp_path / path.name)
    (tmp_path / "Tissue Images" / f"{NAME}.tif").rename(tmp_path / f"{NAME}.tif")
    (tmp_path / "Tissue Images").rmdir()
    assert only(tmp_path).source == f"{NAME}.tif"


@pytest.mark.parametrize("head", ["", 'MicronsPerPixel=""', 'MicronsPerPixel="0.000000"'])
def test_micrometres_per_pixel_are_unknown_unless_file_or_option_say_them(head, tmp_path):
    write_tile(tmp_path, xml(square(2, 2, 4), head=head))
    assert only(tmp_path).mpp is None
    assert only(tmp_path, mpp=0.25).mpp == 0.25


def test_organs_come_from_a_table_by_image_or_by_patient(tmp_path):
    write_tile(tmp_path, xml())
    write_tile(tmp_path, xml(), "TCGA-B0-5710-01Z-00-DX1")
    (tmp_path / "organs.csv").write_text(f"name,organ\n{NAME},breast\nTCGA-B0-5710,kidney\n")
    assert [sample.stratum for sample in monuseg(tmp_path, organs_csv="organs.csv")] == ["breast", "kidney"]
    for name in ("missing.csv", "../organs.csv"):
        (tmp_path.parent / "organs.csv").write_text("name,organ\n")
        with pytest.raises(InputError, match=f"organs_csv: no file '{name}' in .*; expected a CSV with columns name"):
            monuseg(tmp_path, organs_csv=name)


def test_a_name_without_patient_is_refused_with_that_image_unless_the_pattern_fits(tmp_path):
    write_tile(tmp_path, xml(), "tile_7")
    with pytest.raises(InputError, match="tile_7: has nothing that matches the group pattern 'tcga_participant'"):
        only(tmp_path)
    assert only(tmp_path, group=r"tile_\d").group == "tile_7"


BAD_XML = {
    "cut": (xml(square(2, 2, 4))[:120], r" line \d+: is broken XML \(.*\); expected Aperio's XML; export or"),
    "no XML": ("not found", r" line 1: is broken XML \(syntax error"),
    "empty": ("", r" line 1: is broken XML \(no element found"),
    "encoding": (
        '<?xml version="1.0" encoding="klingon"?><Annotations/>',
        r" line 1: is broken XML \(unknown encoding",
    ),
    "another root": ("<html></html>", r" line 1: its root is <html>; expected <Annotations>, as Aperio writes it"),
    "document type": (
        "<!DOCTYPE Annotations>\n<Annotations/>",
        r" line 1: has a document type \(DOCTYPE\); expected none, as Aperio writes it; remove it",
    ),
    "no number": (xml([(1, 1), ("x", 2), (3, 3)]), r" line 7: vertex lies at X x, Y 2; expected two numbers of pixels"),
    "not finite": (xml([(1, 1), (3, "nan"), (3, 3)]), r" line 7: vertex lies at X 3, Y nan; expected"),
    "no y": (xml().replace("<Regions>", '<Region><Vertex X="1"/>'), r" line 3: vertex lies at X 1, Y nothing"),
    "no region": (
        xml().replace("<Regions>", '<Regions><Vertex X="1" Y="1"/>'),
        r" line 3: has a Vertex outside a Region",
    ),
    "mpp": (xml(head='MicronsPerPixel="fine"'), r" line 1: MicronsPerPixel is 'fine'; expected micrometres per pixel"),
    "gzip cut": (
        gzip.compress(xml().encode())[:-9],
        r": cannot be unpacked \(.*\); expected a whole file; copy it again",
    ),
    "gzip bits": (gzip.compress(xml().encode())[:12] + b"\xff" * 40, r": cannot be unpacked \("),
}


@pytest.mark.parametrize("text, message", BAD_XML.values(), ids=BAD_XML.keys())
def test_bad_annotation_is_refused_with_file_and_line(text, message, tmp_path):
    write_tile(tmp_path, text)
    with pytest.raises(InputError, match=rf"Annotations/{NAME}.xml{message}") as error:
        only(tmp_path)
    assert str(error.value).count("\n") < 4


def test_entities_neither_grow_nor_read_files(tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    (tmp_path / "secret").write_text("secret")
    for entities in (f'<!ENTITY l0 "ha">{laughs}', f'<!ENTITY l9 SYSTEM "{tmp_path}/secret">'):
        write_tile(tmp_path, f"<!DOCTYPE Annotations [{entities}]><Annotations>&l9;</Annotations>")
        with pytest.raises(InputError, match="has a document type"):
            only(tmp_path)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_unread(tmp_path, monkeypatch):
    write_tile(tmp_path, gzip.compress(b" " * (3 * MIB)), suffix=".xml.gz")
    monkeypatch.setenv("HISTOLOOM_LIMITS", "text_mib=2")
    with pytest.raises(InputError, match=r"has more than 2 MiB when unpacked; .*raise limits.text_mib"):
        only(tmp_path)


def test_an_annotation_of_another_image_is_refused(tmp_path):
    path = write_tile(tmp_path, xml(square(2, 2, 4), square(50, 3, 4), square(3, 60, 4)))
    with pytest.raises(InputError) as error:
        only(tmp_path)
    assert str(error.value) == (
        f"{path}: 2 of 3 regions lie beside {tmp_path}/Tissue Images/{NAME}.tif, which is 20x30; expected them on it "
        "(height x width); give the annotation of this image, in its own pixels"
    )


def test_files_without_partner_are_problems(tmp_path):
    write_tile(tmp_path, xml(), "TCGA-B0-5710-01Z").unlink()
    extra = write_tile(tmp_path, xml())
    (tmp_path / "Tissue Images" / f"{NAME}.tif").unlink()
    write_tile(tmp_path, xml(), "TCGA-CH-5767-01Z")
    twice = write_tile(tmp_path, xml(), "TCGA-CH-5767-01Z", suffix=".xml.gz")
    dataset = monuseg(tmp_path)
    assert dataset.problems == (
        f"{extra}: has no image; expected Tissue Images/{NAME}.tif (or .tiff, .png, .jpg, .jpeg); add that file or "
        "remove this one",
        f"{tmp_path}/Tissue Images/TCGA-B0-5710-01Z.tif: has no annotation; expected Annotations/TCGA-B0-5710-01Z.xml "
        "(or .xml.gz); add that file or remove this one",
        f"{twice.with_suffix('')}: has the same stem as {twice.name}; expected one annotation for "
        "TCGA-CH-5767-01Z.tif; rename or remove all but one",
    )
    assert len(dataset) == 0


def test_missing_folders_are_refused(tmp_path):
    (tmp_path / "Tissue Images").mkdir()
    with pytest.raises(InputError, match="has 0 folders 'Annotations' in any case; expected one, with Aperio's XML"):
        monuseg(tmp_path)


CELL = st.one_of(
    st.integers(-9, 40).map(str), st.text(st.characters(codec="utf-8", exclude_characters='<&"'), max_size=5)
)
ELEMENT = st.sampled_from(["Annotations", "Region", "Vertex", "Vertices", "x"])
OPENING = st.builds(
    lambda name, cells, end: f"<{name} {' '.join(cells.values())}{end}>",
    ELEMENT,
    st.dictionaries(st.sampled_from(["X", "Y", "NegativeROA", "MicronsPerPixel"]), CELL).map(
        lambda cells: {key: f'{key}="{cell}"' for key, cell in cells.items()}
    ),
    st.sampled_from(["", "/"]),
)
TAG = st.one_of(OPENING, ELEMENT.map(lambda name: f"</{name}>"))
MUTATED = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8)


def mutated(changes) -> bytes:
    payload = bytearray(xml(square(2, 2, 4), square(5, 5, 9)).encode())
    for place, value in changes:
        payload[place % len(payload)] = value
    return bytes(payload)


ANY_FILE = st.one_of(
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(),
    st.binary().map(lambda tail: b"\x1f\x8b\x08" + tail),
    st.lists(TAG).map(lambda tags: f"<Annotations>{''.join(tags)}</Annotations>".encode()),
    MUTATED.map(mutated),
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzzed")
    return root, write_tile(root, xml())


@given(ANY_FILE)
@settings(max_examples=400, deadline=None)
def test_any_file_gives_a_sample_or_an_input_error(fuzzed, payload):
    root, path = fuzzed
    path.write_bytes(payload)
    try:
        sample = only(root)
    except InputError as error:
        assert str(path) in str(error)
        assert len(str(error)) < 1000
    else:
        assert len(np.unique(sample.instances[sample.instances > 0])) == sample.counts["nuclei"]
        assert sample.mpp is None or sample.mpp > 0


@needs_samples
def test_each_region_of_real_files_is_a_nucleus_or_counted_as_none():
    found = {}
    for sample in monuseg(SAMPLES):
        text = annotation_of(sample.name)
        left_out = sum(sample.counts[key] for key in ("short_regions", "negative_regions", "hidden_nuclei"))
        found[sample.group] = len(re.findall(r"<Region\s", text))
        assert sample.counts["nuclei"] + left_out == sample.counts["regions"] == found[sample.group]
        stated = re.search(r'MicronsPerPixel="([\d.]+)"', text)
        assert sample.mpp == (float(stated[1]) if stated else None)
    assert (len(found), sum(found.values())) == (6, 2161)


@needs_samples
@pytest.mark.parametrize("name", ["TCGA-B0-5710-01Z-00-DX1", "TCGA-AR-A1AK-01Z-00-DX1"])
def test_pixels_of_real_nuclei_add_up_to_the_area_by_the_shoelace_formula(name):
    regions = ElementTree.fromstring(annotation_of(name)).iter("Region")
    rings = [
        [(float(vertex.get("X")), float(vertex.get("Y"))) for vertex in region.iter("Vertex")] for region in regions
    ]
    pixels = areas = 0.0
    for ring in rings:
        x, y = np.array(ring).T
        areas += abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        column, row = np.floor(x.min()), np.floor(y.min())  # the same place within a pixel, in a smaller image
        shifted = [(float(a - column), float(b - row)) for a, b in ring]
        pixels += (nuclei_of([shifted], int(np.ptp(y)) + 3, int(np.ptp(x)) + 3) > 0).sum()
    assert pixels == pytest.approx(areas, rel=0.002)


def annotation_of(name: str) -> str:
    path = next((SAMPLES / "Annotations").glob(f"{name}.xml*"))
    return (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
