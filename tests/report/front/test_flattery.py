"""A dataset whose folds part groups says so first, and by how much that flatters where the honest one stands beside."""

from histoloom.report.front.flattery import with_flattery
from histoloom.report.front.front_page import section
from tests.report.report_values import description, score

HEADLINE = ("dice", "foreground")
PARTED = {"severity": "warning", "kind": "groups_parted", "subject": "folds", "message": "4 of 4 tests leak"}


def one(name, mean, findings=(), digest="same", radius=20):
    about = description(name, has_instances=True, warnings=(), facts={"radius_px": radius})
    scores = [score("unet", mean), score("otsu", 0.4, "baseline")]
    return section(about, scores, [], HEADLINE, findings=findings, digest=digest)


def told(*sections):
    return [[notice.message for notice in each.notices if notice.kind == "leaks"] for each in with_flattery(sections)]


def test_the_leak_stands_with_its_amount_beside_the_honest_split():
    honest, leaking = told(one("whole", 0.55), one("image_wise", 0.625, [PARTED]))
    assert honest == []
    assert leaking == [
        "Against whole, the same images with groups kept whole: unet has dice 0.625 here, 0.550 there, "
        "a difference of +0.075.",
        "folds: 4 of 4 tests leak",
    ]


def test_other_images_other_truth_and_undefined_scores_are_not_compared():
    leaking = one("image_wise", 0.625, [PARTED])
    for other in (one("whole", 0.55, digest="other"), one("whole", 0.55, radius=9), one("whole", None)):
        assert told(other, leaking) == [[], ["folds: 4 of 4 tests leak"]]


def test_two_leaking_splits_are_not_compared_with_each_other():
    assert told(one("a", 0.6, [PARTED]), one("b", 0.7, [PARTED])) == [["folds: 4 of 4 tests leak"]] * 2


def test_a_leak_is_graver_than_all_else():
    found = section(
        description(has_instances=False), [score("unet", 0.5)], [], HEADLINE, findings=[PARTED], diverged={"unet": "0"}
    )
    assert [notice.kind for notice in found.notices][:2] == ["leaks", "diverged"]
    assert found.findings == ()
