"""Offload's site and the bare project, served alike on one database: what the benches of the web part share."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from bench.command import machine
from bench.services import ROOT, Services, services
from jobs.sandbox.services import free_port

SECRET = "for-the-bench-only"
PROCESSES = 2
"""Web processes: gunicorn.conf.py's default."""


@dataclass
class Server:
    """A gunicorn with the settings of gunicorn.conf.py, or a worker (port 0)."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of processor time of its processes so far."""
        parent = psutil.Process(self.process.pid)
        return sum(sum(one.cpu_times()[:2]) for one in [parent, *parent.children(recursive=True)])


@contextmanager
def offload(database: str, delay: float = 0.2) -> Iterator[Services]:
    """The servers, an environment that leads Django to them, and this process's own Django, with empty tables.

    delay: seconds that the slow server takes for an answer. SIGTERM ends this process with all that it started.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with (
        tempfile.TemporaryDirectory(prefix="offload-bench-") as folder,
        services(Path(folder), database, delay) as shared,
    ):
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            EXTRA_APPS="bench.app",
            VAR_DIR=folder,
            SECRET_KEY=SECRET,
            SANDBOX="0",
            # Out of reach, and still looked at.
            QUOTA_JOBS="1000000",
            QUOTA_PACE="1000000",
            DATABASE_URL=shared.database("web"),
            REDIS_URL=f"unix://{shared.redis_socket}",
            LOG_LEVEL="ERROR",
            BENCH_LOG=str(shared.folder / "notes"),
            BENCH_URL=f"http://127.0.0.1:{shared.slow_port}/",
        )
        for name in ("EMAIL_URL", "DEBUG", "HTTPS"):
            os.environ.pop(name, None)
        (shared.folder / "notes").touch()
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection, connections

        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bare AS SELECT * FROM offload_job WHERE 1 = 0")
            cursor.execute("CREATE UNIQUE INDEX bare_id ON bare (id)")
        try:
            yield shared
        finally:
            connections.close_all()


@contextmanager
def serve(settings: str = "config.settings", **environment: str) -> Iterator[Server]:
    """Serve the project of these settings on a free port, and end it with all its processes."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--log-level", "error", "config.asgi"],
        cwd=ROOT,
        env={
            **os.environ,
            "PORT": str(port),
            "WEB_CONCURRENCY": str(PROCESSES),
            "DJANGO_SETTINGS_MODULE": settings,
            "CONNECTIONS_PER_ADDRESS": "100000",  # all the clients of a bench have the same
            **environment,
        },
        start_new_session=True,
    )
    try:
        for _ in range(300):
            if _listeners(process.pid) == PROCESSES:
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"Not all web processes listen on port {port}.")
        yield Server(port, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _listeners(pid: int) -> int:
    """How many sockets the children of a process listen on."""
    children = psutil.Process(pid).children()
    return sum(one.status == psutil.CONN_LISTEN for child in children for one in child.net_connections("tcp"))


@contextmanager
def worker() -> Iterator[Server]:
    """A worker for the network role, with its 32 threads."""
    process = subprocess.Popen([sys.executable, "manage.py", "rqworker", "--role", "network"], cwd=ROOT)
    try:
        yield Server(0, process)
    finally:
        process.terminate()
        process.wait(30)


def sign_in(count: int) -> list[tuple[Any, dict[str, str]]]:
    """So many new users, each with the cookies of a session."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    first = User.objects.count()
    users = User.objects.bulk_create(
        [User(username=f"user{number}", password="!") for number in range(first, first + count)], batch_size=500
    )
    found, sessions = [], []
    for user in users:
        store = SessionStore()
        data = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        key = os.urandom(16).hex()
        expires = timezone.now() + timedelta(days=1)
        sessions.append(Session(session_key=key, session_data=store.encode(data), expire_date=expires))
        found.append((user, {"sessionid": key}))
    Session.objects.bulk_create(sessions, batch_size=500)
    return found


def ratio(samples: Sequence[float], reference: Sequence[float]) -> str:
    """Median (minimum–maximum) of the ratios within the rounds."""
    ratios = [one / other for one, other in zip(samples, reference, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def keep(goal: str, database: str, versions: dict[str, str], options: dict[str, Any], found: dict[str, Any]) -> None:
    """Write the raw results to bench/results."""
    path = ROOT / "bench" / "results" / f"{goal}-{database}.json"
    path.parent.mkdir(exist_ok=True)
    environment = {**machine(), **versions}
    path.write_text(json.dumps({"environment": environment, "options": options, **found}, indent=1) + "\n")
    print(f"\nRaw results: {path.relative_to(ROOT)}")
