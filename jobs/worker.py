"""The worker process: takes hints from RQ, runs their jobs, keeps their leases, and sweeps if it leads.

`manage.py rqworker` starts it. One process serves one role: network jobs run on threads, media jobs each in a child
process. The loop below does everything else in one thread, so that it can fork.
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
from rq.exceptions import DequeueTimeout
from rq.job import Job as Message
from rq.serializers import JSONSerializer

from jobs import dispatch, lifecycle, sweep
from jobs.execution import keep_results, run_attempt, work
from jobs.kind import Role
from jobs.models import Job, Status, Worker
from jobs.pauses import is_paused
from jobs.processes import end_with_parent

logger = logging.getLogger(__name__)

STOP_SECONDS = 2
"""How long a job that its owner cancelled has to reach a safe point, before its process is killed."""
PAUSE_SECONDS = 1
"""How often the loop looks whether staff have paused its queue. No job of a paused queue can be claimed; meanwhile this
leaves the hints where they are."""
POP_SECONDS = 1
"""How long the loop waits for a hint before it looks after everything else."""


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
if ARGV[3] then
    redis.call('LREM', KEYS[2], 1, ARGV[3])
    redis.call('DEL', ARGV[1] .. ARGV[3])
end
local taken = redis.call('LPOP', KEYS[1], ARGV[2]) or {}
for _, hint in ipairs(taken) do
    redis.call('DEL', ARGV[1] .. hint)
end
return taken
"""
"""Takes hints together with their messages, all or none, so that what is missing in Redis is seen by the sweep.

KEYS: the queue, its intermediate queue. ARGV: what the keys of messages begin with, the most hints to take, one that
stands in the intermediate queue and is done with (or nothing).
https://redis.io/docs/latest/develop/programmability/eval-intro/
"""


class Runner(Protocol):
    """Runs claimed jobs side by side."""

    concurrency: int
    can_kill: bool
    """Whether `give_up` ends the job's code, wherever it is."""
    running: dict[UUID, Job]
    """The claimed jobs whose outcome is not written yet."""

    def free(self) -> int:
        """How many more jobs it can run now."""

    def run(self, job: Job) -> None:
        """Begin."""

    def wait(self, seconds: float) -> None:
        """Return when a job has ended, or after `seconds`."""

    def give_up(self, job_id: UUID) -> None:
        """Stop the job: its claim is lost, it may write nothing more."""


class Threads:
    """Runs jobs on threads: for kinds that wait for others.

    A thread can't be stopped from outside. One whose job was given up is left to end by itself (everything it writes is
    refused), and another takes its place.

    Results are written by one more thread, all that are there in one transaction; see GATHER_SECONDS.
    """

    can_kill = False

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.running: dict[UUID, Job] = {}
        self._on_threads: dict[UUID, Job] = {}
        self._todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Job, Mapping[str, Any]]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._keep, daemon=True, name="results").start()
        for _ in range(concurrency):
            self._add_thread()

    def free(self) -> int:
        """How many threads have no job."""
        return self.concurrency - len(self._on_threads)

    def run(self, job: Job) -> None:
        """Hand the job to a free thread."""
        with self._lock:
            self.running[job.pk] = self._on_threads[job.pk] = job
        self._todo.put(job)

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
            job = self._todo.get()
            result = work(job)
            close_old_connections()
            with self._lock:
                given_up = self._on_threads.get(job.pk) is not job
                if not given_up:
                    del self._on_threads[job.pk]
            if result is not None:
                self._results.put((job, result))
            else:
                self._forget(job)
            self._ended.set()
            if given_up:
                connections.close_all()
                return

    def _keep(self) -> None:
        while True:
            ended = [self._results.get()]
            if self._on_threads and not ended[0][0].resource:
                time.sleep(GATHER_SECONDS)
            with suppress(queue.Empty):
                while len(ended) < RESULTS:
                    ended.append(self._results.get_nowait())
            keep_results(ended)
            for job, _ in ended:
                self._forget(job)
            self._ended.set()

    def _forget(self, job: Job) -> None:
        with self._lock:
            if self.running.get(job.pk) is job:
                del self.running[job.pk]


class Processes:
    """Runs each job in a forked child: for kinds that compute. A child can be killed at any moment."""

    can_kill = True

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.running: dict[UUID, Job] = {}
        self._children: dict[UUID, multiprocessing.process.BaseProcess] = {}
        self._fork = multiprocessing.get_context("fork")

    def free(self) -> int:
        """How many more children there may be. Those that have ended make room for others."""
        self.wait(0)
        return self.concurrency - len(self._children)

    def run(self, job: Job) -> None:
        """Fork a child for the job. No connection is open across the fork."""
        connections.close_all()
        child = self._fork.Process(target=_run_in_child, args=(job, os.getpid()), name=f"job {job.pk}", daemon=True)
        child.start()
        self.running[job.pk] = job
        self._children[job.pk] = child

    def wait(self, seconds: float) -> None:
        """Return when a child has ended, or after `seconds`. A job whose child died without an outcome runs again."""
        wait_for_any([child.sentinel for child in self._children.values()], seconds)
        for job_id, child in list(self._children.items()):
            if not child.is_alive():
                if child.exitcode:
                    logger.error("job %s: its process ended with exit code %s", job_id, child.exitcode)
                lifecycle.lose(self.running[job_id], lapsed=False)
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
        """role: which queue it serves. concurrency: jobs at once. grace: seconds that jobs get to end at shutdown.

        token: see `name_of`.
        """
        super().__init__(
            [str(role)],
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
        self._paused = False
        self._redis_away_until = 0.0
        self._take = self.connection.register_script(TAKE)
        self._standing: list[bytes] = []
        self._stranded: set[str] = set()
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
            free = 0 if self._paused else self._with_database(self.runner.free)
            if not free:
                self._with_database(partial(self.runner.wait, PAUSE_SECONDS if self._paused else POP_SECONDS))
            elif hints := self._with_redis(partial(self._pop, free)):
                self._with_database(partial(self._claim, hints))
        self._with_database(self._shut_down)

    # --- the steps of the loop ---

    def _pop(self, most: int) -> list[str]:
        """The ids of the next hints, taken out of Redis; none after POP_SECONDS.

        One that had to be waited for stands in the intermediate queue until the next call: its job is claimed first.
        """
        line = self.queues[0]
        keys = [line.key, line.intermediate_queue_key]
        try:
            taken = self._take(keys, [MESSAGE, most, *self._standing])
            self._standing = []
            if not taken:
                _, first = line.lmove(self.connection, line.key, POP_SECONDS)
                taken = self._standing = [first]
        except DequeueTimeout:
            return []
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
        for job in lifecycle.start_all(job_ids, self.name):
            # An older attempt of the same job may still be here: we were silent for so long that it was taken from us.
            self.runner.give_up(job.pk)
            self.runner.run(job)
            job_ids.remove(job.pk)
        if job_ids:
            for unknown in job_ids.difference(Job.objects.filter(pk__in=job_ids).values_list("pk", flat=True)):
                logger.error("A message for a job that does not exist was dropped: %s", unknown)
                self._drop()

    def _look_after(self) -> None:
        """What has to happen about every second, whatever else goes on."""
        if self.runner.running and self._is_due("renew", min(1.0, settings.JOB_LEASE_SECONDS / 4)):
            held = {job_id: job.attempt for job_id, job in list(self.runner.running.items())}
            for job_id in lifecycle.renew(self.name, held):
                if (job := self.runner.running.get(job_id)) is not None:
                    self.runner.give_up(job_id)  # before its resource's next job may start
                    why = "ended at its time limit" if lifecycle.expire(job) else "is not ours any more"
                    logger.warning("job %s: attempt %d %s", job_id, job.attempt, why)
            self._stop_cancelled()
        if self._is_due("pause", PAUSE_SECONDS):
            self._paused = is_paused(self.role)
        if self._is_due("sign of life", settings.JOB_WORKER_SILENT_SECONDS / 4):
            if not Worker.objects.filter(pk=self.name).update(seen_at=Now()):
                self._register()
            self._with_redis(self._tell_rq)
        if self._is_due("sweep", settings.JOB_SWEEP_SECONDS):
            self._sweep()

    def _stop_cancelled(self) -> None:
        """End the processes of jobs that were cancelled and reach no safe point."""
        if not self.runner.can_kill:
            return
        for job_id in lifecycle.to_stop(self.name, list(self.runner.running), STOP_SECONDS):
            job = self.runner.running[job_id]
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
            self._with_redis(self._repair_hints)

    def _repair_hints(self) -> None:
        self._stranded = dispatch.clear_stranded(self._stranded)
        sweep.push_missing()

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
