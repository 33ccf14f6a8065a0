"""The database connections of a worker process, in a process of its own: sharing them is for good."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.environment import DATABASE
from tests.processes import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

THREADS = 12
POOL = 4
CODE = """
import json, sys, threading
import django; django.setup()
from concurrent.futures import ThreadPoolExecutor
from django.db import close_old_connections, connection
from jobs.worker.connections import share_connections

threads = int(sys.argv[1])
together = threading.Barrier(threads)

def server():
    # The number of the server's process: a connection has one of its own.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT 0")
        return cursor.fetchone()[0]

def ask(_):
    together.wait()
    number = server()
    close_old_connections()
    return number, "pool" in connection.settings_dict["OPTIONS"]

mine = server()
share_connections()
with ThreadPoolExecutor(threads) as pool:
    asked = list(pool.map(ask, range(threads)))
print(json.dumps({
    "servers": len({number for number, _ in asked}),
    "pooled": [is_pooled for _, is_pooled in asked],
    "first_is_pooled": "pool" in connection.settings_dict["OPTIONS"],
    "first_is_apart": server() == mine and mine not in {number for number, _ in asked},
}))
sys.stdout.flush()
import os; os._exit(0)  # as workers end: the pool's threads are not waited for
"""


def shared(child_env: dict[str, str]) -> dict[str, Any]:
    """What the threads of a worker process have."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(THREADS)],
        cwd=ROOT,
        env={**os.environ, **child_env, "DATABASE_POOL_SIZE": str(POOL)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_many_threads_share_few_connections_where_each_costs_the_server_a_process(child_env):
    found = shared(child_env)
    assert found["pooled"] == [DATABASE == "postgresql"] * THREADS
    assert 1 <= found["servers"] <= POOL


def test_the_first_thread_which_renews_the_leases_stands_in_no_line(child_env):
    found = shared(child_env)
    assert not found["first_is_pooled"]
    assert found["first_is_apart"] == (DATABASE == "postgresql")
