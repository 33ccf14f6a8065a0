"""Two tasks on one value, without protection and with it."""

from collections import Counter
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....contract import Run, Submission
from .. import crew
from ..models import Value
from ..report import Bar, Chart, Part, Span, Table, bars, in_seconds, lanes
from ..steps import Operation

START = 2
TASKS = (("+", 2), ("×", 5))
"""In the order in which they are submitted."""
RIGHT = (START + 2) * 5
OUTCOMES = (4, 10, 12, RIGHT)
"""What can come out: ×5 was erased; +2 was erased; both counted, in the wrong order; both counted, in order."""
MODES = {"off": (gettext_lazy("Protection off"), "bad"), "on": (gettext_lazy("Protection on"), "good")}


def run(run: Run, size: int) -> dict[str, Any]:
    """Both tasks at once on `size` values, first without a resource, then with one for each value.

    Returns for each mode how often each number came out, and one run: who read and wrote what, when (in seconds).
    """
    off = _all_pairs(run, size, "", (0, 50), "without_protection")
    return {"off": off, "on": _all_pairs(run, size, "lab:value:", (50, 100), "with_protection")}


def _all_pairs(run: Run, size: int, resource: str, share: crew.Share, what: str) -> dict[str, Any]:
    """resource: what the names of the values' resources begin with, "" for none.

    The names are the same in each run, so that the table of resources does not grow.
    """
    values = [Value.objects.create(number=START) for _ in range(size)]
    steps = [
        Submission(
            {"value": value.pk, "operation": operation, "operand": operand},
            f"{operation}{operand}",
            f"{resource}{number}" if resource else "",
        )
        for number, value in enumerate(values)
        for operation, operand in TASKS
    ]
    results = crew.do(run, Operation(), steps, share, what)
    finals = [value.number for value in Value.objects.filter(pk__in=[value.pk for value in values]).order_by("pk")]
    counts = Counter(finals)
    # A run that went wrong shows more than one that did not.
    shown = next((number for number, final in enumerate(finals) if final != RIGHT), 0)
    return {
        "counts": {str(number): counts[number] for number in sorted({*OUTCOMES, *counts})},
        "example": _timeline(results[2 * shown : 2 * shown + 2]),
    }


def _timeline(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The two tasks of one value, their moments from the first on."""
    first = min(result["read_at"] for result in results)
    return [
        {
            "task": f"{operation}{operand}",
            "read": result["read"],
            "wrote": result["wrote"],
            "read_at": round(result["read_at"] - first, 3),
            "wrote_at": round(result["wrote_at"] - first, 3),
        }
        for (operation, operand), result in zip(TASKS, results, strict=True)
    ]


def report(found: dict[str, Any]) -> list[Part]:
    """How often what came out, and the interleaving of one run of each mode."""
    size = sum(found["on"]["counts"].values())
    wrong, still_wrong = (size - found[mode]["counts"][str(RIGHT)] for mode in MODES)
    numbers = sorted({number for mode in MODES for number in found[mode]["counts"]}, key=int)
    counts = Part(
        _("What came out of 2, +2 and ×5"),
        [
            _(
                "In the order in which the tasks were submitted, (%(start)s + 2) × 5 = %(right)s. Without protection "
                "%(wrong)s of %(size)s runs ended with another number: both tasks had read the value before the other "
                "wrote, so the one that wrote last erased the other's work (4: ×5 was erased; 10: +2 was), or they "
                "came in the wrong order (12). With both tasks on one resource, %(still_wrong)s of %(size)s did."
            )
            % {"start": START, "right": RIGHT, "wrong": wrong, "size": size, "still_wrong": still_wrong}
        ],
        [_counts_chart(found, mode) for mode in MODES],
        [
            Table(
                _("How often each number came out"),
                ["", *numbers],
                [
                    [str(name), *(str(found[mode]["counts"].get(number, 0)) for number in numbers)]
                    for mode, (name, tone) in MODES.items()
                ],
            )
        ],
    )
    example = Part(
        _("One run of each, as it happened"),
        [_("Each bar begins where a task reads the value and ends where it writes its own.")],
        [_example_chart(found, mode) for mode in MODES],
        [
            Table(
                _("Who read and wrote what, when"),
                ["", _("Read"), _("at"), _("Wrote"), _("at")],
                [
                    [
                        f"{MODES[mode][0]}: {task['task']}",
                        str(task["read"]),
                        in_seconds(task["read_at"]),
                        str(task["wrote"]),
                        in_seconds(task["wrote_at"]),
                    ]
                    for mode in MODES
                    for task in found[mode]["example"]
                ],
            )
        ],
    )
    return [counts, example]


def _counts_chart(found: dict[str, Any], mode: str) -> Chart:
    counts = found[mode]["counts"]
    size = sum(counts.values())
    rows = [
        Bar(
            number,
            count,
            _("%(count)s of %(size)s") % {"count": count, "size": size},
            "good" if number == str(RIGHT) else "bad",
        )
        for number, count in counts.items()
    ]
    said = ", ".join(
        _("%(number)s came out %(count)s times") % {"number": number, "count": count}
        for number, count in counts.items()
    )
    return bars(str(MODES[mode][0]), _("Of %(size)s runs: %(said)s.") % {"size": size, "said": said}, rows)


def _example_chart(found: dict[str, Any], mode: str) -> Chart:
    name, tone = MODES[mode]
    tasks = found[mode]["example"]
    seconds = max(task["wrote_at"] for other in MODES for task in found[other]["example"])
    rows = [
        (
            "",
            [
                Span(
                    task["read_at"],
                    task["wrote_at"],
                    tone,
                    _("%(task)s reads %(read)s") % task,
                    _("%(task)s writes %(wrote)s") % task,
                )
            ],
        )
        for task in tasks
    ]
    said = "; ".join(
        _("%(task)s read %(read)s after %(read_at)s and wrote %(wrote)s after %(wrote_at)s")
        % {**task, "read_at": in_seconds(task["read_at"]), "wrote_at": in_seconds(task["wrote_at"])}
        for task in tasks
    )
    return lanes(_("%(mode)s: one run") % {"mode": name}, f"{said}.", rows, seconds)
