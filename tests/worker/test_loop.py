"""A worker process: what it takes, which leases it keeps, how it shows itself. Its faults: tests/faults."""

import time
from datetime import timedelta

import pytest
import rq
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kind import Role, Submission
from jobs.models import Attempt, Job, Status, Worker
from jobs.worker.loop import OffloadWorker
from jobs.worker.runners import Claim
from tests.conftest import StartWorker
from tests.kind_app.kind import Echo
from tests.processes import wait_until
from tests.worker.conftest import accept, finished, results_wait

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


def test_with_a_role_it_leaves_the_other_queue_alone(start_worker: StartWorker, redis):
    start_worker("--role", "network")
    (other,) = accept("crunch")
    accept("echo")
    wait_until(lambda: finished(1))
    assert Job.objects.get(pk=other.pk).status == Status.PENDING
    # Twice if the sweep looked between the commit and the push.
    assert set(redis.lrange("rq:queue:media", 0, -1)) == {str(other.pk).encode()}


def test_what_a_person_waits_for_has_a_place_of_its_own(start_worker: StartWorker):
    start_worker("--role", "network", "--concurrency", "2")
    pile = accept("echo", 10, seconds=4)
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() == 2)
    (mail,) = lifecycle.submit(Echo(), [Submission({"text": "hi"}, "t", urgent=True)], owner=None).jobs
    wait_until(lambda: Job.objects.get(pk=mail.pk).status == Status.SUCCEEDED, seconds=3)
    assert Job.objects.filter(pk__in=[job.pk for job in pile], status=Status.PENDING).count() == 8


def test_urgent_jobs_go_first_and_may_take_every_place(start_worker: StartWorker):
    accept("echo", 10, seconds=4)
    mails = lifecycle.submit(Echo(), [Submission({"text": "hi", "seconds": 1}, "t", urgent=True)] * 4, owner=None).jobs
    start_worker("--role", "network", "--concurrency", "3")
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() == 4)
    assert set(Job.objects.filter(status=Status.RUNNING)) == set(mails)


def test_all_leases_are_renewed_at_once_when_the_machine_has_slept(redis):
    """Meanwhile the monotonic clock stands still, and the leader takes what is not renewed within moments."""
    (job,) = accept("crunch")
    worker = OffloadWorker(Role.MEDIA, concurrency=1, grace=0, token="t")
    claimed = lifecycle.start(job.pk, worker.name)
    assert claimed
    now = time.monotonic()
    worker.runner.running[job.pk] = Claim(claimed, renewed_at=now, ends_at=now + 100)
    long_ago = timezone.now() - timedelta(minutes=1)
    Job.objects.update(lease_until=long_ago)
    worker._renew()
    assert Job.objects.get().lease_until == long_ago  # it is not due, as far as this clock tells
    worker._clocks_apart -= 60
    worker._renew()
    assert Job.objects.filter(lease_until__gt=timezone.now()).exists()


def test_leases_are_kept_while_results_wait_for_the_database(start_worker: StartWorker):
    start_worker("--role", "network", env={"JOB_LEASE_SECONDS": "2"})
    (job,) = accept("echo", seconds=0.5)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.RUNNING).exists())
    began = time.monotonic()
    with results_wait():
        wait_until(lambda: time.monotonic() - began > 5, what="two leases are over")
    wait_until(lambda: finished(1))
    assert Attempt.objects.get(job=job).outcome == Attempt.Outcome.SUCCEEDED


def test_rq_sees_it_and_it_signs_off(start_worker: StartWorker, redis):
    process = start_worker("--role", "network")
    wait_until(lambda: rq.Worker.count(connection=redis) == 1)
    assert rq.Worker.all(connection=redis)[0].queue_names() == ["urgent", "network"]
    assert process.stop() == 0
    assert rq.Worker.count(connection=redis) == 0
    assert not Worker.objects.exists()


def test_nothing_of_a_message_is_left_in_redis_when_its_job_is_done(start_worker: StartWorker, redis):
    start_worker("--role", "network")
    accept("echo", 5)
    wait_until(lambda: finished(5))
    wait_until(lambda: not list(redis.scan_iter("rq:job:*")))
    assert not redis.exists("rq:queue:network")


@pytest.mark.parametrize("name", ["echo", "crunch"])
def test_a_running_job_that_is_cancelled_stops_at_its_next_safe_point(start_worker: StartWorker, name: str):
    start_worker()
    (job,) = accept(name, seconds=60, steps=120)
    wait_until(lambda: Job.objects.filter(pk=job.pk, progress_percent__gt=0).exists())
    assert lifecycle.cancel(job.pk)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.CANCELLED).exists(), seconds=5)
    assert Attempt.objects.get(job=job).outcome == Attempt.Outcome.CANCELLED
