"""What gunicorn.conf.py promises to pages that wait."""

import os
import re
import subprocess
import sys
from collections import Counter

import psutil
import pytest
import requests

from jobs.representation import SLOWEST
from jobs.sandbox.services import free_port
from tests.processes import ROOT, Process, wait_until

GUNICORN = [sys.executable, "-m", "gunicorn", "config.wsgi"]


def test_a_connection_outlives_the_pause_between_two_polls() -> None:
    told = subprocess.run([*GUNICORN, "--print-config"], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    (seconds,) = re.findall(r"^keepalive\s+= (\d+)$", told, re.MULTILINE)
    assert int(seconds) > 1.1 * SLOWEST


@pytest.mark.skipif(sys.platform != "linux", reason="other systems than Linux do not share connections evenly")
def test_connections_that_are_kept_are_shared_by_the_processes() -> None:
    port = free_port()
    web = Process(GUNICORN, {**os.environ, "PORT": str(port), "WEB_CONCURRENCY": "2"}, name="web")
    sessions = [requests.Session() for _ in range(60)]
    try:
        wait_until(lambda: _connections(web.pid, psutil.CONN_LISTEN).total() == 2, seconds=40, what="both listen")
        for session in sessions:
            assert session.get(f"http://127.0.0.1:{port}/healthz", timeout=20).status_code in (200, 503)
        shares = _connections(web.pid, psutil.CONN_ESTABLISHED)
        assert shares.total() == 60
        assert min(shares.values()) >= 10, shares
    finally:
        for session in sessions:
            session.close()
        web.stop()


def _connections(pid: int, status: str) -> Counter[int]:
    """How many connections of this status each child of the process has."""
    return Counter(
        child.pid
        for child in psutil.Process(pid).children()
        for connection in child.net_connections("tcp")
        if connection.status == status
    )
