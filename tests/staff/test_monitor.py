"""The monitor's numbers, its page and JSON, and /healthz."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone

from jobs.conf import options
from jobs.kind import installed_kinds
from jobs.models import Job, Status, Worker
from jobs.sandbox.services import free_port
from jobs.staff import monitor
from tests.conftest import Offload
from tests.processes import ROOT

FAR = timedelta(hours=1)

NOBODY = "redis://127.0.0.1:1/0"
"""An address where no Redis listens."""


def make(status: Status = Status.PENDING, kind: str = "echo", queue: str = "network", **values: Any) -> Job:
    """A row as the lifecycle would leave it."""
    now = timezone.now()
    if status == Status.RUNNING:
        values = {"lease_until": now + FAR, "deadline": now + FAR, "started_at": now, "attempt": 1} | values
    elif status != Status.PENDING:
        values = {"finished_at": now, "has_turn": False} | values
    job = Job(kind=kind, queue=queue, title="A job", status=status, **{"run_at": now - timedelta(seconds=5)} | values)
    job.payload = {"token": "payload-secret"}
    job.save()
    return job


def worker(role: str = "network", seen: datetime | None = None, **values: Any) -> Worker:
    """A registered worker, seen just now unless told otherwise."""
    values = {"name": f"host:1:{role}", "concurrency": 4, "seen_at": seen or timezone.now()} | values
    return Worker.objects.create(role=role, **values)


def line(kind: str = "echo", queue: str = "network") -> monitor.Line:
    (found,) = [line for line in monitor.lines() if (line.kind, line.queue) == (kind, queue)]
    return found


@pytest.mark.django_db
def test_every_installed_kind_has_a_line_even_without_jobs() -> None:
    assert {(line.queue, line.kind, line.due) for line in monitor.lines()} == {
        (kind.role.queue, kind.name, 0) for kind in installed_kinds()
    }


@pytest.mark.django_db
def test_pending_jobs_are_told_apart_by_what_they_wait_for() -> None:
    make()
    make(run_at=timezone.now() + FAR)
    make(resource="account:1", position=1)
    make(resource="account:1", position=2, has_turn=False)
    make(resource="account:1", position=3, has_turn=False, run_at=timezone.now() + FAR)
    found = line()
    assert (found.due, found.later, found.behind, found.running) == (2, 1, 2, 0)


@pytest.mark.django_db
def test_running_jobs_are_counted_for_their_kind_and_their_worker() -> None:
    worker(name="host:1:abc", dropped=3)
    make(Status.RUNNING, worker="host:1:abc")
    make(Status.RUNNING, worker="host:2:gone")
    assert line().running == 2
    (found,) = monitor.workers()
    assert (found.name, found.running, found.concurrency, found.dropped, found.silent) == (
        "host:1:abc",
        1,
        4,
        3,
        False,
    )


@pytest.mark.django_db
def test_outcomes_are_counted_for_24_hours() -> None:
    make(Status.SUCCEEDED)
    make(Status.SUCCEEDED, finished_at=timezone.now() - timedelta(hours=23))
    make(Status.SUCCEEDED, finished_at=timezone.now() - timedelta(hours=25))
    make(Status.FAILED)
    make(Status.CANCELLED)
    found = line()
    assert (found.succeeded, found.failed, found.cancelled) == (2, 1, 1)


@pytest.mark.django_db
def test_the_longest_wait_is_that_of_the_oldest_due_job_in_seconds() -> None:
    make(run_at=timezone.now() - timedelta(seconds=90))
    make(run_at=timezone.now() - timedelta(seconds=10))
    make(run_at=timezone.now() - FAR, resource="a", position=2, has_turn=False)
    oldest = line().oldest_due_seconds
    assert oldest is not None
    assert 89 < oldest < 120
    assert line("crunch", "media").oldest_due_seconds is None


@pytest.mark.django_db
def test_jobs_of_a_kind_that_is_not_installed_any_more_have_a_line_too() -> None:
    make(kind="gone")
    assert (line("gone").due, line("gone").label) == (1, "gone")


@pytest.mark.django_db
def test_a_worker_that_was_silent_for_too_long_is_marked() -> None:
    worker(seen=timezone.now() - timedelta(seconds=options.WORKER_SILENT_SECONDS + 30))
    (found,) = monitor.workers()
    assert found.silent
    assert found.seen_seconds > options.WORKER_SILENT_SECONDS


@pytest.mark.django_db
def test_the_numbers_take_five_queries_however_many_jobs_there_are(redis: Any, django_assert_num_queries: Any) -> None:
    for kind in ("echo", "gone", "other"):
        make(kind=kind)
        make(Status.FAILED, kind=kind)
    with django_assert_num_queries(5):
        monitor.numbers()


@pytest.mark.django_db
def test_the_page_shows_the_numbers_to_staff(staff: Client, redis: Any) -> None:
    make()
    worker()
    page = staff.get("/admin/monitor/")
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    text = page.content.decode()
    assert "host:1:network" in text
    assert "Echo" in text
    assert "network: 0" in text


@pytest.mark.django_db
def test_the_json_holds_the_numbers_and_the_tables_but_no_payload(staff: Client, redis: Any) -> None:
    make()
    worker()
    answer = staff.get("/admin/monitor/data.json")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    data = answer.json()
    echo = next(line for line in data["lines"] if line["kind"] == "echo")
    assert (echo["queue"], echo["due"], echo["behind"]) == ("network", 1, 0)
    assert data["workers"][0]["name"] == "host:1:network"
    assert data["redis"] == {"urgent": 0, "network": 0, "media": 0}
    assert data["poll_after"] > 0
    assert "<table>" in data["html"]
    assert "payload-secret" not in answer.content.decode()


@pytest.mark.django_db
def test_the_monitor_says_when_redis_is_not_reachable(staff: Client, offload: Offload) -> None:
    offload(REDIS_URL=NOBODY)
    assert staff.get("/admin/monitor/data.json").json()["redis"] is None
    assert "Redis is not reachable" in staff.get("/admin/monitor/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/monitor/", "/admin/monitor/data.json"])
def test_the_monitor_is_for_staff_alone(client: Client, user: User, path: str) -> None:
    assert client.get(path).status_code == 302
    client.force_login(user)
    answer = client.get(path)
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


@pytest.mark.django_db
def test_healthz_is_ok_while_every_role_has_a_worker(client: Client, redis: Any) -> None:
    worker("network")
    worker("media")
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "problems": [], "paused": []}
    assert not answer.cookies
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_healthz_names_a_role_whose_only_worker_fell_silent(client: Client, redis: Any) -> None:
    worker("network")
    worker("media", seen=timezone.now() - timedelta(seconds=options.WORKER_SILENT_SECONDS + 30))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    (problem,) = answer.json()["problems"]
    assert problem.startswith("No worker for media jobs")


@pytest.mark.django_db
def test_healthz_names_a_role_that_only_due_jobs_need(client: Client, redis: Any) -> None:
    worker("network")
    worker("media")
    make(kind="gone", queue="archive")
    (problem,) = client.get("/healthz").json()["problems"]
    assert problem.startswith("No worker for archive jobs")


@pytest.mark.django_db
def test_healthz_says_that_redis_is_not_reachable(client: Client, offload: Offload) -> None:
    offload(REDIS_URL=NOBODY)
    worker("network")
    worker("media")
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "problems": ["Redis is not reachable."], "paused": []}


@pytest.mark.django_db
def test_a_failing_healthz_writes_no_line_for_each_probe(
    client: Client, offload: Offload, caplog: pytest.LogCaptureFixture
) -> None:
    offload(REDIS_URL=NOBODY)
    assert client.get("/healthz").status_code == 503
    client.get("/nowhere")
    assert "/nowhere" in caplog.text
    assert "/healthz" not in caplog.text


@pytest.mark.stack
def test_healthz_says_that_the_database_does_not_answer_without_telling_its_address() -> None:
    code = (
        "import django; django.setup(); from django.test import Client; "
        "answer = Client().get('/healthz', headers={'host': 'localhost'}); "
        "print(answer.status_code, answer.content.decode())"
    )
    url = f"postgresql://ann:database-secret@127.0.0.1:{free_port()}/nowhere"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("503 "), done.stderr
    answer = json.loads(done.stdout.removeprefix("503 "))
    assert "The database does not answer: is it running, and migrated?" in answer["problems"]
    assert "database-secret" not in done.stdout


@pytest.mark.django_db
def test_healthz_is_served_over_plain_http_to_the_machines_own_probe(client: Client, redis: Any) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert Client().get("/healthz").status_code in {200, 503}
        assert Client().get("/").status_code == 301
