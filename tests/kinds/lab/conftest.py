"""Asking for runs as the form does, and runs that are over without their workers."""

from typing import Any

from django.contrib.auth.models import User

from jobs.core import lifecycle
from jobs.kinds.lab.forms import LabForm
from jobs.kinds.lab.kind import LabKind
from jobs.models import Job
from tests.processes import wait_until


def form(owner: User, experiment: str, size: Any = None) -> LabForm:
    """The form as it was filled in."""
    return LabForm({"experiment": experiment, "size": size}, owner=owner)


def accepted(owner: User, experiment: str, size: int) -> Job:
    """The job of a run."""
    filled = form(owner, experiment, size)
    assert filled.is_valid(), filled.errors
    (job,) = lifecycle.submit(LabKind(), filled.submissions(), owner=owner).jobs
    return job


def over(job: Job, seconds: float = 180) -> Job:
    """The job once it has its outcome."""

    def finished() -> bool:
        job.refresh_from_db()
        return job.is_finished

    wait_until(finished, seconds, "the run is over")
    return job


def found_by(job: Job) -> dict[str, Any]:
    """What a run that succeeded found."""
    over(job)
    assert job.status == "succeeded", job.error_text
    assert job.result
    found: dict[str, Any] = job.result["found"]
    return found


def succeeded(owner: User, experiment: str) -> Job:
    """A run with figures as a run leaves them."""
    job = accepted(owner, experiment, SIZES[experiment])
    running = lifecycle.start(job.pk, "a worker")
    assert running
    lifecycle.succeed(running, {"experiment": experiment, "size": SIZES[experiment], "found": FOUND[experiment]})
    job.refresh_from_db()
    return job


def _task(name: str, read: int, wrote: int, read_at: float, wrote_at: float) -> dict[str, Any]:
    return {"task": name, "read": read, "wrote": wrote, "read_at": read_at, "wrote_at": wrote_at}


def _mode(wall: float, right: int, together: int, on_one: int) -> dict[str, Any]:
    jobs = [
        {"value": 0, "start": 0.0, "end": wall / 2},
        {"value": 1, "start": wall / 4, "end": wall},
    ]
    return {"wall": wall, "cpu": 3.0, "right": right, "together": together, "on_one": on_one, "jobs": jobs}


def _times(count: int, median: float | None) -> dict[str, Any]:
    return {"count": count, "median": median, "p95": median, "p99": median}


SIZES = {"race": 3, "locks": 2, "offload": 10}
FOUND: dict[str, dict[str, Any]] = {
    "race": {
        "off": {
            "counts": {"4": 1, "10": 1, "12": 0, "20": 1},
            "example": [_task("+2", 2, 4, 0, 0.1), _task("×5", 2, 10, 0.01, 0.05)],
        },
        "on": {
            "counts": {"4": 0, "10": 0, "12": 0, "20": 3},
            "example": [_task("+2", 2, 4, 0, 0.1), _task("×5", 4, 20, 0.11, 0.2)],
        },
    },
    "locks": {
        "global": _mode(3.1, 2, 1, 1),
        "each": _mode(1.6, 2, 2, 1),
        "none": _mode(1.5, 0, 2, 2),
        "comparison": {
            "tasks": 2,
            "cores": 2,
            "sequence": {"wall": 1.0, "cpu": 1.0},
            "threads": {"wall": 1.1, "cpu": 1.1},
            "processes": {"wall": 0.55, "cpu": 1.05},
        },
    },
    "offload": {
        "api": 1.0,
        "seconds": 3.0,
        "waits": {**_times(9, 1.7), "visitors": 10, "others": _times(0, None)},
        "queues": {**_times(10, 0.01), "visitors": 10, "others": _times(80, 0.005), "outcome": _times(10, 1.02)},
    },
}
"""Figures of a run of each experiment."""
