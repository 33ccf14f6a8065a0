"""`manage.py rqworker`: Offload's worker, in place of django-rq's command of the same name."""

import argparse
import gc
import logging
import os
import signal
import time
from contextlib import suppress
from types import FrameType
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from jobs.kind import Role
from jobs.processes import end_with_parent
from jobs.worker import OffloadWorker, hand_back, name_of

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What asks a worker to stop."""

RESTART_SECONDS = 1.0
"""Pause before a process that ended by accident is started again."""


class Command(BaseCommand):
    """Runs the jobs of one role, or of both side by side."""

    help = (
        "Runs jobs. Without flags it starts one process for each role: network (jobs that wait, on threads) "
        "and media (jobs that compute, a process each). SIGTERM or Ctrl-C: running jobs get the grace period to end, "
        "then they are handed to another worker."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument("--role", choices=[str(role) for role in Role], help="serve this role only")
        parser.add_argument("--processes", type=_positive, default=1, help="processes for each role (%(default)s)")
        parser.add_argument(
            "--concurrency",
            type=_positive,
            help=f"jobs at once in one process (network: {settings.NETWORK_CONCURRENCY}, "
            f"media: {settings.MEDIA_CONCURRENCY})",
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=settings.JOB_GRACE_SECONDS,
            help="seconds that running jobs get to end at shutdown (%(default)s)",
        )

    def handle(
        self, *, role: str | None, processes: int, concurrency: int | None, grace: float, **options: Any
    ) -> None:
        """Serve until a signal asks to stop."""
        roles = [Role(role)] if role else list(Role)
        _serve_all(roles * processes, concurrency, grace)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _serve(role: Role, concurrency: int | None, grace: float, token: str) -> None:
    default = settings.NETWORK_CONCURRENCY if role is Role.NETWORK else settings.MEDIA_CONCURRENCY
    OffloadWorker(role, concurrency or default, grace, token).work()


def _serve_all(roles: list[Role], concurrency: int | None, grace: float) -> None:
    """A child process for each entry of `roles`. One that ends by accident is started again; a signal ends them all."""
    connections.close_all()
    # What is loaded by now stays: the children share the memory for longer if their collectors don't look at it.
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.collect()
    gc.freeze()
    children: dict[int, Role] = {}
    token = uuid4().hex[:8]
    stopping = False

    def stop(_sign: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def start(role: Role) -> None:
        # A signal that came between the fork and its entry here would never reach the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        if not stopping:
            children[_fork(role, concurrency, grace, token)] = role
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    for sign in SIGNALS:
        signal.signal(sign, stop)
    for role in roles:
        start(role)
    while children:
        pid, status = os.wait()
        ended = children.pop(pid, None)
        if ended is not None and status == 0:
            hand_back(name_of(pid, token))
        if ended is not None and not stopping:
            time.sleep(RESTART_SECONDS)
            start(ended)


def _fork(role: Role, concurrency: int | None, grace: float, token: str) -> int:
    """Fork a child that serves one role and ends when this process does. Returns its pid."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for sign in SIGNALS:
                signal.signal(sign, signal.SIG_DFL)
            end_with_parent(parent, signal.SIGTERM)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            _serve(role, concurrency, grace, token)
            code = 0
        except BaseException:
            logger.exception("the worker for %s broke", role)
        finally:
            os._exit(code)  # at once, with all threads
    return pid
