"""Running one attempt: claim the row, let the kind do its work, write the outcome."""

import logging
import reprlib
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections, connections

from ..core import lifecycle
from ..kind import ClaimLost, Failed, Kind, OnHold, Stopped, TryAgain
from ..models import Job
from ..sentences import Sentence
from ..storable import DEEPEST, LARGEST, Unstorable, as_json, as_text

logger = logging.getLogger(__name__)

T = TypeVar("T")

PROGRESS_SECONDS = 0.5
"""Progress is written at most this often."""


def _give_connections_back() -> None:
    """Where there is a pool, give it what this thread has of it: what the kind does next may be a long call outside."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


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
        _give_connections_back()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A database transaction during which this attempt can't be given up."""
        with lifecycle.claimed(self._job):
            yield
        _give_connections_back()

    def stored(self, size: int) -> None:
        """Tell how many bytes are stored for the job from now on."""
        lifecycle.stored(self._job, size)
        _give_connections_back()

    def progress(self, percent: float, say: str = "", /, **values: Any) -> None:
        """Tell how far the work is, 0 to 100, and what is being done."""
        if (now := time.monotonic()) >= self._next_progress:
            self._next_progress = now + PROGRESS_SECONDS
            said = Sentence(say, **values) if say else None
            lifecycle.progress(self._job, int(min(100, max(0, percent))), said)  # in this order NaN is 0
            _give_connections_back()


def perform(job_id: str, worker: str = "in-process") -> None:
    """Claim the job and run it here and now. What an RQ message names; the id is the only thing it carries.

    Does nothing if the job may not run now (any more). Raises ValueError if `job_id` is no UUID.
    """
    job = lifecycle.start(UUID(job_id), worker)
    if job is not None:
        run_attempt(job)


def run_attempt(job: Job) -> None:
    """Run the kind's code for a job that `lifecycle.start` has claimed, and write what came of it. Never raises."""
    if (result := work(job)) is not None:
        write_results([(job, result)])


def work(job: Job) -> Mapping[str, Any] | None:
    """Run the kind's code for a claimed job. Returns its result, for `write_results`. Never raises.

    None: it had none, and what came of the attempt instead is written already.
    """
    try:
        ended = _work(job)
    except ClaimLost:
        _given_up(job)
        return None
    if isinstance(ended, Mapping):
        return ended
    _write_outcome(job, ended)
    return None


def write_results(ended: Sequence[tuple[Job, Mapping[str, Any]]]) -> None:
    """Write the results of attempts, all in one transaction. Never raises."""
    try:
        moved = _persist(lambda: lifecycle.succeed_all(ended))
    except Exception:  # noqa: BLE001 (what becomes of each is told below)
        # One of them is refused, whatever for: the others are not to suffer.
        if len(ended) > 1:
            for one in ended:
                write_results([one])
        else:
            ((job, _),) = ended
            _write_outcome(job, _bug(job))
    else:
        for job, _ in ended:
            if job.pk not in moved:
                _given_up(job)


def _write_outcome(job: Job, write: Callable[[], None]) -> None:
    """Write an outcome other than success."""
    try:
        try:
            _persist(write)
        except Exception:  # noqa: BLE001 (the next line tells staff of it)
            _persist(_bug(job))
    except ClaimLost:
        _given_up(job)
    except Exception:
        # No outcome can be written, and not because the database is away: the sweep will free the job.
        logger.exception("job %s: the outcome of attempt %d could not be written", job.pk, job.attempt)


def _given_up(job: Job) -> None:
    logger.warning("job %s: attempt %d was given up before it ended; it wrote nothing more", job.pk, job.attempt)


def _work(job: Job) -> Mapping[str, Any] | Callable[[], None]:
    """Do the work. Returns the result, or else the transition that writes what came of it."""
    kind = job.the_kind
    if kind is None:
        return lambda: lifecycle.fail(job, "unknown_kind", can_retry=False)
    try:
        run = AttemptRun(job)
    except ValueError:
        return lambda: lifecycle.fail(job, "payload_unreadable", can_retry=False)
    try:
        return _kept(job, kind.run(run))
    except Failed as error:
        code, said, can_retry = error.code, error.sentence, error.can_retry
        return lambda: lifecycle.fail(job, code, said, can_retry=can_retry)
    except TryAgain as error:
        return _another_try(job, kind, error)
    except OnHold as error:
        code, said = error.code, error.sentence
        return lambda: lifecycle.hold(job, code, said)
    except (OperationalError, InterfaceError):
        logger.exception("job %s: the database went away during attempt %d", job.pk, job.attempt)
        return _another_try(job, kind, TryAgain("database"))
    except Stopped:
        return lambda: _stop(job)
    except ClaimLost:
        raise
    except BaseException:  # noqa: BLE001
        # SystemExit included: whatever a kind's code raises, its job must reach an outcome.
        return _bug(job)


def _kept(job: Job, result: Any) -> Mapping[str, Any] | Callable[[], None]:
    """A kind's result as it can be kept, or the outcome of one that can't be. Raises TypeError if it is no mapping."""
    if not isinstance(result, Mapping):
        raise TypeError(f"Kind.run returned {type(result).__name__}, not a dict.")
    try:
        kept: Mapping[str, Any] = as_json(result)
    except Unstorable as error:
        said = Sentence("result_too_large", bytes=LARGEST, levels=DEEPEST)
        trace = f"{error}\n{reprlib.repr(result)}"
        logger.error("job %s (%s): the result of attempt %d is lost\n%s", job.pk, job.kind, job.attempt, trace)
        return lambda: lifecycle.fail(job, said.code, said, traceback=trace)
    return kept


def _stop(job: Job) -> None:
    if not lifecycle.stop(job):
        raise ClaimLost


def _bug(job: Job) -> Callable[[], None]:
    """The outcome of an error nobody foresaw: a sentence for the owner, the traceback for staff."""
    trace = as_text(traceback.format_exc())
    logger.error("job %s (%s): attempt %d broke\n%s", job.pk, job.kind, job.attempt, trace)
    return lambda: lifecycle.fail(job, "internal_error", traceback=trace)


def _another_try(job: Job, kind: Kind, error: TryAgain) -> Callable[[], None]:
    code, said, not_before = error.code, error.sentence, error.not_before
    return lambda: lifecycle.try_again(job, code, said, pause=kind.pause(job.attempt), not_before=not_before)


def _persist(write: Callable[[], T]) -> T:
    """Write an outcome, again and again while the database is away: the work is done, and must not be done twice.

    Whoever's attempt is given up meanwhile learns it from the write itself.
    """
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            logger.warning("The database does not answer (%s): the outcome of a job waits for it", error)
            close_old_connections()
            time.sleep(0.5)
