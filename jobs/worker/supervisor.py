"""The processes behind `manage.py rqworker`: a worker for each entry of a list of roles, and who watches over them."""

import gc
import logging
import os
import signal
import time
from contextlib import suppress
from types import FrameType
from uuid import uuid4

from django.db import DatabaseError, InterfaceError, connections

from ..conf import options
from ..core import lifecycle
from ..core.processes import end_with_parent
from ..kind import Role
from ..models import Job, Status
from .loop import OffloadWorker, name_of

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What asks a worker to stop."""

RESTART_SECONDS = 1.0
"""Pause before a process that ended by accident is started again."""


def serve(roles: list[Role], concurrency: int | None, grace: float) -> None:
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
            _work(role, concurrency, grace, token)
            code = 0
        except BaseException:
            logger.exception("the worker for %s broke", role)
        finally:
            os._exit(code)  # at once, with all threads
    return pid


def _work(role: Role, concurrency: int | None, grace: float, token: str) -> None:
    default = options.NETWORK_CONCURRENCY if role is Role.NETWORK else options.MEDIA_CONCURRENCY
    OffloadWorker(role, concurrency or default, grace, token).work()


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
