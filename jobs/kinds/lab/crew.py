"""How a run of the lab has its steps done: submit them, wait for them with progress, and leave none behind."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ...contract import Failed, Job, Kind, Run, Sentence, Status, Submission, WaitReason, cancel, submit, wait_of
from .models import Value

LOOK_SECONDS = 0.2
NO_WORKER_SECONDS = 5.0
"""How long no worker may be there before a run gives up: one that is started again takes a moment."""
STUCK_SECONDS = 120.0
"""How long no step may end before a run gives up."""
STEPS = "lab_"
"""What the names of the steps' kinds begin with."""

Share = tuple[float, float]
"""Which part of a run's progress something is: from and to, in percent."""


def clear() -> None:
    """Remove what an earlier run, or an earlier attempt at this one, left behind: one run goes on at a time."""
    _cancel(Job.objects.filter(kind__startswith=STEPS))
    Value.objects.all().delete()


def do(run: Run, kind: Kind, steps: Sequence[Submission], share: Share, what: str) -> list[dict[str, Any]]:
    """Have all the steps done. what: the code of the sentence that says what they are.

    Returns their results, in the same order. Raises Failed if one does not work out.
    """
    return finish(run, [job.pk for job in submit(kind, steps, owner=None).jobs], share, what)


def finish(run: Run, steps: Sequence[UUID], share: Share, what: str) -> list[dict[str, Any]]:
    """Wait for steps that were submitted; the rest as `do`. However this ends, none of them goes on."""
    try:
        _wait(run, steps, share, what)
    finally:
        _cancel(Job.objects.filter(pk__in=steps))
    rows = Job.objects.in_bulk(steps)
    return [rows[step].result or {} for step in steps]


def _wait(run: Run, steps: Sequence[UUID], share: Share, what: str) -> None:
    mine = Job.objects.filter(pk__in=steps)
    done, since, worker_seen = 0, time.monotonic(), time.monotonic()
    while done < len(steps):
        before, done = done, mine.filter(status=Status.SUCCEEDED).count()
        now = time.monotonic()
        if done > before:
            since = now
        if (lost := mine.filter(status__in=[Status.FAILED, Status.CANCELLED]).first()) is not None:
            said = lost.error_said
            raise Failed("step_failed", why={"by": lost.kind, **said} if said else Sentence("step_cancelled"))
        waiting = mine.filter(status=Status.PENDING, has_turn=True).first()
        if waiting is None or (wait := wait_of(waiting)) is None or wait.reason != WaitReason.NO_WORKER:
            worker_seen = now
        elif now - worker_seen > NO_WORKER_SECONDS:
            raise Failed("no_worker", role=str(waiting.the_kind and waiting.the_kind.role))
        if now - since > STUCK_SECONDS:
            raise Failed("stuck")
        percent = share[0] + (share[1] - share[0]) * done / len(steps)
        run.progress(percent, "so_far", what=Sentence(what), done=done, all=len(steps))
        if done < len(steps):
            time.sleep(LOOK_SECONDS)


def _cancel(steps: "QuerySet[Job]") -> None:
    for step in steps.filter(status__in=[Status.PENDING, Status.RUNNING]).values_list("pk", flat=True):
        cancel(step)
