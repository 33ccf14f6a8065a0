"""What a run of the lab found, ready to be shown: sentences, tables, and charts as shapes that a template draws as SVG.

A chart is as wide as the page gives it: places and widths along it are percentages, heights and letters are pixels, so
that it is as legible on a telephone as on a large screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

LINE = 20
"""Pixels from one line of a chart to the next."""
BAR = 14
"""Height of a bar in pixels."""


@dataclass(frozen=True)
class Rectangle:
    """A bar. x, width: such as "12.50%"; y, height: pixels; tone: the CSS class that colours it."""

    x: str
    y: int
    width: str
    height: int
    tone: str


@dataclass(frozen=True)
class Label:
    """A text. x: such as "12.50%"; y: of its base line, pixels; anchor: SVG's text-anchor; tone: a CSS class."""

    x: str
    y: int
    text: str
    anchor: str = "start"
    tone: str = "label"


@dataclass
class Chart:
    """A drawing of `height` pixels. title, description: the same in words, for those who can't see it."""

    title: str
    description: str
    height: int = 0
    rectangles: list[Rectangle] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """The figures. Each row begins with its name."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Part:
    """One thing that was found. sentences: what it means."""

    heading: str
    sentences: Sequence[str]
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart: its length, the number in words, and its tone (good, bad, accent)."""

    name: str
    length: float
    text: str
    tone: str


@dataclass(frozen=True)
class Span:
    """A stretch of time in seconds, what is written where it begins and where it ends, and its tone."""

    start: float
    end: float
    tone: str
    begins: str = ""
    ends: str = ""


def bars(title: str, description: str, rows: Sequence[Bar]) -> Chart:
    """Horizontal bars below each other, the longest as wide as the chart."""
    chart = Chart(title, description)
    longest = max((row.length for row in rows), default=0) or 1
    for row in rows:
        chart.labels.append(Label("0%", chart.height + BAR, row.name))
        chart.labels.append(Label("100%", chart.height + BAR, row.text, "end", "figure"))
        for width, tone in ((100.0, "track"), (100 * row.length / longest, row.tone)):
            chart.rectangles.append(Rectangle("0%", chart.height + LINE, _percent(width), BAR, tone))
        chart.height += 2 * LINE + 4
    return chart


def lanes(title: str, description: str, rows: Sequence[tuple[str, Sequence[Span]]], seconds: float) -> Chart:
    """Time from left to right, 0 to `seconds`: a lane for each name, with its spans.

    Spans that overlap in time are drawn over each other, every other one a little lower.
    """
    chart = Chart(title, description)
    for name, spans in rows:
        if name:
            chart.labels.append(Label("0%", chart.height + BAR, name))
            chart.height += LINE
        if any(span.begins for span in spans):
            chart.labels += [_beside(span.start / seconds, chart.height + BAR, span.begins) for span in spans]
            chart.height += LINE
        for number, span in enumerate(sorted(spans, key=lambda span: span.start)):
            x, width = 100 * span.start / seconds, 100 * (span.end - span.start) / seconds
            lower = 5 * (number % 2) if len(spans) > 1 else 0
            chart.rectangles.append(
                Rectangle(_percent(x), chart.height + lower, _percent(max(width, 0.4)), BAR, f"span {span.tone}")
            )
        chart.height += LINE + 4
        if any(span.ends for span in spans):
            chart.labels += [_beside(span.end / seconds, chart.height + 8, span.ends) for span in spans]
            chart.height += LINE
    chart.rectangles.append(Rectangle("0%", chart.height, "100%", 1, "axis"))
    chart.labels.append(Label("0%", chart.height + LINE, "0", tone="scale"))
    chart.labels.append(Label("100%", chart.height + LINE, in_seconds(seconds), "end", "scale"))
    chart.height += LINE + 8
    return chart


def in_seconds(seconds: float) -> str:
    """A duration for people: "85 ms", "1.25 s"."""
    return _("%.0f ms") % (seconds * 1000) if seconds < 1 else _("%.2f s") % seconds


def _beside(share: float, y: int, text: str) -> Label:
    """A text that begins at a place of the left half, or ends at one of the right half."""
    return Label(_percent(100 * share), y, text, "start" if share < 0.5 else "end")


def _percent(number: float) -> str:
    return f"{number:.2f}%"
