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
    """The same process twice, without the terminal's colours."""
    return [[sys.executable, *arguments]] * 2


def _offload(role: str) -> Callable[[int], list[Command]]:
    return lambda at_once: _twice("manage.py", "rqworker", "--role", role, "--concurrency", str(at_once))


def _dramatiq(at_once: int) -> list[Command]:
    options = ["--processes", "2", "--threads", str(at_once), "--path", "."]
    return [[sys.executable, "-m", "dramatiq", "bench.peers.dramatiq_app", *options]]


SYSTEMS = [
    System("offload", "**Offload**", "rq", "bench.app.client", "network", _offload("network"), "its row, each attempt"),
    System(
        "offload-media",
        "**Offload**, a process for each job",
        "rq",
        "bench.app.client",
        "media",
        _offload("media"),
        "its row, each attempt",
        threads=False,
    ),
    System("dramatiq", "Dramatiq", "dramatiq", "bench.peers.dramatiq_app", "plain", _dramatiq),
    System(
        "dramatiq-row",
        "Dramatiq, own Django row",
        "dramatiq",
        "bench.peers.dramatiq_app",
        "row",
        _dramatiq,
        "a row, by the job's code",
    ),
    System(
        "dramatiq-django",
        "Dramatiq + django-dramatiq",
        "django_dramatiq",
        "bench.peers.dramatiq_app",
        "django",
        _dramatiq,
        "django-dramatiq's row",
        apps="django_dramatiq",
    ),
]
