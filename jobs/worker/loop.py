"""The worker process: takes hints from RQ, runs their jobs, keeps their leases, and sweeps if it leads.

`manage.py rqworker` starts it. One process serves the queues of one role: network jobs run on threads, media jobs each
in a child process. The loop below does everything else in one thread, so that it can fork.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any, cast
from uuid import UUID

import rq
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models.functions import Now
from redis import RedisError, ResponseError
from rq.job import Job as Message
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from ..conf import options
from ..core import dispatch, lifecycle
from ..core.pauses import paused
from ..core.processes import this_host
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
local prefix, done, places, most_looked_at = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if done ~= '' then redis.call('UNLINK', prefix .. done) end
local taken, without_message, garbage, looked_at = {}, {}, 0, 0
for number, line in ipairs(KEYS) do
    local most = math.min(places - #taken, tonumber(ARGV[number + 4]))
    while most > 0 and looked_at < most_looked_at do
        local hints = redis.call('LPOP', line, most)
        if not hints then break end
        looked_at = looked_at + #hints
        for _, hint in ipairs(hints) do
            if #hint ~= 36 then
                garbage = garbage + 1
            elseif redis.call('UNLINK', prefix .. hint) == 0 then
                without_message[#without_message + 1] = hint
            else
                taken[#taken + 1] = hint
                most = most - 1
            end
        end
    end
end
return {taken, without_message, garbage}
"""
"""Takes hints together with their messages, all or none, so that what is missing in Redis is seen by the sweep.

KEYS: the queues, the first one first. ARGV: what the keys of messages begin with, a hint that is done with and whose
message is still there (or nothing), the most hints to take, the most to look at, the most to take of each queue.
Returns the hints; those that had no message, which are duplicates or false and not worth a place; and how many were no
id at all. So what comes back is small, whatever was there.
https://redis.io/docs/latest/develop/programmability/eval-intro/
"""
LOOK_AT = 10_000
"""The most hints that one call of TAKE looks at: it has Redis for itself meanwhile, about 10 ms."""
TELL_SECONDS = 60
"""How often at most the log tells of messages that named no job."""


def name_of(pid: int, token: str) -> str:
    """The name of a worker process of this machine. token: tells it from another process that has this pid later."""
    return f"{this_host()}:{pid}:{token}"


def _id_in(hint: bytes) -> UUID | None:
    """The id of a job that a hint is, None if it is none."""
    try:
        return UUID(hint.decode())
    except ValueError:
        return None


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
        self.hostname, self.pid = this_host(), os.getpid()
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
        self._dropped = self._told = 0

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
                self._with_database(partial(self._claim, served, *hints))
            elif free <= self.runner.reserved:
                self._with_database(partial(self.runner.wait, URGENT_SECONDS))
        self._with_database(self._shut_down)

    # --- the steps of the loop ---

    def _places(self, queue: Queue, free: int) -> int:
        """How many of the free places jobs of this queue may take."""
        return free if queue is Queue.URGENT else max(0, free - self.runner.reserved)

    def _pop(self, queues: list[Queue], free: int) -> tuple[list[bytes], list[bytes]] | None:
        """The next hints, at most `free`, and others that had no message; all taken out of Redis.

        If there are none: the first that comes within POP_SECONDS. Not while only urgent jobs have a place: another
        place may become free meanwhile. The message of one that was waited for is deleted when its job was claimed.
        """
        keys, most = [dispatch.key_of(queue) for queue in queues], [self._places(queue, free) for queue in queues]
        try:
            taken, without_message, garbage = self._take(keys, [MESSAGE, self._done, free, LOOK_AT, *most])
            self._done = b""
            self._dropped += garbage
            if taken or without_message:
                return taken, without_message
            if not garbage and free > self.runner.reserved and (found := self.connection.blpop(keys, self._beat)):
                self._done = cast(bytes, found[1])
                return [self._done], []
        except ResponseError as error:
            self._dropped += dispatch.mend(self.connection, error, dict.fromkeys(keys, "list"))
        return None

    def _claim(self, queues: list[Queue], hints: list[bytes], without_message: list[bytes]) -> None:
        """Start those of the jobs that the hints name that may run.

        If none may, the rows say what waits: whoever fills a line with false hints shall hold up nobody behind them.
        """
        named = [_id_in(hint) for hint in (*hints, *without_message)]
        started = self._start(job_id for job_id in named[: len(hints)] if job_id)
        if not started:
            for queue in queues:
                started |= self._start(sweep.due(queue)[: self._places(queue, self.runner.free())])
            if started:
                self._with_redis(partial(self.connection.unlink, *(f"{MESSAGE}{job_id}" for job_id in started)))
        if others := [job_id for job_id in named if job_id not in started]:
            ours = Job.objects.filter(pk__in=set(filter(None, others)), queue__in=self.role.queues)
            known = set(ours.values_list("pk", flat=True))
            self._dropped += sum(job_id not in known for job_id in others)

    def _start(self, job_ids: Iterable[UUID]) -> set[UUID]:
        """Start those of the jobs that may run, and belong to this role. Returns them."""
        now = time.monotonic()
        started = lifecycle.start_all(job_ids, self.name, self.role.queues)
        for job in started:
            # An older attempt of the same job may still be here: we were silent for so long that it was taken from us.
            self.runner.give_up(job.pk)
            self.runner.run(Claim(job, renewed_at=now, ends_at=now + job.time_limit.total_seconds()))
        return {job.pk for job in started}

    def _look_after(self) -> None:
        """What has to happen about every second, whatever else goes on."""
        if self.runner.running and self._is_due("renew", self._beat):
            self._renew()
            self._stop_cancelled()
        if self._is_due("pause", PAUSE_SECONDS):
            self._paused = set(self.role.queues) & set(paused())
        if self._is_due("sign of life", options.WORKER_SILENT_SECONDS / 4):
            if not Worker.objects.filter(pk=self.name).update(seen_at=Now(), dropped=self._dropped):
                self._register()
            self._with_redis(self._tell_rq)
        if self._dropped > self._told and self._is_due("tell", TELL_SECONDS):
            logger.error("%d messages in Redis named no job and were thrown away", self._dropped - self._told)
            self._told = self._dropped
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
        try:
            if self.connection.exists(self.key):
                self.heartbeat()
            else:
                self.register_birth()  # type: ignore[no-untyped-call]
        except ResponseError as error:
            sets = [self.redis_workers_keys, *(WORKERS_BY_QUEUE_KEY % name for name in self.queue_names())]
            dispatch.mend(self.connection, error, dict.fromkeys(sets, "set"))
            self.connection.unlink(self.key)  # so that the next time it registers

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
