"""Computing on several values: one lock for all of them, one for each, and none; and threads against processes."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....contract import Run, Submission
from .. import crew
from ..models import Value
from ..report import Bar, Chart, Part, Span, Table, bars, in_seconds, lanes
from ..sentences import SENTENCES
from ..steps import Addition, Comparison

OPERATIONS = 3
"""Additions to each value."""
MODES = {
    "global": (SENTENCES["lock_global"], "wait"),
    "each": (SENTENCES["lock_each"], "good"),
    "none": (SENTENCES["lock_none"], "bad"),
}
WAYS = {
    "sequence": gettext_lazy("One after another"),
    "threads": gettext_lazy("On threads of one process"),
    "processes": gettext_lazy("In processes"),
}
QUIET = 0.8
"""Cores that one thread keeps busy, at least, on a machine that has them to spare."""
GIL = (
    gettext_lazy(
        "A global interpreter lock lets only one thread of a Python process compute at a time: however many threads "
        "there are, they take turns on one core."
    ),
    gettext_lazy("Processes have an interpreter and a lock each, so they compute side by side on all cores."),
    gettext_lazy(
        "That is why what computes here runs in processes, and only what waits (for a mail server, for an API) on "
        "threads: a thread that waits lets go of the lock."
    ),
)
DISTURBED = gettext_lazy(
    "While this was measured the machine was busy with other work, so all of it took longer than it would on a quiet "
    "one, and fewer cores were to be had: compare the rows with each other, and run it again later."
)


def run(run: Run, size: int) -> dict[str, Any]:
    """The same additions to `size` values in each mode, and the comparison of threads and processes.

    Returns for each mode the seconds from the first read to the last write (wall), the processor seconds of its jobs
    (cpu), how many values are right, how many jobs were between reading and writing at once, on all values and on one
    (together, on_one), and each job's value and stretch of time.
    """
    resources = {"global": "lab:all", "each": "lab:value:{}", "none": ""}
    found: dict[str, Any] = {}
    for number, (mode, resource) in enumerate(resources.items()):
        share = (30.0 * number, 30.0 * (number + 1))
        found[mode] = _additions(run, size, resource, share, f"lock_{mode}")
    (found["comparison"],) = crew.do(run, Comparison(), [Submission({}, "Comparison")], (90, 100), "comparison")
    return found


def _additions(run: Run, size: int, resource: str, share: crew.Share, what: str) -> dict[str, Any]:
    """resource: the name of a value's resource, with {} for its number; "" for none."""
    values = [Value.objects.create(number=0) for _ in range(size)]
    steps = [
        Submission({"value": value.pk, "seed": seed}, f"Addition to {number + 1}", resource.format(number))
        for number, value in enumerate(values)
        for seed in range(OPERATIONS)
    ]
    results = crew.do(run, Addition(), steps, share, what)
    first = min(result["read_at"] for result in results)
    jobs = [
        {"value": index // OPERATIONS, "start": result["read_at"] - first, "end": result["wrote_at"] - first}
        for index, result in enumerate(results)
    ]
    # The same for all values, since each has the same seeds.
    expected = sum(result["wrote"] - result["read"] for result in results[:OPERATIONS])
    return {
        "wall": max(job["end"] for job in jobs),
        "cpu": sum(result["cpu"] for result in results),
        "right": Value.objects.filter(pk__in=[value.pk for value in values], number=expected).count(),
        "together": _most_at_once(jobs),
        "on_one": max(_most_at_once([job for job in jobs if job["value"] == value]) for value in range(size)),
        "jobs": [{name: round(number, 3) for name, number in job.items()} for job in jobs],
    }


def _most_at_once(jobs: list[dict[str, Any]]) -> int:
    """How many of the jobs' stretches of time share a moment. One that begins when another ends shares none with it."""
    at_start = [[other["start"] <= job["start"] < other["end"] for other in jobs].count(True) for job in jobs]
    return max(at_start)


def report(found: dict[str, Any]) -> list[Part]:
    """The modes as they ran, and threads against processes."""
    size = 1 + max(job["value"] for job in found["each"]["jobs"])
    comparison = found["comparison"]
    locks = Part(
        _("The same work under three kinds of lock"),
        [
            _(
                "%(jobs)s jobs on each of %(size)s values, on a machine with %(cores)s cores. Each job reads its "
                "value, computes, and writes the sum."
            )
            % {"jobs": OPERATIONS, "size": size, "cores": comparison["cores"]},
            _(
                "One lock for all keeps the values right and leaves the other cores idle. No lock uses them and loses "
                "what jobs on the same value write over. One lock for each value does both: right, and side by side."
            ),
            *([] if _busy(comparison["sequence"]) >= QUIET else [str(DISTURBED)]),
        ],
        [_modes_chart(found, mode, size) for mode in MODES],
        [
            Table(
                _("Time, cores and values"),
                [
                    "",
                    _("Time"),
                    _("Processor time"),
                    _("Cores kept busy"),
                    _("Right values"),
                    _("Jobs at once"),
                    _("on one value"),
                ],
                [_modes_row(found[mode], str(name), size) for mode, (name, tone) in MODES.items()],
            )
        ],
    )
    threads = Part(
        _("Threads of one process, and processes"),
        [str(sentence) for sentence in GIL],
        [
            bars(
                _("%(tasks)s tasks that compute") % {"tasks": comparison["tasks"]},
                " ".join(f"{name}: {in_seconds(comparison[way]['wall'])}." for way, name in WAYS.items()),
                [
                    Bar(
                        str(name),
                        comparison[way]["wall"],
                        in_seconds(comparison[way]["wall"]),
                        "good" if way == "processes" else "accent",
                    )
                    for way, name in WAYS.items()
                ],
            )
        ],
        [
            Table(
                _("The same tasks three ways"),
                ["", _("Time"), _("Processor time"), _("Cores kept busy")],
                [
                    [str(name), in_seconds(way["wall"]), in_seconds(way["cpu"]), f"{_busy(way):.2f}"]
                    for way, name in ((comparison[way], name) for way, name in WAYS.items())
                ],
            )
        ],
    )
    return [locks, threads]


def _busy(measured: dict[str, Any]) -> float:
    """How many cores were kept busy, on the average."""
    cores: float = measured["cpu"] / measured["wall"]
    return cores


def _modes_row(mode: dict[str, Any], name: str, size: int) -> list[str]:
    return [
        name,
        in_seconds(mode["wall"]),
        in_seconds(mode["cpu"]),
        f"{_busy(mode):.2f}",
        _("%(count)s of %(size)s") % {"count": mode["right"], "size": size},
        str(mode["together"]),
        str(mode["on_one"]),
    ]


def _modes_chart(found: dict[str, Any], mode: str, size: int) -> Chart:
    name, tone = MODES[mode]
    jobs = found[mode]["jobs"]
    seconds = max(found[other]["wall"] for other in MODES)
    rows = [
        (
            _("Value %(number)s") % {"number": value + 1},
            [Span(job["start"], job["end"], tone) for job in jobs if job["value"] == value],
        )
        for value in range(size)
    ]
    said = _("%(jobs)s jobs took %(time)s; at most %(together)s ran at once, %(on_one)s on one value.") % {
        "jobs": len(jobs),
        "time": in_seconds(found[mode]["wall"]),
        "together": found[mode]["together"],
        "on_one": found[mode]["on_one"],
    }
    return lanes(str(name), said, rows, seconds)
