"""The one repair: finds what should be moving and is not, and moves it. Run by one worker at a time, every second.

It pushes hints of due jobs that have none (Redis was away or wiped, a schedule or a backoff has come due, a hint was
popped by a worker that died), frees jobs whose worker fell silent, and lets lines go on whose first job was deleted.
A living worker ends its own jobs at their time limit, before it lets go of their resource.
Each query is answered by a partial index that holds no finished row.
"""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from ..conf import options
from ..core import dispatch, leftovers, lifecycle
from ..kind import Queue
from ..models import TURN_ON_A_RESOURCE, Job, Leader, Resource, Status, Worker

logger = logging.getLogger(__name__)

BATCH = 500
"""The most jobs looked at in one go; the rest wait for the next look."""

OLD = 100
"""The most jobs whose retention time is over that are deleted in one go."""

LEADER_SECONDS = 4.0
"""How long a leader may keep silent before another worker takes over."""

SETTLE_SECONDS = 3.0
"""How long a new leader takes no job away: after an outage of the database or a sleep of the machine every lease has
run out, and living workers need a moment to renew theirs."""

SETTLE_EVERY = 10.0
"""How often to look for jobs that wait for one that has ended, in seconds."""

LINES_SECONDS = 60.0
"""How often lines are looked at, after a restart at once. That takes a few µs for each job that waits for its turn, and
finds something only if a process died at the wrong moment."""

TIDY_SECONDS = 60.0
"""How often to ask apps of the site to delete what nobody needs any more."""

LOOK_SECONDS = 1.0
"""One look ends after this time, whatever is left: the leader has leases of its own to renew."""


def prepare() -> None:
    """Make the row for which workers compete, if it is not there."""
    Leader.objects.bulk_create([Leader(task="sweep", until=_past())], ignore_conflicts=True)


def lead(worker: str) -> bool:
    """Become or stay the leader. One row in the database, on its clock, says who it is; see `prepare`."""
    mine = Q(worker=worker) | Q(until__lt=Now())
    until = Now() + timedelta(seconds=max(LEADER_SECONDS, 3 * options.SWEEP_SECONDS))
    return bool(Leader.objects.filter(mine, task="sweep").update(worker=worker, until=until))


def resign(worker: str) -> None:
    """Let another worker take over at once."""
    Leader.objects.filter(task="sweep", worker=worker).update(until=_past())


def _past() -> CombinedExpression:
    return Now() - timedelta(seconds=1)


def sweep() -> None:
    """One look at what runs, and at what is over: what lost its worker is freed, what was deleted is forgotten."""
    end = time.monotonic() + LOOK_SECONDS
    for job in Job.objects.filter(status=Status.RUNNING, lease_until__lt=Now()).order_by("lease_until")[:BATCH]:
        if lifecycle.lose(job):
            logger.warning("job %s: worker %s fell silent, attempt %d is given up", job.pk, job.worker, job.attempt)
        if time.monotonic() > end:
            break
    if options.KEEP_DAYS:
        delete_old()
    leftovers.forget(end)


def delete_old() -> None:
    """Delete jobs that were finished KEEP_DAYS ago; not those that somebody still has to decide about."""
    before = Now() - timedelta(days=options.KEEP_DAYS)
    old = Job.objects.filter(finished_at__lt=before, has_turn=False).order_by("finished_at")
    lifecycle.delete(old.values_list("pk", flat=True)[:OLD])


def settle() -> None:
    """Let go on what waits for a job that has ended, if whoever ended it died before it could; forget old workers."""
    ended = Job.objects.filter(after__isnull=False, after__finished_at__isnull=False)
    for job in Job.objects.filter(pk__in=ended.order_by().values("after").distinct()[:BATCH]):
        lifecycle.settle(job.pk)
        logger.warning("job %s: it had ended, and what waited for it had not been told", job.pk)
    Worker.objects.filter(seen_at__lt=Now() - timedelta(hours=1)).delete()


def mend_lines() -> None:
    """Let the lines go on whose first job was deleted, if whoever deleted it died before it could."""
    same = Q(resource=OuterRef("resource"))
    blocked = (
        Exists(Job.objects.filter(same, TURN_ON_A_RESOURCE))
        | Exists(Job.objects.filter(same, after__isnull=False))
        | Exists(Resource.objects.filter(name=OuterRef("resource"), on_hold__isnull=False))
    )
    waiting = Job.objects.unfinished().filter(~blocked, has_turn=False).exclude(resource="")
    for resource in waiting.order_by().values_list("resource", flat=True).distinct()[:BATCH]:
        lifecycle.pass_turn(resource)
        logger.warning("resource %s: its first job was deleted, the next has the turn", resource)


def tidy() -> None:
    """Ask apps of the site to delete what nobody needs any more. What goes wrong there is logged, and no more."""
    leftovers.tidying.send_robust(sender=None)


def push_missing() -> None:
    """Push the oldest due jobs that have no hint in Redis. Raises RedisError."""
    for queue in Queue:
        if (oldest := due(queue)) and (missing := dispatch.without_hint(oldest, queue)):
            dispatch.push((job_id, queue) for job_id in missing)


def due(queue: Queue) -> list[UUID]:
    """The jobs of one queue that may start now, the oldest first, at most BATCH of them."""
    return list(Job.objects.runnable().filter(queue=queue).order_by("run_at").values_list("pk", flat=True)[:BATCH])
