"""The systems that are measured: how each one's two worker processes are started, and where it keeps outcomes."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

Command = list[str]


@dataclass(frozen=True)
class System:
    """One line of a table.

    name: what the command line calls it. label: what a reader reads. package: what must be installed.
    client: its module for bench.client. variant: see bench.peers.base. workers: the commands that start two worker
    processes of so many jobs at once each. state: where an outcome is kept when the job is done, "" for nowhere.
    apps: Django apps it needs. threads: whether a process runs more than one job at once. databases: where it works.
    """

    name: str
    label: str
    package: str
    client: str
    variant: str
    workers: Callable[[int], list[Command]]
    state: str = ""
    apps: str = ""
    threads: bool = True
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_offload(self) -> bool:
        """Whether it is us."""
        return self.package == "rq" and self.client == "bench.app.client"

    @property
    def installed(self) -> bool:
        """Whether this Python has it."""
        return importlib.util.find_spec(self.package) is not None


def _twice(*arguments: str) -> list[Command]:
    """The same process twice."""
    return [[sys.executable, *arguments]] * 2


def _offload(role: str) -> Callable[[int], list[Command]]:
    options = ["--role", role, "--processes", "2", "--concurrency"]
    return lambda at_once: [[sys.executable, "manage.py", "rqworker", *options, str(at_once)]]


def _dramatiq(at_once: int) -> list[Command]:
    options = ["--processes", "2", "--threads", str(at_once), "--path", "."]
    return [[sys.executable, "-m", "dramatiq", "bench.peers.dramatiq_app", *options]]


def _celery(at_once: int) -> list[Command]:
    pool = ["--pool", "threads", "--concurrency", str(at_once), "--loglevel", "WARNING"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [
        [sys.executable, "-m", "celery", "-A", "bench.peers.celery_app", "worker", *pool, *quiet, "-n", name]
        for name in ("one", "two")
    ]


def _huey(at_once: int) -> list[Command]:
    pool = ["-k", "thread", "-w", str(at_once), "--no-periodic", "-g", "TERM", "--quiet"]
    return _twice("-m", "huey.bin.huey_consumer", "bench.peers.huey_app.huey", *pool)


def _procrastinate(at_once: int) -> list[Command]:
    return _twice("-m", "bench.peers.procrastinate_app", str(at_once))


def _tasks_db(_at_once: int) -> list[Command]:
    # Idle, it asks the database ten times a second; its default is once.
    return _twice("-m", "django", "db_worker", "--interval", "0.1", "--no-startup-delay", "-v", "0")


def _q2(_at_once: int) -> list[Command]:
    return [[sys.executable, "-m", "django", "qcluster", "-v", "0"]]


def _rq(which: str) -> Callable[[int], list[Command]]:
    return lambda _at_once: _twice("-m", "bench.peers.rq_app", which)


OUR_ROW = "its row, each attempt"
THEIR_ROW = "a row, by the job's code"
PEERS = "bench.peers."

SYSTEMS = [
    System("offload", "**Offload**", "rq", "bench.app.client", "network", _offload("network"), OUR_ROW),
    System(
        "offload-media",
        "**Offload**, a process for each job",
        "rq",
        "bench.app.client",
        "media",
        _offload("media"),
        OUR_ROW,
        threads=False,
    ),
    System("celery-row", "Celery, own Django row", "celery", PEERS + "celery_app", "row", _celery, THEIR_ROW),
    System(
        "celery-django",
        "Celery + django-celery-results",
        "django_celery_results",
        PEERS + "celery_app",
        "django",
        _celery,
        "its row, of the outcome",
        apps="django_celery_results",
    ),
    System("dramatiq-row", "Dramatiq, own Django row", "dramatiq", PEERS + "dramatiq_app", "row", _dramatiq, THEIR_ROW),
    System(
        "dramatiq-django",
        "Dramatiq + django-dramatiq",
        "django_dramatiq",
        PEERS + "dramatiq_app",
        "django",
        _dramatiq,
        "its row",
        apps="django_dramatiq",
    ),
    System(
        "procrastinate",
        "procrastinate",
        "procrastinate",
        PEERS + "procrastinate_app",
        "django",
        _procrastinate,
        "its row, events",
        apps="procrastinate.contrib.django",
        databases=("postgresql",),
    ),
    System(
        "django-tasks-db",
        "django-tasks-db",
        "django_tasks_db",
        PEERS + "tasks_db_app",
        "django",
        _tasks_db,
        "its row",
        apps="django_tasks,django_tasks_db",
        threads=False,
    ),
    System(
        "django-q2",
        "django-q2",
        "django_q",
        PEERS + "q2_app",
        "django",
        _q2,
        "its row, of the outcome",
        apps="django_q",
        threads=False,
    ),
    System("celery", "Celery", "celery", PEERS + "celery_app", "plain", _celery),
    System("dramatiq", "Dramatiq", "dramatiq", PEERS + "dramatiq_app", "plain", _dramatiq),
    System("huey", "Huey", "huey", PEERS + "huey_app", "plain", _huey),
    System("rq-simple", "RQ, SimpleWorker", "rq", PEERS + "rq_app", "plain", _rq("simple"), threads=False),
    System("rq-fork", "RQ", "rq", PEERS + "rq_app", "plain", _rq("fork"), threads=False),
]
