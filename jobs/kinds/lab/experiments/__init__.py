"""The three experiments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.contract import Run
from jobs.kinds.lab.experiments import locks, offload, race
from jobs.kinds.lab.report import Part


@dataclass(frozen=True)
class Experiment:
    """One of them: how it is told about, its bounds, what it does and what it shows.

    things: what its size counts. run: has it done; returns figures as JSON data. report: what they say.
    needs_network: it calls the practice network.
    """

    name: str
    label: str
    question: str
    things: str
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
            "Race",
            "Two jobs change the same value at the same moment: +2 and ×5, on a 2. What comes out, with protection "
            "off and on?",
            "repetitions",
            1,
            20,
            100,
            race.run,
            race.report,
        ),
        Experiment(
            "locks",
            "One lock for all, or one for each",
            "Jobs compute on several values. What do they gain from a lock for each value over one lock for all, and "
            "what do they lose without any? And why processes, not threads?",
            "values",
            2,
            4,
            8,
            locks.run,
            locks.report,
        ),
        Experiment(
            "offload",
            "Inside the request, or behind the queue",
            "Visitors need a call to a slow API. How long do they, and everybody else, wait for an answer if the view "
            "makes the call, and if it queues a job?",
            "visitors",
            10,
            80,
            100,
            offload.run,
            offload.report,
            needs_network=True,
        ),
    )
}
