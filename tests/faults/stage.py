"""What the fault tests act on: a Redis of their own, workers and a web process that use it, and the final judgement."""

import itertools
import os
import secrets
import signal
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psutil
import redis
import requests
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from jobs.core import lifecycle
from jobs.core.waiting import wait_of
from jobs.kind import Submission, kind_named
from jobs.models import Attempt, Job, Status, Worker
from jobs.sandbox.services import free_port, valkey_command
from tests.environment import VAR
from tests.faults.ledger import Arrival, Ledger
from tests.faults.proxy import Proxy
from tests.processes import Process, manage, stop_all, wait_until

_numbers = itertools.count()


class RedisServer:
    """A Valkey of one test, which may kill, freeze and wipe it. It keeps on disk what it was told."""

    def __init__(self) -> None:
        self.folder = VAR / f"redis-{next(_numbers)}"
        self.folder.mkdir()
        self.socket = self.folder / "socket"
        self.url = f"unix://{self.socket}"
        self.client = redis.Redis.from_url(self.url, retry=None)
        self.start()

    def start(self) -> None:
        """Start it, with what it had on disk."""
        self.process = Process(valkey_command(self.folder, self.socket), name="redis")
        wait_until(self._answers, what="Redis answers")

    def kill(self) -> None:
        """As a crash of its machine would."""
        self.process.signal(signal.SIGKILL)
        self.process.popen.wait()

    def freeze(self) -> None:
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.signal(signal.SIGCONT)

    def wipe(self) -> None:
        self.client.flushall()

    def stop(self) -> None:
        self.client.close()
        if self.process.alive():
            self.thaw()
        self.process.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class WorkerProcess:
    """`manage.py rqworker` with its supervisor, one process for each role, and their children."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def role(self, role: str) -> psutil.Process:
        """The process that serves the role."""
        pids = {child.pid for child in psutil.Process(self.process.pid).children()}
        names = Worker.objects.filter(role=role).order_by("-started_at").values_list("name", flat=True)
        return psutil.Process(next(pid for name in names if (pid := pid_in(name)) in pids))

    def family(self) -> list[psutil.Process]:
        """All its processes, the supervisor first."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def kill(self) -> None:
        """Kill all its processes at once."""
        for member in self.family():
            send(member, signal.SIGKILL)
        self.process.popen.wait()

    def registered(self, roles: int) -> bool:
        pids = {str(child.pid) for child in psutil.Process(self.process.pid).children()}
        return (
            len({name for name in Worker.objects.values_list("name", flat=True) if name.split(":")[1] in pids}) == roles
        )


class Web:
    """The site in gunicorn, and a signed-in client of it. `kill` and `launch` as often as a test likes.

    has_answered: whether it has answered a submit since it was launched.
    """

    def __init__(self, env: dict[str, str], user: User) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {**env, "PORT": str(self.port), "WEB_CONCURRENCY": "2"}
        visitor = Client()
        visitor.force_login(user)
        self.session = requests.Session()
        self.session.cookies.set("sessionid", visitor.cookies["sessionid"].value)
        token = secrets.token_hex(16)
        self.session.cookies.set("csrftoken", token)
        self.session.headers["X-CSRFToken"] = token
        self.launch()

    def launch(self) -> None:
        """Start it, and don't wait for it."""
        self.has_answered = False
        command = [sys.executable, "-m", "gunicorn", "config.asgi"]
        self.process = Process(command, self._env, name="web")

    def wait(self) -> None:
        """Until it answers."""
        wait_until(lambda: self._answers() or not self.process.alive(), seconds=40, what="the site answers")
        assert self.process.alive(), self.process.log

    def submit(self, kind: str, key: str = "", timeout: float = 20, **fields: Any) -> requests.Response:
        """Ask for jobs, with an Idempotency-Key if one is given."""
        headers = {"Accept": "application/json", **({"Idempotency-Key": key} if key else {})}
        answer = self.session.post(f"{self.url}/jobs/new/{kind}/", json=fields, headers=headers, timeout=timeout)
        self.has_answered = True
        return answer

    def kill(self) -> None:
        """Kill gunicorn with all its processes."""
        self.process.signal(signal.SIGKILL, group=True)
        self.process.popen.wait()

    def stop(self) -> None:
        self.session.close()
        self.process.stop()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).status_code in (200, 503)
        except requests.RequestException:
            return False


class Stage:
    """One test's world."""

    def __init__(self, env: dict[str, str], server: RedisServer, ledger: Ledger) -> None:
        self.redis = server
        self.ledger = ledger
        quotas = {"QUOTA_JOBS": "0", "QUOTA_PACE": "0"}  # one person does what a crowd does elsewhere
        media = {"MEDIA_CONCURRENCY": str(max(4, os.cpu_count() or 1))}
        self.env = {**env, **quotas, **media, "REDIS_URL": server.url}
        self.workers: list[WorkerProcess] = []

    def through(self, proxy: Proxy) -> None:
        """Processes started from now on reach Redis through the proxy."""
        self.env["REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"

    def launch_worker(self, *args: str, env: Mapping[str, str] | None = None) -> WorkerProcess:
        """Start `manage.py rqworker ARGS`, and don't wait for it."""
        worker = WorkerProcess(Process(manage("rqworker", *args), {**self.env, **(env or {})}, name="worker"))
        self.workers.append(worker)
        return worker

    def start_worker(self, *args: str, env: Mapping[str, str] | None = None) -> WorkerProcess:
        """Start `manage.py rqworker ARGS` and wait until each of its roles has registered."""
        worker = self.launch_worker(*args, env=env)
        roles = 1 if "--role" in args else 2
        wait_until(lambda: worker.registered(roles), what="the worker registers", seconds=40)
        return worker

    def accept(
        self, kind: str, thing: str = "", change: str = "+1", *, run_at: datetime | None = None, **payload: Any
    ) -> Job:
        """Accept one job that changes `thing` in the ledger; without a name, a thing of its own and no resource."""
        the_kind = kind_named(kind)
        assert the_kind
        asked = {"ledger": self.ledger.port, "object": thing or secrets.token_hex(4), "change": change, **payload}
        submission = Submission(asked, f"{asked['object']} {change}", thing)
        (job,) = lifecycle.submit(the_kind, [submission], owner=None, run_at=run_at).jobs
        return job

    def arrived(self, job: Job, attempts: int = 1, seconds: float = 20) -> Arrival:
        """Wait until so many attempts of the job have begun to work. Returns the last of them."""
        what = f"{attempts} attempts of {job.kind} begin"
        return wait_until(lambda: self.ledger.arrivals_of(job.pk)[attempts - 1 :], seconds, what)[0]

    def changed(self, job: Job, seconds: float = 20) -> None:
        """Wait until the job's effect is there."""
        wait_until(lambda: self.ledger.effects_of(job.pk), seconds, "the effect is made")

    def settle(self, seconds: float = 30) -> None:
        """Wait until every job has its outcome; tells which have none, and what they say they wait for."""
        end = time.monotonic() + seconds
        while Job.objects.unfinished().exists():
            if time.monotonic() > end:
                left = [(job.title, job.status, job.attempt, wait_of(job)) for job in Job.objects.unfinished()[:10]]
                raise AssertionError(f"No outcome within {seconds} s: {left}")
            time.sleep(0.05)

    def stop(self) -> None:
        stop_all([worker.process for worker in self.workers])

    # --- the judgement ---

    def judge(self, *, effects: int = 1, overlaps: bool = False) -> None:
        """What must hold after each fault, whatever it was.

        Every job has succeeded with `effects` effects, in the order of acceptance on each object, and the rows tell the
        same story. overlaps: allowed, for attempts that were frozen.
        """
        failed = Job.objects.exclude(status=Status.SUCCEEDED).values_list("title", "status", "error_code", "attempt")
        assert not failed, list(failed)
        for job in Job.objects.all():
            assert len(self.ledger.effects_of(job.pk)) == effects, job.title
        self.judge_order()
        judge_rows()
        assert overlaps or not self.ledger.overlaps, self.ledger.overlaps

    def judge_order(self) -> None:
        """Values equal the sequential replay: on each object the effects came in the order of acceptance."""
        order = [str(pk) for pk in Job.objects.exclude(resource="").order_by("position").values_list("pk", flat=True)]
        places = {job_id: place for place, job_id in enumerate(order)}
        made: defaultdict[str, list[int]] = defaultdict(list)
        for effect in self.ledger.effects:
            if effect.job in places:
                made[effect.object].append(places[effect.job])
        for thing, sequence in made.items():
            assert sequence == sorted(sequence), f"{thing}: not in the order of acceptance"


def judge_rows() -> None:
    """The rows' own invariants, in SQL."""
    questions = {
        "a finished job holds a turn": "SELECT count(*) FROM offload_job WHERE finished_at IS NOT NULL AND has_turn",
        "the number of attempts is not the number of its last attempt": (
            "SELECT count(*) FROM offload_job j "
            "WHERE attempt <> (SELECT count(*) FROM offload_attempt a WHERE a.job_id = j.id)"
        ),
        "two attempts on one resource overlap": (
            "SELECT count(*) FROM offload_attempt a JOIN offload_job j ON j.id = a.job_id "
            "JOIN offload_job k ON k.resource = j.resource JOIN offload_attempt b ON b.job_id = k.id "
            "WHERE j.resource <> '' AND a.id <> b.id AND a.started_at < b.ended_at AND b.started_at < a.ended_at"
        ),
        "a succeeded job has more than one succeeded attempt": (
            "SELECT count(*) FROM (SELECT job_id FROM offload_attempt WHERE outcome = 'succeeded' "
            "GROUP BY job_id HAVING count(*) > 1) AS twice"
        ),
    }
    with connection.cursor() as cursor:
        for question, sql in questions.items():
            cursor.execute(sql)
            assert cursor.fetchone() == (0,), question


def frozen_with_hint(stage: Stage, worker: psutil.Process) -> Job:
    """Freeze the worker in its blocking pop, and have Redis answer that with a job's hint. Returns the job."""
    client = stage.redis.client
    while True:
        freeze(worker)
        job = stage.accept("tally", "x")
        if client.exists(f"rq:job:{job.pk}") and not client.exists("rq:queue:network"):
            return job
        send(worker, signal.SIGCONT)  # it stood elsewhere: another time
        stage.settle()


def killed_before_the_claim(stage: Stage, count: int) -> tuple[list[Job], int]:
    """Kill a worker that has taken hints out of Redis, and could not claim their jobs yet.

    Returns `count` jobs that wait, and how many of their hints were taken.
    """
    while True:
        victim = stage.start_worker("--role", "network", "--concurrency", str(count))
        held = [stage.accept("tally", hold="before") for _ in range(count)]
        for job in held:
            stage.arrived(job)
        jobs = [stage.accept("tally") for _ in range(count)]
        messages = [f"rq:job:{job.pk}" for job in jobs]
        with no_other_writes():
            for job in held:
                stage.ledger.let_go(job.payload["object"])  # now it has places for more; a next try holds its own
            end = time.monotonic() + 2
            while not (taken := count - int(stage.redis.client.exists(*messages))) and time.monotonic() < end:
                time.sleep(0.01)
            if taken:
                victim.kill()
                if connection.vendor == "postgresql":  # it would still do what the dead had asked for
                    connection.cursor().execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                return jobs, taken
        stage.settle()  # it wanted to write something else before: another time
        victim.process.stop()


@contextmanager
def no_other_writes() -> Iterator[None]:
    """Keep every other process from writing jobs, so that what they want to write piles up."""
    with transaction.atomic():  # on SQLite this alone does it
        if connection.vendor == "postgresql":
            connection.cursor().execute("LOCK TABLE offload_job IN EXCLUSIVE MODE")
        yield


def outcomes(job: Job) -> list[str]:
    """How each attempt of the job ended, in their order."""
    return list(Attempt.objects.filter(job=job).order_by("number").values_list("outcome", flat=True))


def freeze(*processes: psutil.Process) -> None:
    """Stop the processes, but not while one of them holds SQLite's one write lock: then nobody could write at all."""
    while True:
        for process in processes:
            send(process, signal.SIGSTOP)
        if connection.vendor != "sqlite" or _can_be_written():
            return
        for process in processes:
            send(process, signal.SIGCONT)


def _can_be_written() -> bool:
    database = sqlite3.connect(connection.settings_dict["NAME"], timeout=0.5, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()
    return True


def send(process: psutil.Process, sign: signal.Signals) -> None:
    """Signal a process; one that is gone is fine."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, sign)


def pid_in(name: str) -> int:
    """The process id in a worker's name."""
    return int(name.split(":")[1])


def gone(process: psutil.Process) -> bool:
    """Whether it has ended (a zombie has)."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
