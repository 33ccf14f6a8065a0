"""What lies in Redis runs no code here: not for staff who look at it, not for a command, not for a worker."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from django.test import Client
from django.urls import get_resolver

from jobs.kind import Queue
from tests.conftest import StartWorker
from tests.processes import ROOT, wait_until

JOB = "5f0c1a52-7d3b-4b7e-9a51-0d8f6c1b2a3d"


class Exploit:
    """Pickled, it creates a file as soon as somebody loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self.path), os.O_CREAT)


@pytest.fixture
def marker(redis: redis_client.Redis, tmp_path: Path) -> Path:
    """A file that is there once a planted message was unpickled. The message stands wherever RQ looks for one."""
    path = tmp_path / "ran"
    evil = pickle.dumps(Exploit(path))
    for queue in Queue:
        told = {"origin": str(queue), "status": "finished", "created_at": "2026-01-01T00:00:00.000000Z"}
        fields: Any = {**told, "data": evil, "meta": evil, "result": evil}
        redis.hset(f"rq:job:{JOB}", mapping=fields)
        redis.sadd("rq:queues", f"rq:queue:{queue}")
        for registry in ("finished", "failed", "deferred", "scheduled", "canceled", "wip"):
            redis.zadd(f"rq:{registry}:{queue}", {JOB: time.time() + 3600})
    redis.xadd(f"rq:results:{JOB}", {"type": 1, "return_value": evil.hex(), "created_at": "1"})
    return path


def rq_addresses() -> list[str]:
    """All addresses that django-rq's pages ever had here, and those that a site may still have."""
    registries = (f"{name}/" for name in ("finished", "failed", "deferred", "scheduled", "started", "workers"))
    places = ["", "details/", *registries, JOB, f"{JOB}/"]
    pages = [f"queues/{index}/{place}" for index in range(len(Queue)) for place in places]
    return [f"/admin/{root}/{page}" for root in ("rq", "django_rq/dashboard") for page in ("", "stats.json", *pages)]


@pytest.mark.django_db
def test_the_exploit_works_where_somebody_loads_it(marker: Path, redis: redis_client.Redis) -> None:
    evil = redis.hget(f"rq:job:{JOB}", "data")
    assert isinstance(evil, bytes)
    pickle.loads(evil)
    assert marker.exists()


@pytest.mark.django_db
def test_staff_who_look_at_the_queue_run_no_code_from_redis(staff: Client, marker: Path) -> None:
    for address in rq_addresses():
        assert staff.get(address).status_code in {301, 302, 404}, address
    for index in range(len(Queue)):
        for verb in ("failed/clear/", "empty/", "requeue-all/", "actions/", f"{JOB}/requeue/", f"{JOB}/delete/"):
            staff.post(f"/admin/rq/queues/{index}/{verb}", {"post": "yes"})
    assert staff.get("/admin/monitor/").status_code == 200
    assert not marker.exists()


def test_no_page_of_django_rq_is_served() -> None:
    served = [str(pattern) for pattern in get_resolver().url_patterns if "django_rq" in repr(pattern)]
    assert served == []


def test_looking_at_the_queues_from_the_command_line_runs_no_code_from_redis(
    marker: Path, redis: redis_client.Redis, child_env: dict[str, str]
) -> None:
    redis.rpush(f"rq:queue:{Queue.NETWORK}", JOB)
    env = {**os.environ, **child_env}
    command = [sys.executable, "manage.py", "rqstats"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert str(Queue.NETWORK) in done.stdout, done.stderr
    assert not marker.exists()


def test_a_worker_throws_the_message_away(marker: Path, redis: redis_client.Redis, start_worker: StartWorker) -> None:
    redis.rpush(f"rq:queue:{Queue.NETWORK}", JOB)
    start_worker()
    wait_until(lambda: redis.llen(f"rq:queue:{Queue.NETWORK}") == 0, what="the message is taken")
    assert not marker.exists()
