"""Deleting what kinds store of a job whose row is gone: files, and rows of their own.

However a job's row is deleted (its owner, the retention time, an account that goes), the same transaction notes what
there is to forget. A worker works through those notes (`jobs.worker.sweep`), and a note goes only once its kind has
forgotten the job: a process that dies anywhere between leaves nothing that nobody finds.
"""

import json
import logging
import time
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.db.models.signals import pre_delete
from django.dispatch import Signal, receiver

from ..kind import kind_named
from ..models import Job, Leftover

logger = logging.getLogger(__name__)

tidying = Signal()
"""Sent once a minute by one worker: delete what you keep and nobody needs any more, some hundred rows at a time."""

BATCH = 200
"""The most jobs forgotten in one go."""
AGAIN = timedelta(hours=1)
"""When to try again what could not be forgotten."""


@receiver(pre_delete, sender=Job)
def _note(instance: Job, **_: object) -> None:
    """Note what the job leaves behind. One that runs may still write files: they are deleted after its time limit."""
    Leftover.objects.create(
        job_id=instance.pk,
        kind=instance.kind,
        payload_text=instance.payload_text,
        result=instance.result,
        **({"due_at": instance.deadline} if instance.deadline else {}),
    )


def forget(end: float) -> None:
    """Have kinds forget what deleted jobs left behind, until nothing is due or `time.monotonic()` reaches `end`."""
    for one in Leftover.objects.filter(due_at__lte=Now()).order_by("due_at")[:BATCH]:
        if time.monotonic() > end:
            break
        try:
            _forget(one)
        except Exception:
            logger.exception("job %s: what it left behind can't be deleted; the next try is in %s", one.job_id, AGAIN)
            Leftover.objects.filter(pk=one.pk).update(due_at=Now() + AGAIN)


def _forget(one: Leftover) -> None:
    kind = kind_named(one.kind)
    if kind is None:
        raise LookupError(f"The kind {one.kind!r} is not installed.")
    kind.forget(one.job_id, _payload(one), one.result)
    one.delete()


def _payload(one: Leftover) -> dict[str, Any]:
    try:
        return dict(json.loads(one.payload_text))
    except ValueError:
        return {}  # the secret key was changed
