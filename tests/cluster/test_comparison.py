"""Two runs are told apart by any byte but those that a clock or a memory gauge gave."""

import base64
import json

import pytest
import torch

from tests.cluster.comparison import compare, report

HISTORY = "results/d/a/fold0/history.csv"
FRONT = "results/report/s/front.rst"
STATE = "results/d/a/fold0/state/0123"


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "first", tmp_path / "second"


def write(run, name, content):
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def differences(runs, name, *contents):
    for run, content in zip(runs, contents, strict=True):
        write(run, name, content)
    return [row.difference for row in compare(*runs) if row.difference]


def test_one_byte_of_any_other_file_is_a_difference(runs):
    assert differences(runs, "results/d/scores.csv", "a,0.5\n", "a,0.6\n") == [
        "from byte 4 on: b'a,0.5\\n' and b'a,0.6\\n'"
    ]
    write(runs[1], "results/d/scores.csv", "a,0.5\n")
    assert not [row for row in compare(*runs) if row.difference]


def test_a_longer_file_is_a_difference(runs):
    assert differences(runs, "results/d/scores.csv", "a", "ab") == ["1 and 2 bytes"]


def test_a_file_of_one_run_alone_is_a_difference(runs):
    write(runs[0], "results/d/scores.csv", "a")
    write(runs[1], "logs/train/d/a/fold0.log", "a")
    assert [row.difference for row in compare(*runs)] == ["only in the second run", "only in the first run"]


@pytest.mark.parametrize(("loss", "expected"), [("0.25", 0), ("0.26", 1)])
def test_a_history_may_differ_in_its_seconds_alone(runs, loss, expected):
    head = "epoch,train_loss,seconds,images_per_second\n"
    assert len(differences(runs, HISTORY, f"{head}1,0.25,3.1,9.0\n", f"{head}1,{loss},4.5,7.0\n")) == expected


@pytest.mark.parametrize(("pixels", "expected"), [(100, 0), (101, 1)])
def test_a_cost_may_differ_in_seconds_and_memory_alone(runs, pixels, expected):
    first = json.dumps({"seconds": 1.5, "peak_memory_mib": 500, "pixels": 100})
    second = json.dumps({"seconds": 2.5, "peak_memory_mib": 501, "pixels": pixels})
    assert len(differences(runs, "results/d/a/fold0/cost.json", first, second)) == expected


@pytest.mark.parametrize(("parameters", "expected"), [("7", 0), ("8", 1)])
def test_a_page_of_costs_is_looked_into(runs, parameters, expected):
    def page(seconds, count):
        table = f"architecture,seconds_per_mm2,parameters\na,{seconds},{count}\n"
        return b'<a href="data:text/csv;base64,' + base64.b64encode(table.encode()) + b'">'

    assert len(differences(runs, "results/d/figures/costs.html", page(9, "7"), page(12, parameters))) == expected


@pytest.mark.parametrize(("dice", "expected"), [("0.947", 0), ("0.948", 1)])
def test_a_model_card_may_differ_in_times_and_memory_alone(runs, dice, expected):
    first = "| 0 | finished | 0.947 | 13.4 s |\n- largest memory: 594 MiB\n- per mm²: 3 min 19 s\n"
    second = f"| 0 | finished | {dice} | 1 min 2 s |\n- largest memory: 1,602 MiB\n- per mm²: 59.1 s\n"
    assert len(differences(runs, "results/d/figures/card_a.md", first, second)) == expected


@pytest.mark.parametrize(("parameters", "text", "expected"), [("1.63", "ok", 0), ("1.64", "ok", 1), ("1.63", "no", 1)])
def test_a_front_page_may_differ_in_its_table_of_costs_but_not_in_the_parameters_there(
    runs, parameters, text, expected
):
    def page(numbers, words):
        cells = "".join(f'<td class="hl-right">{number}</td>' for number in numbers)
        head = '<thead><tr><th scope="col">architecture</th><th scope="col" class="hl-right">seconds'
        return f'<table>\n{head}</tr></thead><tr>{cells}</tr></table><td class="hl-right">{words}</td>'

    first = page(("199", "12.5", "594", "1.63", "13.4 s"), "ok")
    second = page(("238", "14.9", "602", parameters, "27.7 s"), text)
    assert len(differences(runs, FRONT, first, second)) == expected


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 0), (1.0000001, 1)])
def test_a_checkpoint_may_differ_in_seconds_and_its_digest_alone(runs, weight, expected):
    for run, seconds, digest, value in zip(runs, (3.5, 4.5), ("a", "b"), (1.0, weight), strict=True):
        state = {"learner": {"weight": torch.tensor([value])}, "progress": {"seconds": seconds, "history": [{}]}}
        path = run / STATE / f"checkpoint-000001-00000000-{digest * 64}.pt"
        path.parent.mkdir(parents=True)
        torch.save(state, path)
    rows = compare(*runs)
    assert len(rows) == 1
    assert sum(bool(row.difference) for row in rows) == expected


def test_the_report_counts_files_and_names_each_that_differs(runs):
    differences(runs, "results/d/scores.csv", "a", "b")
    differences(runs, "benchmark/train/d.tsv", "1.5", "2.5")
    lines = report(compare(*runs)).splitlines()
    assert lines[1] == "     1      0  all others: to the byte"
    assert "     1      1  benchmark/*: but for all of the seconds and memory of each job" in lines
    assert lines[-1] == "DIFFERENT results/d/scores.csv: from byte 0 on: b'a' and b'b'"
