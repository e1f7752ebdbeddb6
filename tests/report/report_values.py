"""Scores, differences and descriptions as tests of the front page need them."""

from histoloom.prepared import Description
from histoloom.report.front.verdict import Difference, Score

HOSTILE = "<script>alert(1)</script> {{ 7*7 }} {% raw %} {# <!-- --> \"\u2028 x'"


def score(architecture, mean, kind="model", groups=12, metric="dice", class_name="foreground", images=40):
    low, high = (None, None) if mean is None else (mean - 0.05, mean + 0.05)
    return Score(architecture, kind, metric, class_name, mean, low, high, images, groups, "overlap of each image")


def difference(first, second, low, high, groups=12, p_holm=0.001, pairs=1):
    middle = None if low is None else (low + high) / 2
    return Difference(first, second, middle, low, high, 40, groups, p_holm, pairs)


SCORES = [score("a", 0.7), score("b", 0.6), score("otsu", 0.4, "baseline")]


def description(name="ds", **values):
    usual = {
        "name": name,
        "reader": "pannuke",
        "classes": ("background", name),
        "has_instances": False,
        "licence": name,
        "citation": name,
        "facts": {name: name},
        "warnings": (f"warning {name}",),
    }
    return Description(**usual | values)
