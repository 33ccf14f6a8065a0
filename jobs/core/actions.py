"""What may be done with a job as it stands: said once, for its card, its JSON, lists and the admin.

The lifecycle carries an action out, and looks again: a job may have moved on since it was offered.
"""

from collections.abc import Callable
from enum import StrEnum

from django.db.models import Q

from ..models import Job, Status


class Action(StrEnum):
    """Something that a person asks for. The value is its name in addresses and in JSON."""

    RETRY = "retry"
    """Run a failed job again."""
    RESCHEDULE = "reschedule"
    """Choose another start for a job that waits for a chosen one."""
    SKIP = "skip"
    """Let the jobs behind a failed one run."""
    CANCEL = "cancel"
    """End a job that waits, stop one that runs, give up one that failed and holds its line."""
    DELETE = "delete"
    """Delete a finished job with all that belongs to it."""


_OFFERED: dict[Action, Callable[[Job], bool]] = {
    Action.RETRY: lambda job: job.status == Status.FAILED and job.can_retry,
    Action.RESCHEDULE: lambda job: job.is_scheduled,
    Action.SKIP: lambda job: job.is_holding,
    Action.CANCEL: lambda job: (
        job.status == Status.PENDING or (job.status == Status.RUNNING and not job.is_stopping) or job.is_holding
    ),
    Action.DELETE: lambda job: job.is_finished,
}

RETRIABLE = Q(status=Status.FAILED, can_retry=True)
"""The jobs for which RETRY is offered, for whoever asks for many at once."""
DELETABLE = Q(finished_at__isnull=False, has_turn=False)
"""The jobs that are deleted together: those for which DELETE is offered, and which nobody has to decide about."""


def actions_for(job: Job) -> list[Action]:
    """What may be done with the job now, in the order in which it is shown."""
    return [action for action, is_offered in _OFFERED.items() if is_offered(job)]
