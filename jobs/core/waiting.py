"""Why a pending job is not running yet, in words and as data. Derived when asked for, never stored.

What many wait for alike (lines, queues, workers alive) is asked once for all of them, at most a second ago.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..kind import ROLE_OF, WaitReason
from ..models import Job, Pause, Resource, Status, Worker
from ..wording import worded
from . import dispatch
from .pauses import paused
from .short_cache import for_a_moment

MANY = 1000
"""Counting stops here: "more than 1,000 jobs" is as good for a person, and costs the same however long the line is."""

A_MOMENT = timedelta(seconds=5)
"""Within this time of being due a job is expected to start; later its worker is busy, or Redis is away: we ask it."""


@dataclass(frozen=True)
class Wait:
    """Why a job waits.

    text: one sentence for the owner.
    until: when it is over, if that is known. ahead: how many jobs come first, if that is known (in tens from 100 on,
    and counted up to MANY).
    """

    reason: WaitReason
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
    why = WaitReason(job.run_at_reason or WaitReason.SCHEDULED)
    text = _("Starts %(when)s.") % {"when": when}
    if why is WaitReason.RETRY:
        text = _("Attempt %(attempt)s of %(of)s starts %(when)s. %(why)s") % {
            "attempt": job.attempt + 1,
            "of": job.max_attempts,
            "when": when,
            "why": job.error_text,
        }
    return Wait(why, text, until=job.run_at)


def _for_another(jobs: list[Job]) -> dict[UUID, Wait]:
    titles = dict(Job.objects.filter(pk__in={job.after_id for job in jobs}).values_list("pk", "title"))
    waits = {}
    for job in jobs:
        if job.after_id and (title := titles.get(job.after_id)):
            waits[job.pk] = Wait(WaitReason.AFTER, _("Starts when “%(title)s” is done.") % {"title": title})
    return waits


def _for_their_turn(jobs: list[Job]) -> dict[UUID, Wait]:
    lines = {resource: _line(resource) for resource in {job.resource for job in jobs}}
    waits = {}
    for job in jobs:
        line = lines[job.resource]
        ahead = _about(bisect_left(line.positions, job.position or 0))
        if line.on_hold:
            waits[job.pk] = Wait(WaitReason.ON_HOLD, worded(line.on_hold), ahead=ahead)
        elif line.is_held:
            text = _(
                "Held: an earlier job on the same object failed. "
                "It waits until that one is retried, skipped or cancelled."
            )
            waits[job.pk] = Wait(WaitReason.HELD, text, ahead=ahead)
        else:
            text = _("Waits behind %(jobs)s on the same object.") % {"jobs": _count_in_words(ahead)}
            waits[job.pk] = Wait(WaitReason.TURN, text, ahead=ahead)
    return waits


@dataclass(frozen=True)
class Line:
    """The line of a resource.

    on_hold: see Resource. is_held: whether a failed job holds it up. positions: the places of
    the first MANY in it.
    """

    on_hold: dict[str, Any] | None
    is_held: bool
    positions: list[int]


@for_a_moment
def _line(resource: str) -> Line:
    on_hold = Resource.objects.filter(name=resource).values_list("on_hold", flat=True).first()
    is_held = Job.objects.first_on(resource).filter(status=Status.FAILED).exists()
    line = Job.objects.in_line(resource).order_by("position")
    return Line(on_hold, is_held, [position or 0 for position in line.values_list("position", flat=True)[:MANY]])


def _for_a_worker(jobs: list[Job]) -> dict[UUID, Wait]:
    served = _served()
    queues = {queue: _queue(queue) for queue in served & {job.queue for job in jobs}}
    pauses = _pauses()
    waits = {}
    for job in jobs:
        if pause := pauses.get(job.queue):
            text = _(
                "Paused by the people who run this site since %(since)s: %(reason)s. It starts when they resume."
            ) % {"since": _since(pause.since), "reason": pause.reason.rstrip(". ")}
            waits[job.pk] = Wait(WaitReason.PAUSED, text)
            continue
        if job.queue not in served:
            text = _("No worker is running for this just now. It starts as soon as one is back.")
            waits[job.pk] = Wait(WaitReason.NO_WORKER, text)
            continue
        is_late = timezone.now() - job.run_at >= A_MOMENT
        if is_late and not _redis_answers():
            text = _("The queue of this site (Redis) does not answer just now. It starts as soon as that is back.")
            waits[job.pk] = Wait(WaitReason.NO_REDIS, text)
            continue
        ahead = _about(bisect_left(queues[job.queue], job.run_at))
        if ahead:
            text = _("Waits for a free worker, behind %(jobs)s.") % {"jobs": _count_in_words(ahead)}
        elif is_late:
            text = _("Next in line: starts as soon as a worker takes it.")
        else:
            text = _("Starts in a moment.")
        waits[job.pk] = Wait(WaitReason.QUEUE, text, ahead=ahead)
    return waits


@for_a_moment
def _served() -> set[str]:
    """The queues that a living worker serves."""
    roles = set(Worker.objects.alive().values_list("role", flat=True))
    return {queue for queue, role in ROLE_OF.items() if role in roles}


@for_a_moment
def _redis_answers() -> bool:
    return dispatch.answers()


@for_a_moment
def _pauses() -> dict[str, Pause]:
    """The queues that staff have paused, by name."""
    return paused()


@for_a_moment
def _queue(queue: str) -> list[datetime]:
    """Since when the first MANY jobs of the queue may run."""
    return list(Job.objects.runnable().filter(queue=queue).order_by("run_at").values_list("run_at", flat=True)[:MANY])


def _about(jobs: int) -> int:
    """Exact below 100, in tens from there on: it need not change at every look."""
    return jobs if jobs < 100 else jobs // 10 * 10


def _count_in_words(jobs: int) -> str:
    if jobs >= MANY:
        return _("more than %(number)s jobs") % {"number": f"{MANY:,}"}
    if jobs >= 100:
        return _("about %(number)s jobs") % {"number": jobs}
    return ngettext("%(number)s job", "%(number)s jobs", jobs) % {"number": jobs}


def _when(moment: datetime) -> str:
    """A moment in the current time zone, with the day only if it is not today."""
    local = timezone.localtime(moment)
    time = f"{date_format(local, 'H:i:s')} {local.tzname()}"
    if local.date() == timezone.localdate():
        return _("at %(time)s") % {"time": time}
    return _("on %(day)s at %(time)s") % {"day": date_format(local, "j F"), "time": time}


def _since(moment: datetime) -> str:
    """A moment that is past, in the current time zone, with the day only if it is not today."""
    local = timezone.localtime(moment)
    time = f"{date_format(local, 'H:i')} {local.tzname()}"
    return time if local.date() == timezone.localdate() else f"{date_format(local, 'j F')}, {time}"
