"""A test run that is killed with -9 leaves nothing running: no Valkey, no PostgreSQL, no worker."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import ROOT, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def started_in(folder: Path) -> dict[psutil.Process, str]:
    """The living processes that were started with this temporary folder, or below it, and their command lines."""
    found = {}
    for process in psutil.process_iter():
        try:
            said = [*process.cmdline(), process.environ().get("TMPDIR", "")]
            if any(str(folder) in word for word in said) and process.status() != psutil.STATUS_ZOMBIE:
                found[process] = " ".join(said)
        except psutil.Error:
            continue
    return found


def all_run(folder: Path) -> bool:
    """Whether each of the servers and a worker run."""
    lines = " ".join(started_in(folder).values())
    return all(word in lines for word in ("valkey", "postgres", "rqworker"))


def test_a_run_that_is_killed_leaves_nothing_running(tmp_path: Path):
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", "tests/held_run.py"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OFFLOAD_TEST_DATABASE": "postgresql", "MAKELEVEL": "1"}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "VAR_DIR", "DATABASE_URL", "SANDBOX_DATABASE_URL"):
        environment.pop(name, None)
    run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: all_run(tmp_path), seconds=60, what="Valkey, PostgreSQL and a worker run")
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_until(lambda: not started_in(tmp_path), what="all of it has ended")
        wait_until(lambda: not list(tmp_path.glob("offload-test-*")), what="its folders are gone")
    finally:
        for process in started_in(tmp_path):
            process.kill()
