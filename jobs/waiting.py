"""Why a pending job is not running yet, in words and as data. Derived when asked for, never stored."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from jobs.models import Job, Status, Worker

MANY = 1000
"""Counting stops here: "more than 1,000 jobs" is as good for a person, and costs the same however long the line is."""


@dataclass(frozen=True)
class Wait:
    """Why a job waits.

    reason: a stable word (scheduled, retry, turn, held, no_worker, queue). text: one sentence for the owner.
    until: when it is over, if that is known. ahead: how many jobs come first, if that is known (counted up to MANY).
    """

    reason: str
    text: str
    until: datetime | None = None
    ahead: int | None = None


def wait_of(job: Job) -> Wait | None:
    """What the job waits for; None unless it is pending."""
    if job.status != Status.PENDING:
        return None
    if job.run_at > timezone.now():
        return _for_its_time(job)
    if not job.has_turn:
        return _for_its_turn(job)
    if not Worker.objects.alive().filter(role=job.role).exists():
        return Wait("no_worker", "No worker is running for this just now. It starts as soon as one is back.")
    ahead = Job.objects.runnable().filter(role=job.role, run_at__lt=job.run_at)[:MANY].count()
    return Wait(
        "queue", f"Waits for a free worker, behind {_count(ahead)}." if ahead else "Starts in a moment.", ahead=ahead
    )


def _for_its_time(job: Job) -> Wait:
    when = _when(job.run_at)
    if job.error_code:
        text = f"Attempt {job.attempt + 1} of {job.max_attempts} starts {when}. {job.error_text}"
        return Wait("retry", text, until=job.run_at)
    return Wait("scheduled", f"Starts {when}.", until=job.run_at)


def _for_its_turn(job: Job) -> Wait:
    ahead = Job.objects.unfinished().filter(resource=job.resource, position__lt=job.position)[:MANY].count()
    if Job.objects.holding().filter(resource=job.resource).exists():
        text = (
            "Held: an earlier job on the same object failed. It waits until that one is retried, skipped or cancelled."
        )
        return Wait("held", text, ahead=ahead)
    return Wait("turn", f"Waits behind {_count(ahead)} on the same object.", ahead=ahead)


def _count(jobs: int) -> str:
    if jobs >= MANY:
        return f"more than {MANY:,} jobs"
    return "1 job" if jobs == 1 else f"{jobs} jobs"


def _when(moment: datetime) -> str:
    """A moment in the current time zone, with the day only if it is not today."""
    local = timezone.localtime(moment)
    day = "" if local.date() == timezone.localdate() else f"on {date_format(local, 'j F')} "
    return f"{day}at {date_format(local, 'H:i:s')} {local.tzname()}"
