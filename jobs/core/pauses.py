"""Queues that staff have paused: no job of it starts until they resume it; running ones go on.

The pause is a row. The claim of a job looks for it (`jobs.core.lifecycle.start_all`), so that none starts once the row
is there; a worker looks about once a second, and leaves hints where they are meanwhile.
"""

import logging

from ..kind import Queue
from ..models import Pause

logger = logging.getLogger(__name__)

LONGEST_NAME = Pause._meta.get_field("by").max_length
"""Characters that a row has for who paused it; where people sign in with addresses, those can be longer."""


def paused() -> dict[str, Pause]:
    """The paused queues by name."""
    return {one.queue: one for one in Pause.objects.all()}


def pause(queue: Queue, reason: str, by: str) -> None:
    """Let no further job of this queue start. Of one that is paused already, change the reason.

    reason: for everybody whose job waits. by: the name of the member of staff.
    """
    Pause.objects.update_or_create(
        queue=queue, defaults={"reason": reason}, create_defaults={"reason": reason, "by": by[:LONGEST_NAME]}
    )
    logger.warning("the %s queue was paused by %s: %s", queue, by, reason)


def resume(queue: Queue, by: str) -> bool:
    """Let jobs of this queue start again. False: it was not paused."""
    resumed, _ = Pause.objects.filter(pk=queue).delete()
    if resumed:
        logger.warning("the %s queue was resumed by %s", queue, by)
    return bool(resumed)
