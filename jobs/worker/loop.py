"""The worker process: takes hints from RQ, runs their jobs, keeps their leases, and sweeps if it leads.

`manage.py rqworker` starts it. One process serves the queues of one role: network jobs run on threads, media jobs each
in a child process. The loop below does everything else in one thread, so that it can fork.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast
from uuid import UUID

import rq
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import F
from django.db.models.functions import Now
from redis import RedisError, ResponseError
from rq.job import Job as Message
from rq.serializers import JSONSerializer

from ..conf import options
from ..core import dispatch, lifecycle
from ..core.pauses import paused
from ..kind import Queue, Role
from ..models import Job, Worker
from . import sweep
from .connections import share_connections
from .runners import Claim, Processes, Runner, Threads

logger = logging.getLogger(__name__)

STOP_SECONDS = 2
"""How long a job that its owner cancelled has to reach a safe point, before its process is killed."""
PAUSE_SECONDS = 1
"""How often the loop looks whether staff have paused its queues. No job of such a queue can be claimed; this leaves the
hints where they are."""
POP_SECONDS = 1
"""How long the loop waits for a hint before it looks after everything else; with a short lease, a quarter of that."""
URGENT_SECONDS = 0.1
"""How often a worker that has no other place left looks for an urgent hint."""
JUMP_SECONDS = 1.0
"""When the wall clock has moved so much further (or back) than the monotonic one, the machine slept, or its clock was
set: whatever is known of leases may be wrong."""

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


def name_of(pid: int, token: str) -> str:
    """The name of a worker process of this machine. token: tells it from another process that has this pid later."""
    return f"{socket.gethostname()[:50]}:{pid}:{token}"


class OffloadWorker(rq.Worker):
    """An RQ worker for one role that treats messages as hints.

    RQ gives it the queue, the delivery and the registration that `rq info` and django-rq's pages show. Claiming,
    leases, retries and time limits are the row's (`jobs.core.lifecycle`); nothing of a message but its id is read.
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
        self._beat = min(float(POP_SECONDS), options.LEASE_SECONDS / 4)
        self._clocks_apart = time.time() - time.monotonic()
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
                self._with_database(partial(self.runner.wait, self._beat))
            elif hints := self._with_redis(partial(self._pop, served, free)):
                self._with_database(partial(self._claim, hints))
            elif free <= self.runner.reserved:
                self._with_database(partial(self.runner.wait, URGENT_SECONDS))
        self._with_database(self._shut_down)

    # --- the steps of the loop ---

    def _places(self, queue: Queue, free: int) -> int:
        """How many of the free places jobs of this queue may take."""
        return free if queue is Queue.URGENT else max(0, free - self.runner.reserved)

    def _pop(self, queues: list[Queue], free: int) -> list[str]:
        """The ids of the next hints, taken out of Redis, at most `free`.

        If there are none: the first that comes within POP_SECONDS. Not while only urgent jobs have a place: another
        place may become free meanwhile. The message of one that was waited for is deleted when its job was claimed.
        """
        keys = [dispatch.key_of(queue) for queue in queues]
        try:
            taken = self._take(keys, [MESSAGE, self._done, free, *(self._places(queue, free) for queue in queues)])
            self._done = b""
            if not taken and free > self.runner.reserved and (found := self.connection.blpop(keys, self._beat)):
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
        if self.runner.running and self._is_due("renew", self._beat):
            self._renew()
            self._stop_cancelled()
        if self._is_due("pause", PAUSE_SECONDS):
            self._paused = set(self.role.queues) & set(paused())
        if self._is_due("sign of life", options.WORKER_SILENT_SECONDS / 4):
            if not Worker.objects.filter(pk=self.name).update(seen_at=Now()):
                self._register()
            self._with_redis(self._tell_rq)
        if self._is_due("sweep", options.SWEEP_SECONDS):
            self._sweep()

    def _renew(self) -> None:
        """Renew the leases that are due, and end the jobs that are lost or past their time limit.

        A job that is done before a quarter of its lease is over costs no renewal. After a sleep of the machine all are
        due at once: the leader waits SETTLE_SECONDS for that (jobs.worker.sweep).
        """
        now = time.monotonic()
        apart = time.time() - now
        jumped, self._clocks_apart = abs(apart - self._clocks_apart) > JUMP_SECONDS, apart
        due = {job_id: claim for job_id, claim in list(self.runner.running.items()) if jumped or claim.is_due(now)}
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
            if self._is_due("tidy", sweep.TIDY_SECONDS):
                sweep.tidy()
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
        if self._done:
            self._with_redis(partial(self.connection.delete, MESSAGE.encode() + self._done))
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
