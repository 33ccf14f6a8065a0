"""The monitor's page and JSON, the pause of a queue, and /healthz."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings
from django.utils import timezone

from jobs.conf import options
from jobs.core import pauses
from jobs.kind import Queue, Role
from jobs.models import Pause, Worker
from jobs.sandbox.services import free_port
from tests.conftest import Offload
from tests.processes import ROOT
from tests.staff.conftest import make, worker

NOBODY = "redis://127.0.0.1:1/0"
"""An address where no Redis listens."""


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


def pause(client: Client, queue: str = "network", reason: str = "New disks.") -> str:
    """Returns the monitor's page that follows."""
    return str(client.post("/admin/monitor/pause/", {"queue": queue, "reason": reason}, follow=True).content.decode())


@pytest.mark.django_db
@pytest.mark.usefixtures("redis")
def test_staff_pause_a_queue_with_a_reason_and_resume_it(staff):
    assert "The network queue is paused" in pause(staff)
    row = Pause.objects.get()
    assert (row.queue, row.reason, row.by) == ("network", "New disks.", "staff")
    page = staff.get("/admin/monitor/").content.decode()
    assert "paused by staff since" in page
    assert "New disks." in page
    assert staff.get("/admin/monitor/data.json").json()["pauses"][0]["queue"] == "network"
    answer = staff.post("/admin/monitor/resume/", {"queue": "network"}, follow=True).content.decode()
    assert "The network queue goes on." in answer
    assert not Pause.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("redis")
def test_a_pause_needs_a_reason_and_a_queue_that_there_is(staff):
    assert "Please give a reason" in pause(staff, reason=" ")
    assert "Select a valid choice" in pause(staff, queue="nowhere")
    assert "at most 200 characters" in pause(staff, reason="x" * 201)
    assert not Pause.objects.exists()
    answer = staff.post("/admin/monitor/resume/", {"queue": "nowhere"}, follow=True)
    assert "not paused any more" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("redis")
def test_a_second_pause_changes_the_reason_and_not_since_when(staff):
    pause(staff)
    first = Pause.objects.get()
    pause(staff, reason="Newer disks.")
    second = Pause.objects.get()
    assert (second.reason, second.since) == ("Newer disks.", first.since)


@pytest.mark.django_db
@pytest.mark.usefixtures("redis")
def test_only_staff_with_the_permission_may_pause(client, user):
    assert client.post("/admin/monitor/pause/", {"queue": "network", "reason": "x"}).status_code == 302
    user.is_staff = True
    user.save()
    client.force_login(user)
    assert client.post("/admin/monitor/pause/", {"queue": "network", "reason": "x"}).status_code == 403
    assert client.post("/admin/monitor/resume/", {"queue": "network"}).status_code == 403
    assert "Pause the network queue" not in client.get("/admin/monitor/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="change_pause"))
    assert "is paused" in pause(client)


@pytest.mark.django_db
@pytest.mark.usefixtures("redis")
def test_healthz_tells_of_a_pause_and_is_well(client):
    for role in Role:
        Worker.objects.create(name=role, role=role, concurrency=1)
    pauses.pause(Queue.MEDIA, "New disks.", by="staff")
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "problems": [], "paused": ["media"]}
