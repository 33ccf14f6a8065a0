"""The worker process: takes hints from RQ, runs their jobs, keeps their leases, and sweeps if it leads.

`manage.py rqworker` starts it. One process serves the queues of one role: network jobs run on threads, media jobs each
in a child process. The loop below does everything else in one thread, so that it can fork.
"""

import logging
import multiprocessing
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait as wait_for_any
from types import FrameType
from typing import Any, Protocol, cast
from uuid import UUID

import rq
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections
from django.db.models import F
from django.db.models.functions import Now
from redis import RedisError, ResponseError
from rq.job import Job as Message
from rq.serializers import JSONSerializer

from jobs import dispatch, lifecycle, sweep
from jobs.execution import keep_results, run_attempt, work
from jobs.kind import Queue, Role
from jobs.models import Job, Status, Worker
from jobs.pauses import paused
from jobs.processes import end_with_parent

logger = logging.getLogger(__name__)

STOP_SECONDS = 2
"""How long a job that its owner cancelled has to reach a safe point, before its process is killed."""
PAUSE_SECONDS = 1
"""How often the loop looks whether staff have paused its queues. No job of such a queue can be claimed; this leaves the
hints where they are."""
POP_SECONDS = 1
"""How long the loop waits for a hint before it looks after everything else."""
KEPT = 1
"""How many jobs more than its concurrency a network worker runs, if they are urgent."""
URGENT_SECONDS = 0.1
"""How often a worker that has no other place left looks for an urgent hint."""

RENEW_SECONDS = 1.0
"""How often the loop looks which leases are to be renewed, at least four times a lease."""
RENEW_AFTER = 0.25
"""How much of a lease may be over before it is renewed."""
RENEW_ENDED_AFTER = 0.5
"""The same for a job whose code has ended: its outcome is about to be written, and the lease need not be."""

POOL_SECONDS = 10
"""How long a thread waits for a connection of the pool, before it counts as an outage of the database."""
RECONNECT_SECONDS = 2
"""How long the pool itself tries to reconnect; after that each thread that asks makes it try again at once."""

RESULTS = 100
"""The most results that are written in one transaction."""
GATHER_SECONDS = 0.008
"""How long a result waits for others that end soon after it, to be written with them: a transaction for each takes
three times as long. The first of them does not wait if others may wait for its resource, or no job is left to end."""

MESSAGE = Message.redis_job_namespace_prefix
TAKE = """
local prefix, done, places = ARGV[1], ARGV[2], tonumber(ARGV[3])
if done ~= '' then redis.call('DEL', prefix .. done) end
local taken = {}
for number, line in ipairs(KEYS) do
    local most = math.min(places - #taken, tonumber(ARGV[number + 3]))
    if most > 0 then
        for _, hint in ipairs(redis.call('LPOP', line, most) or {}) do
            redis.call('DEL', prefix .. hint)
            taken[#taken + 1] = hint
        end
    end
end
return taken
"""
"""Takes hints together with their messages, all or none, so that what is missing in Redis is seen by the sweep.

KEYS: the queues, the first one first. ARGV: what the keys of messages begin with, a hint that is done with and whose
message is still there (or nothing), the most hints to take, the most of each queue.
https://redis.io/docs/latest/develop/programmability/eval-intro/
"""


@dataclass(eq=False, slots=True)
class Claim:
    """A job whose lease this process holds, until its outcome is written.

    renewed_at: when its lease was taken or renewed; ends_at: when its time is up. Both on the monotonic clock.
    has_ended: its code has, and the outcome waits to be written.
    """

    job: Job
    renewed_at: float
    ends_at: float
    has_ended: bool = False

    def is_due(self, now: float) -> bool:
        """Whether its lease is to be renewed, or its time is up."""
        if self.has_ended:
            return now >= self.renewed_at + RENEW_ENDED_AFTER * settings.JOB_LEASE_SECONDS
        return now >= min(self.renewed_at + RENEW_AFTER * settings.JOB_LEASE_SECONDS, self.ends_at)


class Runner(Protocol):
    """Runs claimed jobs side by side."""

    concurrency: int
    """How many jobs it runs at once, apart from the kept places."""
    kept: int
    """How many places are for urgent jobs alone."""
    can_kill: bool
    """Whether `give_up` ends the job's code, wherever it is."""
    running: dict[UUID, Claim]
    """The claims whose outcome is not written yet."""

    def free(self) -> int:
        """How many more jobs it can take now, kept places included."""

    def run(self, claim: Claim) -> None:
        """Begin."""

    def wait(self, seconds: float) -> None:
        """Return when a job has ended, or after `seconds`."""

    def give_up(self, job_id: UUID) -> None:
        """Stop the job: its claim is lost, it may write nothing more."""


class Threads:
    """Runs jobs on threads: for kinds that wait for others.

    A thread can't be stopped from outside. One whose job was given up is left to end by itself (everything it writes is
    refused), and another takes its place.

    Results are written by one more thread, all that are there in one transaction; see GATHER_SECONDS. A job counts as
    long as its outcome is not written: what a crash would have done again is never more than `concurrency` and one
    such transaction.
    """

    kept = KEPT
    can_kill = False

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.running: dict[UUID, Claim] = {}
        self._on_threads: dict[UUID, Claim] = {}
        self._todo: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Claim, Mapping[str, Any]]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._keep, daemon=True, name="results").start()
        for _ in range(concurrency + self.kept):
            self._add_thread()

    def free(self) -> int:
        """How many threads have no job, as long as few enough outcomes wait to be written."""
        threads = self.concurrency + self.kept - len(self._on_threads)
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
        """Leave the job's thread to itself and start another."""
        with self._lock:
            self.running.pop(job_id, None)
            held = self._on_threads.pop(job_id, None)
        if held is not None:
            self._add_thread()

    def _add_thread(self) -> None:
        threading.Thread(target=self._work, daemon=True, name="job").start()

    def _work(self) -> None:
        while True:
            claim = self._todo.get()
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

    def _keep(self) -> None:
        while True:
            ended = [self._results.get()]
            if self._on_threads and not ended[0][0].job.resource:
                time.sleep(GATHER_SECONDS)
            with suppress(queue.Empty):
                while len(ended) < RESULTS:
                    ended.append(self._results.get_nowait())
            keep_results([(claim.job, result) for claim, result in ended])
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

    kept = 0
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


def share_connections() -> None:
    """Have the threads of this process share a pool of connections, on PostgreSQL: each connection costs the server a
    process, and a thread that waits for an API needs none.

    Not this thread. It renews the leases: it must neither stand in line behind the others, nor wait for the pool, which
    tries less and less often while the database is away.
    https://docs.djangoproject.com/en/5.2/ref/databases/#postgresql-pool
    https://www.psycopg.org/psycopg3/docs/api/pool.html#psycopg_pool.ConnectionPool
    """
    if connection.vendor != "postgresql":
        return
    shared = connection.settings_dict  # one object for all threads
    connection.settings_dict = dict(shared)
    pool = {
        "min_size": 2,
        "max_size": settings.DATABASE_POOL_SIZE,
        "timeout": POOL_SECONDS,
        "reconnect_timeout": RECONNECT_SECONDS,
    }
    shared.update(OPTIONS={**shared["OPTIONS"], "pool": pool}, CONN_MAX_AGE=0)


def name_of(pid: int, token: str) -> str:
    """The name of a worker process of this machine. token: tells it from another process that has this pid later."""
    return f"{socket.gethostname()[:50]}:{pid}:{token}"


def hand_back(worker: str) -> None:
    """Let others take at once what the worker left running when it was told to stop. Its process must be gone."""
    try:
        for job in Job.objects.filter(status=Status.RUNNING, worker=worker):
            if lifecycle.hand_back(job):
                logger.info("job %s: handed back", job.pk)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The database does not answer (%s): jobs of %s wait until their leases run out", error, worker)
    finally:
        connections.close_all()


class OffloadWorker(rq.Worker):
    """An RQ worker for one role that treats messages as hints.

    RQ gives it the queue, the delivery and the registration that `rq info` and django-rq's pages show. Claiming,
    leases, retries and time limits are the row's (`jobs.lifecycle`); nothing of a message but its id is read.
    """

    def __init__(self, role: Role, concurrency: int, grace: float, token: str) -> None:
        """role: which queues it serves. concurrency: jobs at once, beside the urgent ones that it keeps a place for.

        grace: seconds that jobs get to end at shutdown. token: see `name_of`.
        """
        super().__init__(
            list(map(str, role.queues)),
            name=name_of(os.getpid(), token),
            connection=dispatch.connect(timeout=POP_SECONDS + 1),
            serializer=JSONSerializer,
            worker_ttl=60,
            prepare_for_work=False,  # it would ask Redis for our address, and Redis may be away
        )
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.role = role
        self.grace = grace
        if role is Role.NETWORK:
            share_connections()
        self.runner: Runner = (Threads if role is Role.NETWORK else Processes)(concurrency)
        self.stopping = False
        self._paused: set[Queue] = set()
        self._redis_away_until = 0.0
        self._take = self.connection.register_script(TAKE)
        self._done = b""
        self._due: dict[str, float] = {}
        self._looked_at = self._frees_from = 0.0

    @property
    def connection_timeout(self) -> int:
        """Seconds to wait for an answer of Redis: a frozen one must not keep us from renewing leases."""
        return POP_SECONDS + 1

    def work(self) -> None:  # type: ignore[override]
        """Serve until SIGTERM or SIGINT."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._stop)
        logger.info("worker %s serves %s, %d jobs at once", self.name, self.role, self.runner.concurrency)
        self._with_database(self._register)
        while not self.stopping:
            self._with_database(self._look_after)
            free = self._with_database(self.runner.free) or 0
            served = [queue for queue in self.role.queues if queue not in self._paused and self._places(queue, free)]
            if not served:
                self._with_database(partial(self.runner.wait, POP_SECONDS))
            elif hints := self._with_redis(partial(self._pop, served, free)):
                self._with_database(partial(self._claim, hints))
            elif free <= self.runner.kept:
                self._with_database(partial(self.runner.wait, URGENT_SECONDS))
        self._with_database(self._shut_down)

    # --- the steps of the loop ---

    def _places(self, queue: Queue, free: int) -> int:
        """How many of the free places jobs of this queue may take."""
        return free if queue is Queue.URGENT else max(0, free - self.runner.kept)

    def _pop(self, queues: list[Queue], free: int) -> list[str]:
        """The ids of the next hints, taken out of Redis, at most `free`.

        If there are none: the first that comes within POP_SECONDS. Not while only urgent jobs have a place: another
        place may become free meanwhile. The message of one that was waited for is deleted when its job was claimed.
        """
        keys = [dispatch.key_of(queue) for queue in queues]
        try:
            taken = self._take(keys, [MESSAGE, self._done, free, *(self._places(queue, free) for queue in queues)])
            self._done = b""
            if not taken and free > self.runner.kept and (found := self.connection.blpop(keys, POP_SECONDS)):
                self._done = cast(bytes, found[1])
                taken = [self._done]
        except ResponseError as error:
            dispatch.drop_if_no_line(self.connection, error, *keys)
            self._with_database(self._drop)
            return []
        return [raw.decode(errors="replace") for raw in taken]

    def _claim(self, hints: list[str]) -> None:
        """Start those of the jobs that the hints name that may run."""
        job_ids = set()
        for hint in hints:
            try:
                job_ids.add(UUID(hint))
            except ValueError:
                logger.error("A message that names no job was dropped: %.100r", hint)
                self._drop()
        now = time.monotonic()
        for job in lifecycle.start_all(job_ids, self.name):
            # An older attempt of the same job may still be here: we were silent for so long that it was taken from us.
            self.runner.give_up(job.pk)
            self.runner.run(Claim(job, renewed_at=now, ends_at=now + job.time_limit.total_seconds()))
            job_ids.remove(job.pk)
        if job_ids:
            for unknown in job_ids.difference(Job.objects.filter(pk__in=job_ids).values_list("pk", flat=True)):
                logger.error("A message for a job that does not exist was dropped: %s", unknown)
                self._drop()

    def _look_after(self) -> None:
        """What has to happen about every second, whatever else goes on."""
        if self.runner.running and self._is_due("renew", min(RENEW_SECONDS, settings.JOB_LEASE_SECONDS / 4)):
            self._renew()
            self._stop_cancelled()
        if self._is_due("pause", PAUSE_SECONDS):
            self._paused = set(self.role.queues) & set(paused())
        if self._is_due("sign of life", settings.JOB_WORKER_SILENT_SECONDS / 4):
            if not Worker.objects.filter(pk=self.name).update(seen_at=Now()):
                self._register()
            self._with_redis(self._tell_rq)
        if self._is_due("sweep", settings.JOB_SWEEP_SECONDS):
            self._sweep()

    def _renew(self) -> None:
        """Renew the leases that are due, and end the jobs that are lost or past their time limit.

        A job that is done before a quarter of its lease is over costs no renewal.
        """
        now = time.monotonic()
        due = {job_id: claim for job_id, claim in list(self.runner.running.items()) if claim.is_due(now)}
        over = lifecycle.renew(self.name, {job_id: claim.job.attempt for job_id, claim in due.items()})
        for job_id, claim in due.items():
            if job_id not in over:
                claim.renewed_at = now
            elif self.runner.running.get(job_id) is claim:
                self.runner.give_up(job_id)  # before its resource's next job may start
                why = "ended at its time limit" if lifecycle.expire(claim.job) else "is not ours any more"
                logger.warning("job %s: attempt %d %s", job_id, claim.job.attempt, why)

    def _stop_cancelled(self) -> None:
        """End the processes of jobs that were cancelled and reach no safe point."""
        if not self.runner.can_kill:
            return
        for job_id in lifecycle.to_stop(self.name, list(self.runner.running), STOP_SECONDS):
            job = self.runner.running[job_id].job
            self.runner.give_up(job_id)
            if lifecycle.stop(job):
                logger.info("job %s: attempt %d was cancelled", job_id, job.attempt)

    def _register(self) -> None:
        Worker.objects.update_or_create(
            name=self.name,
            defaults={"role": self.role, "concurrency": self.runner.concurrency, "seen_at": Now()},
        )
        sweep.prepare()

    def _tell_rq(self) -> None:
        """Register with RQ (again, if Redis was wiped) or renew the registration."""
        if self.connection.exists(self.key):
            self.heartbeat()
        else:
            self.register_birth()  # type: ignore[no-untyped-call]

    def _sweep(self) -> None:
        """Repair what went missing, if this worker is the leader."""
        now = time.time()  # unlike the monotonic clock it goes on while the machine sleeps
        leads = sweep.lead(self.name)
        if not leads or now - self._looked_at > sweep.LEADER_SECONDS:
            self._frees_from = now + sweep.SETTLE_SECONDS
        self._looked_at = now
        if leads:
            if now >= self._frees_from:
                sweep.sweep()
            if self._is_due("settle", sweep.SETTLE_EVERY):
                sweep.settle()
            if self._is_due("lines", sweep.LINES_SECONDS):
                sweep.mend_lines()
            self._with_redis(sweep.push_missing)

    def _shut_down(self) -> None:
        """Let running jobs end within the grace period, and sign off.

        Those that are left are for `hand_back`, when this process is gone: nothing else stops a thread, and another
        worker starts its job at once.
        """
        end = time.monotonic() + self.grace
        while self.runner.running and (left := end - time.monotonic()) > 0:
            self._with_database(self._look_after)
            self.runner.wait(min(left, 0.5))
        Worker.objects.filter(pk=self.name).delete()
        sweep.resign(self.name)
        self._with_redis(self.register_death)
        for job_id in list(self.runner.running):
            self.runner.give_up(job_id)

    # --- helpers ---

    def _stop(self, _sign: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _is_due(self, what: str, seconds: float) -> bool:
        """Whether `what` was last due `seconds` ago or more; notes that it is done now."""
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    def _drop(self) -> None:
        Worker.objects.filter(pk=self.name).update(dropped=F("dropped") + 1)

    def _with_redis(self, step: Callable[[], Any]) -> Any:
        """Do a step that needs Redis; when it fails, leave Redis alone for a second. Returns None then."""
        if time.monotonic() < self._redis_away_until:
            time.sleep(0.2)
            return None
        try:
            return step()
        except RedisError as error:
            logger.warning("Redis does not answer (%s): trying again in a second", error)
            self._redis_away_until = time.monotonic() + 1
            return None

    def _with_database(self, step: Callable[[], Any]) -> Any:
        """Do a step that needs the database; when it is away, wait a moment. Returns None then."""
        try:
            return step()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The database does not answer (%s): trying again", error)
            close_old_connections()
            time.sleep(0.5)
            return None
