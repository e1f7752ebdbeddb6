"""The scripts for QuPath are Groovy that parses, and their own logic holds; QuPath itself is not run here.

What they ask of QuPath is answered by stand-ins in qupath_stand_in/, written from QuPath's documentation and source.
"""

import json
import re

from tests.qupath_runs import SCRIPTS, needs_groovy, run_cases

FIRST_SETTINGS = {"export_annotations": "out", "export_tiles": "out", "import_results": "results"}
TILES = ("downsample=2", "tile_px=256", "overlap_px=32", "classes=Stroma,Tumor")


def state(image="slide 1.svs", *others, annotations=("Tumor", "Stroma"), **more):
    project = {"images": [image, *others], "classes": ["Tumor", "Stroma", "Necrosis", "Ignore*"]}
    return {"image": image, "project": project, "annotations": list(annotations), "pixel_size_um": 0.25} | more


def case(name, out, *words, **more):
    return {"script": str(SCRIPTS / f"{name}.groovy"), "args": [f"out={out}", *words], "state": state(**more)}


def annotations(out, *words, **more):
    return case("export_annotations", out, *words, **more)


def tiles(out, *words, **more):
    return case("export_tiles", out, *(words or TILES), **more)


@needs_groovy
def test_every_script_parses_and_a_broken_one_does_not(tmp_path):
    whole = sorted(SCRIPTS.glob("*.groovy"))
    assert [path.stem for path in whole] == sorted(FIRST_SETTINGS)
    broken = []
    for path in whole:
        text = path.read_text()
        for number, found in enumerate(("def stop(message) {", "println(", "println ")):
            if found in text:
                broken.append(tmp_path / f"{path.stem}_{number}.groovy")
                broken[-1].write_text(text.replace(found, found + "("))
    results = run_cases([{"script": str(path), "state": None} for path in [*whole, *broken]], tmp_path)
    assert results[:3] == [{"output": ""}] * 3
    assert len(results[3:]) >= 6
    assert all(result["error"].startswith("MultipleCompilationErrorsException") for result in results[3:])


@needs_groovy
def test_annotations_are_written_whole_under_safe_names(tmp_path):
    (tmp_path / "stale").mkdir()
    for name in ("a.geojson", "a.geojson.gz"):
        (tmp_path / "stale" / name).touch()
    results = run_cases(
        [
            annotations(tmp_path / "new"),
            annotations(tmp_path / "new", image='Fall 3/2: "b"\u00e9.ome.tif'),
            annotations(tmp_path / "new", image="../../evil.svs"),
            annotations(tmp_path / "new", "compress=false", image="plain.svs"),
            annotations(tmp_path / "new", image="empty.svs", annotations=()),
            annotations(tmp_path / "stale", image="a.svs", annotations=()),
            annotations(tmp_path / "twice", "compress=false", image="b.svs"),
            annotations(tmp_path / "twice", image="b.svs"),
        ],
        tmp_path,
    )
    assert [result.get("error") for result in results] == [None] * 8
    assert "2 annotations [Tumor:1, Stroma:1]" in results[0]["output"]
    names = ["Fall 3_2_ _b_é.geojson.gz", "_.._evil.geojson.gz", "plain.geojson", "slide 1.geojson.gz"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    assert (tmp_path / "new" / "plain.geojson").read_text() == "FEATURE_COLLECTION 2"
    assert list((tmp_path / "stale").iterdir()) == []
    assert [path.name for path in (tmp_path / "twice").iterdir()] == ["b.geojson.gz"]


@needs_groovy
def test_refusals_name_value_and_cure_and_leave_nothing(tmp_path):
    out = tmp_path / "out"
    expected = [
        (annotations(out, "compress=yes"), "compress=yes: expected true or false; mend the command"),
        (annotations(out, "outt=x"), "--args outt=x: no setting; expected key=value with one of out, compress"),
        (annotations(out) | {"args": []}, "no out; expected --args out=...; add it to the command"),
        (annotations(out) | {"args": None}, "no out; expected --args out=...; add it to the command"),
        (annotations(out, full=True), "QuPath wrote nothing; expected 2 annotations; check the space"),
        (
            annotations(out, **{"image": "a/1.svs"}) | {"state": state("a/1.svs", "A_1.tif")},
            "images a/1.svs and A_1.tif",
        ),
        (annotations(out) | {"state": state() | {"project": None}}, "no project; expected an image of one"),
        (
            tiles(out, "downsample=2", "classes=Tumour,Stroma"),
            "classes: 'Tumour' is no class of this project; expected some",
        ),
        (tiles(out, "downsample=2", "classes=Tumor,-Strooma"), "classes: 'Strooma' is no class of this project"),
        (tiles(out, "downsample=2", "classes=Tumor"), "has annotations [Stroma:1] that 'classes' lacks"),
        (tiles(out, "downsample=2", "classes=Tumor,Tumor"), "expected 1 to 254 different names"),
        (tiles(out, "downsample=2", "classes="), "expected 1 to 254 different names"),
        (tiles(out, "classes=Tumor,Stroma"), "downsample= and pixel_size_um=: expected one of them"),
        (tiles(out, *TILES, "pixel_size_um=1"), "downsample=2 and pixel_size_um=1: expected one of them"),
        (tiles(out, *TILES, "downsample=x"), "downsample=x: expected a number above 0"),
        (tiles(out, *TILES, "downsample=NaN"), "downsample=NaN: expected a number above 0"),
        (tiles(out, *TILES, "downsample=0.5"), "downsample=0.5 is finer than the slide"),
        (tiles(out, *TILES[1:], "pixel_size_um=0.5", pixel_size_um=None), "has no pixel size; expected micrometres"),
        (tiles(out, *TILES, "tile_px=1.5"), "tile_px=1.5: expected a whole number of at least 1"),
        (tiles(out, *TILES, "overlap_px=256"), "overlap_px=256: expected less than tile_px=256"),
        (tiles(out, full=True), "2 of 4 files were not written, such as images/slide 1 ["),
    ]
    results = run_cases([one for one, _ in expected], tmp_path)
    for (_, message), result in zip(expected, results, strict=True):
        assert result.get("error", "no error").startswith("IllegalArgumentException: ")
        assert message in result["error"]
        assert result["error"].count(";") >= 1, "a cure is missing"
    assert [path for path in out.rglob("*") if path.is_file() or path.name.startswith(".part")] == []


@needs_groovy
def test_tiles_lie_as_the_reader_expects_them(tmp_path):
    from histoloom.prepare.reading.exported_tiles import find_tiles, label_names

    out = tmp_path / "out"
    results = run_cases(
        [
            tiles(out, image="slide 1.svs", annotations=("Tumor", "Stroma", "Ignore*", None)),
            tiles(out, *TILES[1:], "pixel_size_um=1", image="slide 2.svs"),
            tiles(out, image="slide 3.svs"),
            tiles(out, image="slide 3.svs", tiles=0),  # its annotations were deleted: so are its tiles
            tiles(out, image="slide 1.svs", tiles=1),  # fewer than before: the old ones go
            tiles(out, image="slide 1.svs", id="another"),
            tiles(out, *TILES[:3], "classes=Tumor,-Stroma", image="slide 4.svs"),
        ],
        tmp_path,
    )
    assert "2 tiles with labels [Stroma, Tumor, Ignore*] = 1 to 3 at downsample 2.0" in results[0]["output"]
    assert "no tile of 256 pixels touches an annotation" in results[3]["output"]
    assert "slide 1-tiles.json: is there from another image" in results[5]["error"]
    assert [index for index, result in enumerate(results) if "error" in result] == [5]
    found, problems = find_tiles(out / "images", out / "labels")
    assert problems == ()
    assert [(tile.slide, tile.x, tile.w, tile.downsample) for tile in found] == [
        ("slide 1", 0, 512, 2.0),
        ("slide 2", 0, 1024, 4.0),
        ("slide 2", 1024, 1024, 4.0),
        ("slide 4", 0, 512, 2.0),
        ("slide 4", 512, 512, 2.0),
    ]
    asked = json.loads(found[0].labels.read_text())
    assert (asked["tile"], asked["overlap"], asked["annotatedOnly"]) == (256, 32, True)
    assert asked["server"] == {
        "labels": {"*Background*": 0, "Stroma": 1, "Tumor": 2},
        "downsample": asked["downsample"],
        "multichannel": False,
        "grayscale": True,
        "drawn": ["Tumor", "Stroma"],
    }
    listed = json.loads((out / "slide 1-tiles.json").read_text())
    assert (listed["base_directory"], len(listed["tiles"])) == (str(out), 1)
    (out / "slide 4-tiles.json").unlink()  # of another order of classes, which the reader refuses
    assert label_names(out) == {0: "*Background*", 1: "Stroma", 2: "Tumor"}
    assert sorted(path.name for path in out.iterdir()) == [
        "images",
        "labels",
        "slide 1-tiles.json",
        "slide 2-tiles.json",
    ]


@needs_groovy
def test_ignore_is_the_last_label_where_it_is_drawn(tmp_path):
    drawn = ("Ignore*", "Tumor", "Stroma", "Ignore*", "Region*")
    many = [f"class {number}" for number in range(254)]
    crowded = tiles(tmp_path / "many", "downsample=2", f"classes={','.join(many)}", annotations=(*many, "Ignore*"))
    results = run_cases(
        [
            tiles(tmp_path / "0", annotations=drawn),
            tiles(tmp_path / "1", "downsample=2", "classes=Ignore*,Stroma,Tumor", annotations=drawn),
            tiles(tmp_path / "2", "downsample=2", "classes=Stroma,Tumor,-Ignore*", annotations=drawn),
            tiles(tmp_path / "3"),  # of the project's classes, but not drawn
            crowded,
        ],
        tmp_path,
    )
    expected = [
        ["Stroma", "Tumor", "Ignore*"],
        ["Ignore*", "Stroma", "Tumor"],
        ["Stroma", "Tumor"],
        ["Stroma", "Tumor"],
    ]
    for number, names in enumerate(expected):
        listed = json.loads((tmp_path / str(number) / "slide 1-tiles.json").read_text())["labels"]
        labels = {entry["classification"]: entry["label"] for entry in listed}
        assert labels == {"*Background*": 0} | {name: label for label, name in enumerate(names, 1)}
    assert "with Ignore* that makes 255 labels; expected up to 254" in results[4]["error"]


@needs_groovy
def test_what_a_model_drew_is_no_truth_until_somebody_unlocks_it(tmp_path):
    predicted = {"class": "Necrosis", "locked": True, "histoloom": "unet"}
    drawn = ["Tumor", predicted, predicted | {"class": "Stroma", "locked": False}, {"class": "Stroma", "locked": True}]
    results = run_cases(
        [
            annotations(tmp_path, "compress=false", image="a.svs", annotations=drawn),
            annotations(tmp_path, "compress=false", image="b.svs", annotations=[predicted, predicted]),
            tiles(tmp_path / "tiles", annotations=drawn),
        ],
        tmp_path,
    )
    assert "3 annotations [Tumor:1, Stroma:2], 1 locked ones of a model left out" in results[0]["output"]
    assert (tmp_path / "a.geojson").read_text() == "FEATURE_COLLECTION 3"
    assert "nothing drawn, no file written, 2 locked ones" in results[1]["output"]
    assert not (tmp_path / "b.geojson").exists()
    tile = next((tmp_path / "tiles" / "labels").iterdir())
    assert json.loads(tile.read_text())["server"]["drawn"] == ["Tumor", "Stroma", "Stroma"]


def test_the_readme_names_each_setting_of_each_script():
    readme = (SCRIPTS / "README.md").read_text()
    for name, first in FIRST_SETTINGS.items():
        text = (SCRIPTS / f"{name}.groovy").read_text()
        defaults = re.search(rf"\[({first}: null.*?)\]", text, re.DOTALL)[1]
        section = readme.split(f"## {name}.groovy")[1].split("\n## ")[0]
        keys = re.findall(r"(\w+): ", defaults)
        assert keys[0] == first
        assert [key for key in keys if f"`{key}`" not in section] == []
        used = re.findall(r'--args "?(\w+)=', section)
        assert used
        assert set(used) <= set(keys)
        assert re.search(rf"script -p project.qpproj (--save )?scripts/qupath/{name}.groovy", section)
