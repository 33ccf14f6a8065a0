"""A paused queue: told to those whose job waits, and no job of it starts."""

import pytest

from jobs.core import lifecycle, pauses
from jobs.core.waiting import wait_of
from jobs.kind import Kind, Queue, Submission
from jobs.models import Job, Pause, Status, Worker
from tests.kind_app.kind import Crunch, Echo
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def accept(kind: type[Kind] = Echo, **payload: object) -> Job:
    return lifecycle.submit(kind(), [Submission({"text": "hi", **payload}, "t")], owner=None).jobs[0]


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
