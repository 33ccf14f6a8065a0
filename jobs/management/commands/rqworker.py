"""`manage.py rqworker`: Offload's worker, in place of django-rq's command of the same name."""

import argparse
import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from jobs.kind import Role
from jobs.worker import OffloadWorker, end_with_parent


class Command(BaseCommand):
    """Runs the jobs of one role, or of both side by side."""

    help = (
        "Runs jobs. Without --role it starts one process for each role: network (jobs that wait, on threads) "
        "and media (jobs that compute, a process each). SIGTERM or Ctrl-C: running jobs get the grace period to end, "
        "then they are handed to another worker."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument("--role", choices=[str(role) for role in Role], help="serve this role only")
        parser.add_argument(
            "--concurrency",
            type=_positive,
            help=f"jobs at once in one process (network: {settings.NETWORK_CONCURRENCY}, "
            f"media: {settings.MEDIA_CONCURRENCY}); needs --role",
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=settings.JOB_GRACE_SECONDS,
            help="seconds that running jobs get to end at shutdown (%(default)s)",
        )

    def handle(self, *, role: str | None, concurrency: int | None, grace: float, **options: Any) -> None:
        """Serve until a signal asks to stop."""
        if role is not None:
            _serve(Role(role), concurrency, grace)
        else:
            _serve_all(grace)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _serve(role: Role, concurrency: int | None, grace: float) -> None:
    default = settings.NETWORK_CONCURRENCY if role is Role.NETWORK else settings.MEDIA_CONCURRENCY
    OffloadWorker(role, concurrency or default, grace).work()


def _serve_all(grace: float) -> None:
    """One child process for each role. A child that ends by accident is started again; a signal ends them all."""
    connections.close_all()
    children: dict[int, Role] = {}
    stopping = False

    def stop(_sign: int, _frame: Any) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            os.kill(pid, signal.SIGTERM)

    parent = os.getpid()
    for role in Role:
        children[_fork(role, grace, parent)] = role
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, stop)
    while children:
        pid, _ = os.wait()
        ended = children.pop(pid, None)
        if ended is not None and not stopping:
            children[_fork(ended, grace, parent)] = ended


def _fork(role: Role, grace: float, parent: int) -> int:
    """Fork a child that serves one role and ends when this process does. Returns its pid."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            end_with_parent(parent, signal.SIGTERM)
            _serve(role, None, grace)
            code = 0
        finally:
            os._exit(code)
    return pid
