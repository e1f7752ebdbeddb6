"""Filling templates with values from the data, which stay text whatever they hold; how numbers are written."""

import math
import re
import textwrap
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

LONGEST_LINE = 4000  # docutils refuses lines beyond 10,000 characters


def render(template: Path, **values: object) -> str:
    """Fill the page's template; every value is escaped unless the template says otherwise."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "breakable": breakable,
        "number": number,
        "p": p_value,
        "significant": significant,
        "duration": duration,
    }
    return environment.get_template(template.name).render(**values)


def restructured(title: str, page: str) -> str:
    """Wrap HTML as the reStructuredText that Snakemake shows first in its report.

    Snakemake renders that text through jinja2 once more and puts it into a script: braces that would start an
    expression become entities, and the page may not end a script or open a comment.
    """
    assert "</script" not in page.lower() and "<!--" not in page
    safe = re.sub(r"\{(?=[{%#])", "&#123;", page)
    safe = "\n".join(map(broken, safe.split("\n")))
    heading = re.sub(r"([^\w\s]|_)", r"\\\1", " ".join(title.split()))
    return f"{heading}\n{'=' * max(4, 2 * len(heading))}\n\n.. raw:: html\n\n{textwrap.indent(safe, '   ')}\n"


def broken(line: str) -> str:
    """Break a line that docutils would refuse at spaces: in HTML, also in an attribute, a break is a space."""
    if len(line) <= LONGEST_LINE:
        return line
    return re.sub(rf"(.{{{LONGEST_LINE}}}\S*) ", r"\1\n", line)


def breakable(name: str) -> Markup:
    """A name as escaped HTML that may break into lines after its underscores.

    >>> str(breakable("unet_<small>"))
    'unet_<wbr>&lt;small&gt;'
    """
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def number(value: float | None, signed: bool = False) -> str:
    """A score as text: three decimals, a true minus sign, "undefined" for None."""
    if value is None:
        return "undefined"
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def p_value(value: float | None) -> str:
    """A p value as text, for a sentence.

    >>> p_value(0.0312), p_value(0.00004), p_value(1.0), p_value(None)
    ('p = 0.031', 'p < 0.001', 'p = 1', 'no p')
    """
    if value is None:
        return "no p"
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def significant(value: float | None) -> str:
    """A measured quantity with three significant digits and no exponent, "not known" for None.

    >>> significant(0.012345), significant(1234567.0), significant(7.0), significant(None)
    ('0.0123', '1,230,000', '7', 'not known')
    """
    if value is None:
        return "not known"
    if not value:
        return "0"
    decimals = 2 - math.floor(math.log10(abs(value)))
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float | None) -> str:
    """A time in the two largest units that it fills, "not known" for None.

    >>> duration(9.25), duration(93.0), duration(3725.0), duration(200000.0), duration(None)
    ('9.25 s', '1 min 33 s', '1 h 2 min', '2 d 7 h', 'not known')
    """
    if seconds is None:
        return "not known"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])
