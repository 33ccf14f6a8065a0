"""Two tasks on one value, without protection and with it."""

from collections import Counter
from typing import Any

from jobs.contract import Run, Submission
from jobs.kinds.lab import crew
from jobs.kinds.lab.models import Value
from jobs.kinds.lab.report import Bar, Chart, Part, Span, Table, bars, in_seconds, lanes
from jobs.kinds.lab.steps import Operation

START = 2
TASKS = (("+", 2), ("×", 5))
"""In the order in which they are submitted."""
RIGHT = (START + 2) * 5
OUTCOMES = (4, 10, 12, RIGHT)
"""What can come out: ×5 was erased; +2 was erased; both counted, in the wrong order; both counted, in order."""
MODES = {"off": ("Protection off", "bad"), "on": ("Protection on", "good")}


def run(run: Run, size: int) -> dict[str, Any]:
    """Both tasks at once on `size` values, first without a resource, then with one for each value.

    Returns for each mode how often each number came out, and one run: who read and wrote what, when (in seconds).
    """
    off = _all_pairs(run, size, "", (0, 50), "Without protection")
    return {"off": off, "on": _all_pairs(run, size, "lab:value:", (50, 100), "With protection")}


def _all_pairs(run: Run, size: int, resource: str, share: crew.Share, text: str) -> dict[str, Any]:
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
    results = crew.do(run, Operation(), steps, share, text)
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
        "What came out of 2, +2 and ×5",
        [
            f"In the order in which the tasks were submitted, ({START} + 2) × 5 = {RIGHT}. Without protection "
            f"{wrong} of {size} runs ended with another number: both tasks had read the value before the other wrote, "
            "so the one that wrote last erased the other's work (4: ×5 was erased; 10: +2 was), or they came in the "
            f"wrong order (12). With both tasks on one resource, {still_wrong} of {size} did."
        ],
        [_counts_chart(found, mode) for mode in MODES],
        [
            Table(
                "How often each number came out",
                ["", *numbers],
                [
                    [name, *(str(found[mode]["counts"].get(number, 0)) for number in numbers)]
                    for mode, (name, _) in MODES.items()
                ],
            )
        ],
    )
    example = Part(
        "One run of each, as it happened",
        ["Each bar begins where a task reads the value and ends where it writes its own."],
        [_example_chart(found, mode) for mode in MODES],
        [
            Table(
                "Who read and wrote what, when",
                ["", "Read", "at", "Wrote", "at"],
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
    name, _ = MODES[mode]
    counts = found[mode]["counts"]
    size = sum(counts.values())
    rows = [
        Bar(f"{number}", count, f"{count} of {size}", "good" if number == str(RIGHT) else "bad")
        for number, count in counts.items()
    ]
    said = ", ".join(f"{number} came out {count} times" for number, count in counts.items())
    return bars(name, f"Of {size} runs: {said}.", rows)


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
                    f"{task['task']} reads {task['read']}",
                    f"{task['task']} writes {task['wrote']}",
                )
            ],
        )
        for task in tasks
    ]
    said = "; ".join(
        f"{task['task']} read {task['read']} after {in_seconds(task['read_at'])} "
        f"and wrote {task['wrote']} after {in_seconds(task['wrote_at'])}"
        for task in tasks
    )
    return lanes(f"{name}: one run", f"{said}.", rows, seconds)
