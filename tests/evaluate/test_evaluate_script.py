"""The two scripts of the evaluate stage, run on two tiny images whose scores are worked out by hand."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from histoloom.evaluate.counting.stored_counts import read_counts
from histoloom.files import write_json, write_table
from histoloom.formats.images import write_image, write_instances
from histoloom.prepared import INDEX_COLUMNS
from tests.scripts_run import outcome

SCRIPTS = Path(__file__).parents[2] / "scripts"
CLASSES = ["background", "epithelial", "stroma"]
METRICS = ["dice", "accuracy", "pq", "sq"]

# Image a: the stroma nucleus is found, but as epithelial; the last pixel is not annotated.
# Image b: half of the nucleus is found, an IoU of exactly 0.5.
MASKS = {"a": [[1, 1, 0, 0], [2, 2, 0, 255]], "b": [[0, 0, 1, 1]]}
NUCLEI = {"a": [[1, 1, 0, 0], [2, 2, 0, 0]], "b": [[0, 0, 3, 3]]}
REGIONS = {"a": [[1, 1, 0, 0], [1, 1, 0, 1]], "b": [[0, 0, 0, 1]]}
FOUND = {"a": [[5, 5, 0, 0], [6, 6, 0, 0]], "b": [[0, 0, 0, 9]]}
FOUND_CLASSES = [("a", 5, "epithelial"), ("a", 6, "epithelial"), ("b", 9, "epithelial")]


def command(name: str, **flags: object) -> list[str]:
    words = [str(SCRIPTS / f"{name}.py")]
    for flag, value in flags.items():
        words += [f"--{flag.replace('_', '-')}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    return words


def write_maps(folder: Path, maps: dict, write) -> None:
    for name, pixels in maps.items():
        write(folder / f"{name}.png", np.array(pixels, np.int32 if write is write_instances else np.uint8))


def prepare(folder: Path, has_instances: bool = True) -> None:
    write_maps(folder / "masks", MASKS, write_image)
    write_maps(folder / "instances", NUCLEI, write_instances)
    rows = [
        {
            **dict.fromkeys(INDEX_COLUMNS, ""),
            "name": name,
            "image": f"images/{name}.png",
            "mask": f"masks/{name}.png",
            "instances": f"instances/{name}.png" if has_instances else "",
            "height": len(mask),
            "width": 4,
            "group": f"case {name}",
        }
        for name, mask in MASKS.items()
    ]
    write_table(folder / "index.csv", INDEX_COLUMNS, rows)
    facts = {"name": "lab", "reader": "made", "classes": CLASSES, "has_instances": has_instances}
    write_json(folder / "dataset.json", {**facts, "licence": "", "citation": "", "facts": {}, "warnings": []})
    folds = [(0, "test", name, f"case {name}") for name in MASKS]
    write_table(folder / "folds.csv", ("fold", "part", "name", "group"), folds)
    for model, regions, nuclei, found in (("unet", REGIONS, FOUND, FOUND_CLASSES), ("all_background", None, None, [])):
        empty = {name: np.zeros_like(mask) for name, mask in MASKS.items()}
        write_maps(folder / model / "regions", regions or empty, write_image)
        write_maps(folder / model / "nuclei", nuclei or empty, write_instances)
        write_table(folder / model / "nuclei.csv", ("name", "id", "class"), found)


def evaluate(folder: Path, model: str) -> list[str]:
    return command(
        "evaluate_predictions",
        index=folder / "index.csv",
        dataset=folder / "dataset.json",
        folds=folder / "folds.csv",
        fold=0,
        part="test",
        dataset_name="lab",
        architecture=model,
        regions=folder / model / "regions",
        nuclei=folder / model / "nuclei",
        nuclei_table=folder / model / "nuclei.csv",
        fact=["confusion", "pairs", "sizes"],
        boundary_tolerance_um=2.0,
        detection_radius_um=3.0,
        nucleus_sizes_um2=[1.0],
        counts=folder / model / "counts.npz",
    )


def summarise(folder: Path, models: list[str], baseline: str = "all_background") -> list[str]:
    return command(
        "summarise_scores",
        counts=[folder / model / "counts.npz" for model in models],
        dataset=folder / "dataset.json",
        baseline=[baseline],
        metric=METRICS,
        bootstrap=200,
        seed=0,
        scores=folder / "scores.csv",
        summary=folder / "summary.csv",
        comparison=folder / "comparison.csv",
        ranking=folder / "ranking.csv",
        strata=folder / "strata.csv",
        sizes=folder / "sizes.csv",
        fold_spread=folder / "fold_spread.csv",
        costs=folder / "costs.csv",
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    prepare(folder)
    models = ["unet", "all_background"]
    for words in (*(evaluate(folder, model) for model in models), summarise(folder, models)):
        result = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return folder


def test_counts_hold_every_cell_of_every_image(evaluated):
    (counts,) = read_counts([evaluated / "unet" / "counts.npz"], 3)
    assert counts.images.to_dict("list") == {
        "fold": [0, 0],
        "name": ["a", "b"],
        "group": ["case a", "case b"],
        "stratum": ["", ""],
    }
    assert (counts.dataset, counts.architecture, counts.unit) == ("lab", "unet", "px")
    assert counts.facts["confusion"].tolist() == [
        [[3, 0, 0], [0, 2, 0], [0, 2, 0]],
        [[2, 0, 0], [1, 1, 0], [0, 0, 0]],
    ]
    assert counts.facts["pairs"].tolist() == [
        [[2, 0, 0, 2], [1, 1, 0, 1], [0, 0, 1, 0]],
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]],
    ]
    # At 0.25 µm, 1 µm² is 16 pixels, so that all nuclei are small.
    assert counts.size_names == ("under 1 µm² (16 px at 0.25 µm)", "1 µm² (16 px at 0.25 µm) and more")
    assert counts.lengths == ("2 µm (8 px at 0.25 µm)", "3 µm (12 px at 0.25 µm)")
    assert counts.facts["sizes"].tolist() == [[[2, 0, 0, 2], [0, 0, 0, 0]], [[0, 1, 1, 0], [0, 0, 0, 0]]]


def test_scores_of_each_image_equal_hand_counts(evaluated):
    rows = table(evaluated / "scores.csv")
    assert ",".join(rows[0]) == "dataset,architecture,fold,name,group,stratum,class,dice,accuracy,pq,sq"
    scores = {
        (row["architecture"], row["name"], metric, row["class"]): row[metric] for row in rows for metric in METRICS
    }
    assert scores["unet", "a", "dice", "foreground"] == "1.0"
    assert scores["unet", "a", "dice", "epithelial"] == "0.666667"
    assert scores["unet", "a", "dice", "stroma"] == "0.0"
    assert scores["unet", "a", "dice", "mean"] == "0.333333"
    assert scores["unet", "a", "accuracy", "all"] == "0.714286"
    assert scores["unet", "a", "dice", "all"] == ""
    assert scores["unet", "a", "pq", "foreground"] == "1.0"
    assert scores["unet", "a", "pq", "epithelial"] == "0.666667"
    assert scores["unet", "b", "dice", "stroma"] == ""
    assert scores["unet", "b", "pq", "foreground"] == "0.0"
    assert scores["unet", "b", "sq", "foreground"] == ""
    assert scores["all_background", "a", "dice", "foreground"] == "0.0"


@pytest.mark.parametrize(
    ("metric", "name", "expected"),
    [
        ("dice", "foreground", ("0.833333", "0.666667", "1.0", "2", "2")),
        ("dice", "mean", ("0.333333", "0.333333", "0.666667", "2", "2")),
        ("dice", "stroma", ("0.0", "", "", "1", "1")),
        ("dice@pooled", "foreground", ("0.909091", "0.666667", "1.0", "2", "2")),
        ("accuracy", "all", ("0.732143", "0.714286", "0.75", "2", "2")),
        ("pq", "foreground", ("0.5", "0.0", "1.0", "2", "2")),
        ("pq@pooled", "foreground", ("0.666667", "0.0", "1.0", "2", "2")),
        ("sq", "foreground", ("1.0", "", "", "1", "1")),
    ],
)
def test_means_and_intervals_equal_hand_counts(evaluated, metric, name, expected):
    rows = table(evaluated / "summary.csv")
    columns = "dataset,architecture,kind,metric,class,mean,low,high,images,groups,definition,skipped,diverged"
    assert ",".join(rows[0]) == columns
    row = next(r for r in rows if (r["architecture"], r["metric"], r["class"]) == ("unet", metric, name))
    assert tuple(row[column] for column in ("mean", "low", "high", "images", "groups")) == expected
    assert row["kind"] == "model"
    assert row["definition"].endswith(".")


def test_a_baseline_is_marked_and_compared(evaluated):
    kinds = {row["architecture"]: row["kind"] for row in table(evaluated / "summary.csv")}
    assert kinds == {"unet": "model", "all_background": "baseline"}
    rows = table(evaluated / "comparison.csv")
    assert ",".join(rows[0]) == "dataset,metric,class,first,second,difference,low,high,images,groups,skipped,p,p_holm"
    assert list(rows[0].values()) == (
        # Of two groups that agree, the signed-rank test's p is 2 of 4 signs.
        [
            "lab",
            "dice",
            "foreground",
            "unet",
            "all_background",
            "0.833333",
            "0.666667",
            "1.0",
            "2",
            "2",
            "0",
            "0.5",
            "0.5",
        ]
    )


def test_the_same_counts_give_the_same_bytes(evaluated, tmp_path):
    prepare(tmp_path)
    for model in ("unet", "all_background"):
        (tmp_path / model / "counts.npz").write_bytes((evaluated / model / "counts.npz").read_bytes())
    assert outcome(summarise(tmp_path, ["unet", "all_background"])) == "done"
    for name in ("scores.csv", "summary.csv", "comparison.csv", "ranking.csv", "sizes.csv", "fold_spread.csv"):
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes()


def test_a_missing_prediction_is_named_and_nothing_half_written_stays(tmp_path):
    prepare(tmp_path)
    (tmp_path / "unet" / "regions" / "b.png").unlink()
    assert "regions/b.png: missing; expected the prediction of image 'b'" in outcome(evaluate(tmp_path, "unet"))
    assert sorted(path.name for path in (tmp_path / "unet").iterdir()) == ["nuclei", "nuclei.csv", "regions"]


def test_a_prediction_of_another_size_is_refused_with_both_sizes(tmp_path):
    prepare(tmp_path)
    write_image(tmp_path / "unet" / "regions" / "a.png", np.zeros((3, 5), np.uint8))
    assert "3 x 5 px; expected 2 x 4 px" in outcome(evaluate(tmp_path, "unet"))


def test_a_prediction_of_an_unknown_class_is_refused_with_its_file(tmp_path):
    prepare(tmp_path)
    write_image(tmp_path / "unet" / "regions" / "b.png", np.full((1, 4), 3, np.uint8))
    assert "b.png: prediction holds class 3; expected 0 to 2" in outcome(evaluate(tmp_path, "unet"))


def test_a_nucleus_without_a_class_is_refused(tmp_path):
    prepare(tmp_path)
    write_table(tmp_path / "unet" / "nuclei.csv", ("name", "id", "class"), FOUND_CLASSES[:1])
    assert "nuclei/a.png: nucleus 6 has no class" in outcome(evaluate(tmp_path, "unet"))


def test_a_nucleus_of_an_unknown_class_is_refused_with_a_guess(tmp_path):
    prepare(tmp_path)
    write_table(tmp_path / "unet" / "nuclei.csv", ("name", "id", "class"), [("a", 5, "epithelia")])
    assert "nucleus 5 of a is 'epithelia'; did you mean 'epithelial'?" in outcome(evaluate(tmp_path, "unet"))


def test_a_dataset_without_nuclei_leaves_their_metrics_out_and_says_so(tmp_path, capsys):
    prepare(tmp_path, has_instances=False)
    models = ["unet", "all_background"]
    for words in (*(evaluate(tmp_path, model) for model in models), summarise(tmp_path, models)):
        assert outcome(words) == "done"
    assert capsys.readouterr().err == "lab has no nuclei: pq, sq left out\n"
    metrics = {row["metric"] for row in table(tmp_path / "summary.csv") if "area_fraction" not in row["metric"]}
    assert metrics == {"dice", "dice@pooled", "accuracy", "accuracy@pooled"}


@pytest.mark.parametrize(
    ("models", "baseline", "message"),
    [
        (["unet"], "otsu", "no counts of 'otsu'; expected one of unet"),
        (["unet", "unet"], "unet", "image 'a' is counted twice in fold 0"),
        (["resnet"], "unet", "counts.npz: no such file"),
    ],
)
def test_counts_that_do_not_fit_are_refused(evaluated, models, baseline, message):
    assert message in outcome(summarise(evaluated, models, baseline))
