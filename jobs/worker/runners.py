"""What runs claimed jobs side by side: threads for what waits for others, child processes for what computes."""

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for_any
from typing import Any, Protocol, cast
from uuid import UUID

from django.db import close_old_connections, connections

from ..conf import options
from ..core import lifecycle
from ..core.exchanges import Exchanges, of_attempt
from ..core.processes import end_with_parent
from ..models import Job
from .execution import run_attempt, work, write_results

logger = logging.getLogger(__name__)

RESERVED = 1
"""How many jobs more than its concurrency a network worker runs, if they are urgent."""

RENEW_AFTER = 0.25
"""How much of a lease may be over before it is renewed."""
RENEW_ENDED_AFTER = 0.4
"""The same for a job whose code has ended: its outcome is about to be written, and the lease need not be."""

RESULTS = 100
"""The most results that are written in one transaction."""
GATHER_SECONDS = 0.008
"""How long a result waits for others that end soon after it, to be written with them: a transaction for each takes
three times as long. The first of them does not wait if others may wait for its resource, or no job is left to end."""


@dataclass(eq=False, slots=True)
class Claim:
    """A job whose lease this process holds, until its outcome is written.

    renewed_at: when its lease was taken or renewed; ends_at: when its time is up. Both on the monotonic clock.
    has_ended: its code has, and the outcome waits to be written. exchanges: those that its code has with other servers.
    """

    job: Job
    renewed_at: float
    ends_at: float
    has_ended: bool = False
    exchanges: Exchanges = field(default_factory=Exchanges)

    def is_due(self, now: float) -> bool:
        """Whether its lease is to be renewed, or its time is up."""
        if self.has_ended:
            return now >= self.renewed_at + RENEW_ENDED_AFTER * options.LEASE_SECONDS
        return now >= min(self.renewed_at + RENEW_AFTER * options.LEASE_SECONDS, self.ends_at)


class Runner(Protocol):
    """Runs claimed jobs side by side."""

    concurrency: int
    """How many jobs it runs at once, apart from the reserved ones."""
    reserved: int
    """How many places are for urgent jobs alone."""
    can_kill: bool
    """Whether `give_up` ends the job's code, wherever it is."""
    running: dict[UUID, Claim]
    """The claims whose outcome is not written yet."""

    def free(self) -> int:
        """How many more jobs it can take now, reserved ones included."""

    def run(self, claim: Claim) -> None:
        """Begin."""

    def wait(self, seconds: float) -> None:
        """Return when a job has ended, or after `seconds`."""

    def give_up(self, job_id: UUID) -> None:
        """Stop the job: its claim is lost, it may write nothing more."""


class Threads:
    """Runs jobs on threads: for kinds that wait for others.

    A thread can't be stopped from outside. Of one whose job was given up the exchanges with other servers are ended, so
    that it waits for none; then it is left to end by itself (everything it writes is refused). Another takes its place.

    Results are written by one more thread, all that are there in one transaction; see GATHER_SECONDS. A job counts as
    long as its outcome is not written: what a crash would have done again is never more than `concurrency` and one
    such transaction.
    """

    reserved = RESERVED
    can_kill = False

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.running: dict[UUID, Claim] = {}
        self._on_threads: dict[UUID, Claim] = {}
        self._todo: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Claim, Mapping[str, Any]]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._write_results, daemon=True, name="results").start()
        for _ in range(concurrency + self.reserved):
            self._add_thread()

    def free(self) -> int:
        """How many threads have no job, as long as few enough outcomes wait to be written."""
        threads = self.concurrency + self.reserved - len(self._on_threads)
        return max(0, min(threads, self.concurrency + RESULTS - len(self.running)))

    def run(self, claim: Claim) -> None:
        """Hand the job to a free thread."""
        with self._lock:
            self.running[claim.job.pk] = self._on_threads[claim.job.pk] = claim
        self._todo.put(claim)

    def wait(self, seconds: float) -> None:
        """Return when a job has ended, or after `seconds`."""
        self._ended.wait(seconds)
        self._ended.clear()

    def give_up(self, job_id: UUID) -> None:
        """End what the job's thread waits for, leave it to itself, and start another."""
        with self._lock:
            self.running.pop(job_id, None)
            held = self._on_threads.pop(job_id, None)
        if held is not None:
            held.exchanges.end()
            self._add_thread()

    def _add_thread(self) -> None:
        threading.Thread(target=self._work, daemon=True, name="job").start()

    def _work(self) -> None:
        while True:
            claim = self._todo.get()
            of_attempt.set(claim.exchanges)
            result = work(claim.job)
            close_old_connections()
            claim.has_ended = True
            with self._lock:
                given_up = self._on_threads.get(claim.job.pk) is not claim
                if not given_up:
                    del self._on_threads[claim.job.pk]
            if result is not None:
                self._results.put((claim, result))
            else:
                self._forget(claim)
            self._ended.set()
            if given_up:
                connections.close_all()
                return

    def _write_results(self) -> None:
        while True:
            ended = [self._results.get()]
            if self._on_threads and not ended[0][0].job.resource:
                time.sleep(GATHER_SECONDS)
            with suppress(queue.Empty):
                while len(ended) < RESULTS:
                    ended.append(self._results.get_nowait())
            write_results([(claim.job, result) for claim, result in ended])
            for claim, _ in ended:
                self._forget(claim)
            self._ended.set()

    def _forget(self, claim: Claim) -> None:
        with self._lock:
            if self.running.get(claim.job.pk) is claim:
                del self.running[claim.job.pk]


class Processes:
    """Runs each job in a forked child: for kinds that compute. A child can be killed at any moment.

    It writes its outcome itself, so there are never more claims than children.
    """

    reserved = 0
    can_kill = True

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.running: dict[UUID, Claim] = {}
        self._children: dict[UUID, multiprocessing.process.BaseProcess] = {}
        self._fork = multiprocessing.get_context("fork")

    def free(self) -> int:
        """How many more children there may be. Those that have ended make room for others."""
        self.wait(0)
        return self.concurrency - len(self._children)

    def run(self, claim: Claim) -> None:
        """Fork a child for the job. No connection is open across the fork."""
        job = claim.job
        connections.close_all()
        child = self._fork.Process(target=_run_in_child, args=(job, os.getpid()), name=f"job {job.pk}", daemon=True)
        child.start()
        self.running[job.pk] = claim
        self._children[job.pk] = child

    def wait(self, seconds: float) -> None:
        """Return when a child has ended, or after `seconds`. A job whose child died without an outcome runs again."""
        wait_for_any([child.sentinel for child in self._children.values()], seconds)
        for job_id, child in list(self._children.items()):
            if not child.is_alive():
                if child.exitcode:
                    logger.error("job %s: its process ended with exit code %s", job_id, child.exitcode)
                lifecycle.lose(self.running[job_id].job, lapsed=False)
                self._forget(job_id)

    def give_up(self, job_id: UUID) -> None:
        """Kill the job's child, with the programs that it started."""
        if (child := self._children.get(job_id)) is not None:
            with suppress(ProcessLookupError):  # it may not have made its group yet
                os.killpg(cast(int, child.pid), signal.SIGKILL)
            child.kill()
            child.join()
            self._forget(job_id)

    def _forget(self, job_id: UUID) -> None:
        self._children.pop(job_id).close()
        del self.running[job_id]


def _run_in_child(job: Job, parent: int) -> None:
    """The life of a child process: one attempt."""
    # A process group of its own: a Ctrl-C or SIGTERM for the whole group is the parent's to handle.
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent(parent)
    run_attempt(job)
