"""Why jobs would run where a checkpoint decides on more: what is not known yet is said, and taken for no cause."""

import json
import re
from dataclasses import replace
from pathlib import Path

from histoloom.study.planned import PlannedJob, Record
from histoloom.study.reasons import explain
from histoloom.study.reasons_text import DECIDED, told
from tests.study.test_reasons import CODE, CONFIG, FLAGS, causes, job, with_flag

ROUND = {"dataset": "demo", "architecture": "unet", "round": "0", "fold": "1"}


def choose_round(**changes):
    """A job that once ran for round 1, and of which only the first verdict is known to be read."""
    before = Record((1, CODE), frozenset({"round0/verdict.json", "round1/model.safetensors"}), 2.0)
    known = PlannedJob("choose_round", "rounds.smk", "choose_round.py", {"fold": "1"}, {"code": CODE},
                       frozenset({"round0/verdict.json"}), record=before)  # fmt: skip
    return replace(known, **changes)


def test_a_job_whose_input_a_checkpoint_names_follows_and_reads_nothing_else():
    undecided = choose_round(is_undecided=True)
    assert causes(undecided) == []
    assert explain([undecided], CONFIG).following == (undecided,)
    assert causes(choose_round()) == ["choose_round no longer reads round1/model.safetensors"]


def test_an_undecided_job_tells_what_is_known_to_have_changed():
    changed = {"params": {"code": "ba9876543210"}, "is_command_changed": True}
    assert causes(choose_round(is_undecided=True, **changed)) == [
        "code of choose_round.py or of what it imports changed",
        "the command of rule choose_round changed (workflow/rules/rounds.smk)",
    ]


def test_what_a_checkpoint_decides_is_said_with_its_jobs():
    trained = job("train_round", flags=with_flag("--epochs", "9"), rule_file="rounds.smk", wildcards=ROUND)
    others = [
        job(rule, rule_file="x.smk", wildcards=ROUND, is_checkpoint=True) for rule in ("judge_round", "choose_trial")
    ]
    assert told(explain([trained, *others], CONFIG)) == [
        "3 jobs would run, as far as is known now; when they last ran they took 3 min 0 s, one after the other.",
        "",
        "Because",
        "  datasets.demo.train.epochs: 5 -> 9",
        "      train_round: unet on demo, round 0, fold 1",
        "",
        "And therefore",
        "      judge_round 1, choose_trial 1",
        "",
        "Known only when these have run; more jobs may follow, or fewer",
        "  whether another round follows, and which round's model is kept",
        "      judge_round: unet on demo, round 0, fold 1",
        "  which values models are trained with, and whether anew",
        "      choose_trial: unet on demo, round 0, fold 1",
    ]


def test_every_checkpoint_of_the_workflow_says_what_it_decides():
    rules = sorted(Path(__file__).parents[2].glob("workflow/rules/*.smk"))
    assert sorted(DECIDED) == sorted(
        name for path in rules for name in re.findall(r"^checkpoint (\w+):", path.read_text(), re.MULTILINE)
    )


def test_a_value_that_a_dataset_states_newly_is_told_once():
    old, new = {"datasets": {"demo": {"train": {}}}}, {"datasets": {"demo": {"train": {"epochs": 9}}}}
    recorded = PlannedJob("record_config", "report_pages.smk", "record_config.py", {"study": "s"},
                          {"values": json.dumps(new)}, frozenset(),
                          record=Record((json.dumps(old),), frozenset(), 1.0))  # fmt: skip
    changed = job(flags=with_flag("--epochs", "9"))
    found = [cause.text for cause, _ in explain([changed, recorded], CONFIG).causes]
    assert found == ["datasets.demo.train.epochs: 5 -> 9"]
    alone = [cause.text for cause, _ in explain([job(flags=FLAGS), recorded], CONFIG).causes]
    assert alone == ["datasets.demo.train.epochs: not set -> 9"]


def test_a_rule_and_its_count_stand_on_one_line():
    rules = [f"a_rule_of_19_char_{letter}" for letter in "bcdefgh"]  # three and a name fill a line of 90
    lines = told(explain([job(rule) for rule in rules], CONFIG))
    counts = lines[lines.index("And therefore") + 1 :]
    assert [word for line in counts for word in line.strip().rstrip(",").split(", ")] == [f"{rule} 1" for rule in rules]
