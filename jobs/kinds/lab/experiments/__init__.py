"""The three experiments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from ....contract import Run, Text
from ..report import Part
from . import locks, offload, race


@dataclass(frozen=True)
class Experiment:
    """One of them: how it is told about, its bounds, what it does and what it shows.

    things: what its size counts. run: has it done; returns figures as JSON data. report: what they say.
    needs_network: it calls the practice network.
    """

    name: str
    label: Text
    question: Text
    things: Text
    smallest: int
    usual: int
    largest: int
    run: Callable[[Run, int], dict[str, Any]]
    report: Callable[[dict[str, Any]], list[Part]]
    needs_network: bool = False


ALL = {
    one.name: one
    for one in (
        Experiment(
            "race",
            gettext_lazy("Race"),
            gettext_lazy(
                "Two jobs change the same value at the same moment: +2 and ×5, on a 2. What comes out, with protection "
                "off and on?"
            ),
            gettext_lazy("repetitions"),
            1,
            20,
            100,
            race.run,
            race.report,
        ),
        Experiment(
            "locks",
            gettext_lazy("One lock for all, or one for each"),
            gettext_lazy(
                "Jobs compute on several values. What do they gain from a lock for each value over one lock for all, "
                "and what do they lose without any? And why processes, not threads?"
            ),
            gettext_lazy("values"),
            2,
            4,
            8,
            locks.run,
            locks.report,
        ),
        Experiment(
            "offload",
            gettext_lazy("Inside the request, or behind the queue"),
            gettext_lazy(
                "Visitors need a call to a slow API. How long do they, and everybody else, wait for an answer if the "
                "view makes the call, and if it queues a job?"
            ),
            gettext_lazy("visitors"),
            10,
            80,
            100,
            offload.run,
            offload.report,
            needs_network=True,
        ),
    )
}
