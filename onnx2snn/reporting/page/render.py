"""Facts and pictures as one HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from onnx2snn.reporting.facts import Report
from onnx2snn.reporting.page.lists import (
    about,
    activity,
    at_a_glance,
    comparison,
    latency,
    no_curve,
    raster_caption,
    robustness,
    work,
)
from onnx2snn.reporting.pictures import PICTURES
from onnx2snn.reporting.pictures.errors import ran_alone
from onnx2snn.reporting.words import clean, grouped, joule

if TYPE_CHECKING:
    from markupsafe import Markup

OPTION = re.compile(r"(?<!\S)(--[a-z][a-z-]*(?: [\w.-]*[\w])?)")
SECTIONS = (
    ("glance", "At a glance"),
    ("conversion", "What was converted"),
    ("certificate", "Certificate"),
    ("time", "Accuracy over time"),
    ("layers", "Layer by layer"),
    ("cores", "Cores"),
    ("energy", "Operations and energy"),
    ("sample", "One sample"),
)
MARKS = {"exact": "✓", "bounded": "≈", "analog": "~"}


def _options(text: str) -> Markup:
    """The text, its command-line options kept on one line."""
    from markupsafe import Markup, escape

    return Markup(OPTION.sub(r"<code>\1</code>", str(escape(text))))


def render(facts: Report, pictures: Mapping[str, str]) -> str:
    """The page; `pictures` by name, as <svg> elements."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    room = files(__package__ or "")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"grouped": grouped, "joule": joule, "options": _options}
    template = environment.from_string((room / "report.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        facts=facts,
        css=Markup((room / "report.css").read_text(encoding="utf-8")),
        pictures={name: Markup(svg) for name, svg in pictures.items()},
        titles={picture.name: picture.title for picture in PICTURES},
        sections=[part for part in SECTIONS if part[0] != "cores" or facts.placement is not None],
        marks=MARKS,
        cards=at_a_glance(facts),
        about=about(facts),
        latency=latency(facts),
        robustness=robustness(facts),
        work=work(facts),
        no_curve=no_curve(facts),
        advice=[layer.difference.advice for layer in facts.layers if layer.difference and layer.difference.advice],
        bounded=any(op.exactness == "bounded" for op in facts.certificate),
        activity=activity(facts),
        comparison=comparison(facts),
        ran_alone=ran_alone(facts),
        raster_caption=raster_caption(facts),
    )
    return clean(page)
