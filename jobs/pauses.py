"""Queues that staff have paused: no job of that role starts until they resume it; running ones go on.

The pause is a row. The claim of a job looks for it (`jobs.lifecycle.start_all`), so that none starts once the row is
there; a worker looks about once a second, and leaves hints where they are meanwhile.
"""

import logging

from jobs.kind import Role
from jobs.models import Pause

logger = logging.getLogger(__name__)


def paused() -> dict[str, Pause]:
    """The paused queues by role."""
    return {one.role: one for one in Pause.objects.all()}


def is_paused(role: Role) -> bool:
    """Whether no job of this role may start."""
    return Pause.objects.filter(pk=role).exists()


def pause(role: Role, reason: str, by: str) -> None:
    """Let no further job of this role start. Of a queue that is paused already, change the reason.

    reason: for everybody whose job waits. by: the name of the member of staff.
    """
    Pause.objects.update_or_create(role=role, defaults={"reason": reason}, create_defaults={"reason": reason, "by": by})
    logger.warning("the %s queue was paused by %s: %s", role, by, reason)


def resume(role: Role, by: str) -> bool:
    """Let jobs of this role start again. False: it was not paused."""
    resumed, _ = Pause.objects.filter(pk=role).delete()
    if resumed:
        logger.warning("the %s queue was resumed by %s", role, by)
    return bool(resumed)
