"""Why a pending job is not running yet, in words and as data. Derived when asked for, never stored."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format

from jobs.models import TURN_ON_A_RESOURCE, Job, Resource, Status, Worker

MANY = 1000
"""Counting stops here: "more than 1,000 jobs" is as good for a person, and costs the same however long the line is."""

A_MOMENT = timedelta(seconds=5)
"""Within this time of being due a job is expected to start; later its worker is busy, or Redis is away."""


@dataclass(frozen=True)
class Wait:
    """Why a job waits.

    reason: a stable word (scheduled, retry, after, turn, on_hold, held, no_worker, queue). text: one sentence for the
    owner.
    until: when it is over, if that is known. ahead: how many jobs come first, if that is known (counted up to MANY).
    """

    reason: str
    text: str
    until: datetime | None = None
    ahead: int | None = None


def wait_of(job: Job) -> Wait | None:
    """What the job waits for; None unless it is pending."""
    return waits_of([job]).get(job.pk)


def waits_of(jobs: Iterable[Job]) -> dict[UUID, Wait]:
    """What each pending one of the jobs waits for. What they have in common is asked once for all of them."""
    now = timezone.now()
    pending = [job for job in jobs if job.status == Status.PENDING]
    scheduled = [job for job in pending if job.run_at > now]
    following = [job for job in pending if job.run_at <= now and job.after_id]
    behind = [job for job in pending if job.run_at <= now and not job.has_turn and not job.after_id]
    due = [job for job in pending if job.run_at <= now and job.has_turn]
    return {
        **{job.pk: _for_its_time(job) for job in scheduled},
        **(_for_another(following) if following else {}),
        **(_for_their_turn(behind) if behind else {}),
        **(_for_a_worker(due) if due else {}),
    }


def _for_its_time(job: Job) -> Wait:
    when = _when(job.run_at)
    if job.error_code:
        text = f"Attempt {job.attempt + 1} of {job.max_attempts} starts {when}. {job.error_text}"
        return Wait("retry", text, until=job.run_at)
    return Wait("scheduled", f"Starts {when}.", until=job.run_at)


def _for_another(jobs: list[Job]) -> dict[UUID, Wait]:
    titles = dict(Job.objects.filter(pk__in={job.after_id for job in jobs}).values_list("pk", "title"))
    waits = {}
    for job in jobs:
        if job.after_id and (title := titles.get(job.after_id)):
            waits[job.pk] = Wait("after", f"Starts when “{title}” is done.")
    return waits


def _for_their_turn(jobs: list[Job]) -> dict[UUID, Wait]:
    resources = {job.resource for job in jobs}
    on_hold = dict(Resource.objects.filter(name__in=resources).exclude(on_hold="").values_list("name", "on_hold"))
    first = Job.objects.filter(TURN_ON_A_RESOURCE, resource__in=resources)
    held = set(first.filter(status=Status.FAILED).values_list("resource", flat=True))
    lines = {
        resource: [
            position or 0
            for position in Job.objects.unfinished()
            .filter(resource=resource)
            .order_by("position")
            .values_list("position", flat=True)[:MANY]
        ]
        for resource in resources
    }
    waits = {}
    for job in jobs:
        ahead = bisect_left(lines[job.resource], job.position or 0)
        if job.resource in on_hold:
            waits[job.pk] = Wait("on_hold", on_hold[job.resource], ahead=ahead)
        elif job.resource in held:
            text = (
                "Held: an earlier job on the same object failed. "
                "It waits until that one is retried, skipped or cancelled."
            )
            waits[job.pk] = Wait("held", text, ahead=ahead)
        else:
            waits[job.pk] = Wait("turn", f"Waits behind {_words(ahead)} on the same object.", ahead=ahead)
    return waits


def _for_a_worker(jobs: list[Job]) -> dict[UUID, Wait]:
    served = set(
        Worker.objects.alive().filter(role__in={job.role for job in jobs}).values_list("role", flat=True).distinct()
    )
    runnable = Job.objects.runnable().order_by("run_at").values_list("run_at", flat=True)
    queues = {role: list(runnable.filter(role=role)[:MANY]) for role in served}
    waits = {}
    for job in jobs:
        if job.role not in served:
            text = "No worker is running for this just now. It starts as soon as one is back."
            waits[job.pk] = Wait("no_worker", text)
            continue
        ahead = bisect_left(queues[job.role], job.run_at)
        if ahead:
            text = f"Waits for a free worker, behind {_words(ahead)}."
        elif timezone.now() - job.run_at < A_MOMENT:
            text = "Starts in a moment."
        else:
            text = "Next in line: starts as soon as a worker takes it."
        waits[job.pk] = Wait("queue", text, ahead=ahead)
    return waits


def _words(jobs: int) -> str:
    if jobs >= MANY:
        return f"more than {MANY:,} jobs"
    return "1 job" if jobs == 1 else f"{jobs} jobs"


def _when(moment: datetime) -> str:
    """A moment in the current time zone, with the day only if it is not today."""
    local = timezone.localtime(moment)
    day = "" if local.date() == timezone.localdate() else f"on {date_format(local, 'j F')} "
    return f"{day}at {date_format(local, 'H:i:s')} {local.tzname()}"
