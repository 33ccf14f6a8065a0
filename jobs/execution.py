"""Running one attempt: claim the row, let the kind do its work, keep the outcome."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections

from jobs import lifecycle
from jobs.kind import ClaimLost, Failed, Kind, OnHold, Stopped, TryAgain
from jobs.models import Job

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
"""Progress is written at most this often."""


class AttemptRun:
    """The `Run` that a kind's code is handed; see jobs.kind.Run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._next_progress = 0.0
        self.job_id = job.pk
        self.owner_id = job.owner_id
        self.attempt = job.attempt
        self.payload = job.payload

    @property
    def kept(self) -> Mapping[str, Any]:
        """What this and earlier attempts kept."""
        kept: dict[str, Any] = self._job.kept
        return kept

    def keep(self, **values: Any) -> None:
        """Store JSON values on the job at once."""
        lifecycle.keep(self._job, values)

    def transaction(self) -> AbstractContextManager[None]:
        """A database transaction during which this attempt can't be given up."""
        return lifecycle.claimed(self._job)

    def progress(self, percent: float, text: str = "") -> None:
        """Tell how far the work is, 0 to 100."""
        if (now := time.monotonic()) >= self._next_progress:
            self._next_progress = now + PROGRESS_SECONDS
            lifecycle.progress(self._job, min(max(int(percent), 0), 100), text)


def perform(job_id: str, worker: str = "in-process") -> None:
    """Claim the job and run it here and now. What an RQ message names; the id is the only thing it carries.

    Does nothing if the job may not run now (any more). Raises ValueError if `job_id` is no UUID.
    """
    job = lifecycle.start(UUID(job_id), worker)
    if job is not None:
        run_attempt(job)


def run_attempt(job: Job) -> None:
    """Run the kind's code for a job that `lifecycle.start` has claimed, and write what came of it. Never raises."""
    try:
        write = _work(job)
        try:
            _persist(write)
        except DatabaseError:
            # The database refuses what the kind made (PostgreSQL stores no NUL character, say).
            _persist(_bug(job))
    except ClaimLost:
        logger.warning("job %s: attempt %d was given up before it ended; it wrote nothing more", job.pk, job.attempt)
    except Exception:
        # No outcome can be written, and not because the database is away: the sweep will free the job.
        logger.exception("job %s: the outcome of attempt %d could not be kept", job.pk, job.attempt)


def _work(job: Job) -> Callable[[], None]:
    """Do the work. Returns the transition that keeps what came of it."""
    kind = job.the_kind
    if kind is None:
        return lambda: lifecycle.fail(
            job, "unknown_kind", "This site can't do this kind of job any more.", can_retry=False
        )
    try:
        run = AttemptRun(job)
    except ValueError:
        text = "What was asked for can't be read any more: this site's secret key has changed. Please submit it again."
        return lambda: lifecycle.fail(job, "payload_unreadable", text, can_retry=False)
    try:
        result = kind.run(run)
        return lambda: _succeed(job, result)
    except Failed as error:
        code, text, can_retry = error.code, error.text, error.can_retry
        return lambda: lifecycle.fail(job, code, text, can_retry=can_retry)
    except TryAgain as error:
        return _another_try(job, kind, error)
    except OnHold as error:
        code, text = error.code, error.text
        return lambda: lifecycle.hold(job, code, text)
    except (OperationalError, InterfaceError):
        logger.exception("job %s: the database went away during attempt %d", job.pk, job.attempt)
        return _another_try(job, kind, TryAgain("database", "Our database could not be reached for a moment."))
    except Stopped:
        return lambda: _stop(job)
    except ClaimLost:
        raise
    except BaseException:  # noqa: BLE001
        # SystemExit included: whatever a kind's code raises, its job must reach an outcome.
        return _bug(job)


def _succeed(job: Job, result: Mapping[str, Any]) -> None:
    try:
        lifecycle.succeed(job, result)
    except TypeError:
        _bug(job)()


def _stop(job: Job) -> None:
    if not lifecycle.stop(job):
        raise ClaimLost


def _bug(job: Job) -> Callable[[], None]:
    """The outcome of an error nobody foresaw: a sentence for the owner, the traceback for staff."""
    trace = traceback.format_exc().replace("\x00", "")
    logger.error("job %s (%s): attempt %d broke\n%s", job.pk, job.kind, job.attempt, trace)
    text = "Something broke on our side. The people who run this site can see what; you can try again."
    return lambda: lifecycle.fail(job, "internal_error", text, traceback=trace)


def _another_try(job: Job, kind: Kind, error: TryAgain) -> Callable[[], None]:
    code, text, not_before = error.code, error.text, error.not_before
    return lambda: lifecycle.try_again(job, code, text, pause=kind.pause(job.attempt), not_before=not_before)


def _persist(write: Callable[[], None]) -> None:
    """Write an outcome, again and again while the database is away: the work is done, and must not be done twice.

    If the attempt is given up meanwhile, ClaimLost ends it.
    """
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            logger.warning("The database does not answer (%s): the outcome of a job waits for it", error)
            close_old_connections()
            time.sleep(0.5)
