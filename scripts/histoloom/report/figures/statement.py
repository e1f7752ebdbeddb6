"""A picture that says why there is nothing to draw: a report keeps its place for it."""

from matplotlib.figure import Figure

from histoloom.report.figures.style import MUTED, house_style

LETTER_IN, MARGIN_IN, HEIGHT_IN = 0.082, 0.6, 0.7


def statement(text: str) -> Figure:
    """One line of text, as wide as it needs."""
    with house_style():
        figure = Figure(figsize=(LETTER_IN * len(text) + MARGIN_IN, HEIGHT_IN))
        figure.text(0.5, 0.5, text, ha="center", va="center", color=MUTED)
    return figure
