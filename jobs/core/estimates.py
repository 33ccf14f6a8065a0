"""How long jobs of a kind usually take, from those that were done lately; no guess where they tell nothing."""

from collections import defaultdict

from django.core.cache import cache
from django.utils.translation import gettext as _

from ..models import Job, Status
from .short_cache import for_a_moment

WINDOW = 1000
"""The newest finished jobs, of all kinds, from which the estimates are made."""
ENOUGH = 5
"""Jobs of a kind without which nothing is said about it."""
WIDEST = 5
"""If slow ones take longer than so many times what quick ones take, a range would tell nobody anything."""
FRESH = 60
"""Seconds for which the estimates of all kinds hold."""

Range = tuple[int, int]
"""From and to, in seconds: four of five jobs took less than the second, four of five more than the first."""


@for_a_moment
def usual() -> dict[str, Range]:
    """How long jobs run, by kind: only of those of which that can be said, and which are worth waiting for."""
    return cache.get_or_set("usual", _ranges, FRESH) or {}


def words(span: Range) -> str:
    """A range as people say it: "20–40 s", "about 3 min"."""
    low, high = span
    in_minutes = high >= 120
    low, high = (max(1, round(end / (60 if in_minutes else 1))) for end in span)
    numbers = {"low": low, "high": high}
    if low == high:
        return (_("about %(high)s min") if in_minutes else _("about %(high)s s")) % numbers
    return (_("%(low)s–%(high)s min") if in_minutes else _("%(low)s–%(high)s s")) % numbers


def _ranges() -> dict[str, Range]:
    newest = Job.objects.filter(finished_at__isnull=False).order_by("-finished_at")[:WINDOW]
    took: defaultdict[str, list[float]] = defaultdict(list)
    for kind, status, started_at, finished_at in newest.values_list("kind", "status", "started_at", "finished_at"):
        if status == Status.SUCCEEDED and started_at and finished_at:
            took[kind].append((finished_at - started_at).total_seconds())
    found = {kind: _range(sorted(seconds)) for kind, seconds in took.items() if len(seconds) >= ENOUGH}
    return {kind: span for kind, span in found.items() if 2 <= span[1] <= WIDEST * max(span[0], 1)}


def _range(seconds: list[float]) -> Range:
    last = len(seconds) - 1
    return _rounded(seconds[last // 5]), _rounded(seconds[last - last // 5])


def _rounded(seconds: float) -> int:
    step = 1 if seconds < 10 else 5 if seconds < 120 else 60
    return round(seconds / step) * step
