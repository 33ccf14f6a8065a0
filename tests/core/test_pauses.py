"""Staff's pause of a queue: told to everybody it concerns, and over at once when they resume."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from jobs.core import lifecycle, pauses
from jobs.core.waiting import wait_of
from jobs.kind import Kind, Queue, Role, Submission
from jobs.models import Job, Pause, Status, Worker
from tests.kind_app.kind import Crunch, Echo
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def accept(kind: type[Kind] = Echo, **payload: object) -> Job:
    return lifecycle.submit(kind(), [Submission({"text": "hi", **payload}, "t")], owner=None).jobs[0]


def pause(client: Client, queue: str = "network", reason: str = "New disks.") -> str:
    """Returns the monitor's page that follows."""
    return str(client.post("/admin/monitor/pause/", {"queue": queue, "reason": reason}, follow=True).content.decode())


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


def test_a_pause_needs_a_reason_and_a_queue_that_there_is(staff):
    assert "Please give a reason" in pause(staff, reason=" ")
    assert "Select a valid choice" in pause(staff, queue="nowhere")
    assert "at most 200 characters" in pause(staff, reason="x" * 201)
    assert not Pause.objects.exists()
    answer = staff.post("/admin/monitor/resume/", {"queue": "nowhere"}, follow=True)
    assert "not paused any more" in answer.content.decode()


def test_a_second_pause_changes_the_reason_and_not_since_when(staff):
    pause(staff)
    first = Pause.objects.get()
    pause(staff, reason="Newer disks.")
    second = Pause.objects.get()
    assert (second.reason, second.since) == ("Newer disks.", first.since)


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


def test_a_waiting_job_says_that_it_is_paused_since_when_and_why():
    pauses.pause(Queue.NETWORK, "New disks.", by="staff")
    wait = wait_of(accept())
    assert wait is not None
    assert wait.reason == "paused"
    assert wait.text.startswith("Paused by the people who run this site since ")
    assert wait.text.endswith(": New disks. It starts when they resume.")


def test_a_job_of_another_queue_does_not_say_that_it_is_paused():
    Worker.objects.create(name="w", role="media", concurrency=1)
    pauses.pause(Queue.NETWORK, "New disks.", by="staff")
    wait = wait_of(accept(Crunch))
    assert wait is not None
    assert wait.reason == "queue"


def test_healthz_tells_of_a_pause_and_is_well(client):
    for role in Role:
        Worker.objects.create(name=role, role=role, concurrency=1)
    pauses.pause(Queue.MEDIA, "New disks.", by="staff")
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "problems": [], "paused": ["media"]}


def test_no_job_of_a_paused_queue_can_be_claimed():
    job, other = accept(), accept(Crunch)
    pauses.pause(Queue.NETWORK, "New disks.", by="staff")
    assert lifecycle.start(job.pk, "w") is None
    assert lifecycle.start(other.pk, "w") is not None
    pauses.resume(Queue.NETWORK, by="staff")
    assert lifecycle.start(job.pk, "w") is not None


def test_staff_whose_name_is_a_long_address_can_pause_a_queue():
    address = "a" * 240 + "@example.org"
    pauses.pause(Queue.NETWORK, "New disks.", by=address)
    assert Pause.objects.get().by == address[: pauses.LONGEST_NAME]


@pytest.mark.django_db(transaction=True)
def test_workers_start_nothing_while_paused_go_on_with_what_runs_and_start_again(start_worker):
    start_worker("--role", "network")
    running = accept(seconds=2, steps=20)
    wait_until(lambda: Job.objects.get(pk=running.pk).status == Status.RUNNING)
    pauses.pause(Queue.NETWORK, "New disks.", by="staff")
    waiting = accept()
    wait_until(lambda: Job.objects.get(pk=running.pk).status == Status.SUCCEEDED)
    assert Job.objects.get(pk=waiting.pk).status == Status.PENDING
    pauses.resume(Queue.NETWORK, by="staff")
    wait_until(lambda: Job.objects.get(pk=waiting.pk).status == Status.SUCCEEDED)
