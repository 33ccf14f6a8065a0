"""`manage.py rqworker` as a process: what it serves, how it shows itself, how it ends. Its faults: tests/faults."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest
import rq
from django.db import connection, transaction
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kind import Role, Submission, kind_named
from jobs.models import Attempt, Job, Status, Worker
from jobs.worker.loop import OffloadWorker
from jobs.worker.runners import KEPT, RESULTS, Claim
from tests.conftest import StartWorker
from tests.environment import DATABASE
from tests.kind_app.kind import Echo
from tests.processes import ROOT, manage, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


def accept(name: str, count: int = 1, **payload) -> list[Job]:
    the_kind = kind_named(name)
    assert the_kind
    return lifecycle.submit(the_kind, [Submission({"text": "hi", **payload}, "t")] * count, owner=None).jobs


def finished(count: int) -> bool:
    return Job.objects.filter(status=Status.SUCCEEDED).count() == count


@contextmanager
def results_wait() -> Iterator[None]:
    """Let no outcome be written meanwhile; jobs go on to be claimed. On SQLite, which has one lock, nothing waits."""
    if DATABASE == "sqlite":
        yield
        return
    with transaction.atomic():
        connection.cursor().execute("LOCK TABLE offload_attempt IN EXCLUSIVE MODE")
        yield


def test_without_a_flag_it_serves_every_role(start_worker: StartWorker):
    start_worker()
    accept("echo")
    accept("crunch")
    wait_until(lambda: finished(2))
    assert {worker.role for worker in Worker.objects.all()} == {"network", "media"}


def test_with_a_role_it_leaves_the_other_queue_alone(start_worker: StartWorker, redis):
    start_worker("--role", "network")
    (other,) = accept("crunch")
    accept("echo")
    wait_until(lambda: finished(1))
    assert Job.objects.get(pk=other.pk).status == Status.PENDING
    # Twice if the sweep looked between the commit and the push.
    assert set(redis.lrange("rq:queue:media", 0, -1)) == {str(other.pk).encode()}


def test_jobs_that_wait_run_side_by_side_in_one_process(start_worker: StartWorker):
    start_worker("--role", "network", "--concurrency", "8")
    jobs = accept("echo", 8, seconds=1)
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() == 8)
    wait_until(lambda: finished(8))
    assert len({attempt.worker for attempt in Attempt.objects.filter(job__in=jobs)}) == 1


def test_no_more_jobs_run_at_once_than_it_was_told(start_worker: StartWorker):
    start_worker("--role", "media", "--concurrency", "1")
    accept("crunch", 3, seconds=0.2)
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, Job.objects.filter(status=Status.RUNNING).count())
        return finished(3)

    wait_until(done)
    assert most == 1


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


def test_what_is_claimed_and_has_no_outcome_yet_is_bounded(start_worker: StartWorker):
    """Not only what runs: also what is done, while results are not written as fast as jobs end."""
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, Job.objects.filter(status=Status.RUNNING).count())
        return finished(1_000)

    accept("echo", 1_000, steps=0)
    bound = 8 + RESULTS
    with results_wait():
        start_worker("--role", "network", "--concurrency", "8")
        full = bound - KEPT if DATABASE == "postgresql" else 0
        wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() >= full)
    wait_until(done, seconds=30)
    assert most <= bound


def test_a_lease_is_renewed_when_a_quarter_of_it_is_over(offload):
    offload(LEASE_SECONDS=10)
    claim = Claim(Job(), renewed_at=100, ends_at=200)
    assert not claim.is_due(102.4)
    assert claim.is_due(102.5)


def test_a_lease_of_a_job_whose_outcome_is_about_to_be_written_is_renewed_later(offload):
    offload(LEASE_SECONDS=10)
    claim = Claim(Job(), renewed_at=100, ends_at=103, has_ended=True)
    assert not claim.is_due(103.9)
    assert claim.is_due(104)


def test_a_lease_is_looked_at_when_the_time_of_its_job_is_up(offload):
    offload(LEASE_SECONDS=10)
    claim = Claim(Job(), renewed_at=100, ends_at=101)
    assert not claim.is_due(100.9)
    assert claim.is_due(101)


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


def test_ctrl_c_ends_it_with_all_its_children_and_hands_running_jobs_back(start_worker: StartWorker):
    process = start_worker("--grace", "0.1")
    wait_until(lambda: Worker.objects.count() == 2)
    accept("echo", seconds=30)
    accept("crunch", seconds=30)
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() == 2)
    supervisor = psutil.Process(process.pid)
    # A process for each role, and (a moment after its job's row says running) one for the job that computes.
    wait_until(lambda: len(supervisor.children(recursive=True)) == 3)
    family = [supervisor, *supervisor.children(recursive=True)]
    process.signal(signal.SIGINT, group=True)
    assert process.popen.wait(10) == 0
    wait_until(lambda: not any(member.is_running() for member in family))
    assert set(Job.objects.values_list("status", flat=True)) == {Status.PENDING}
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {Attempt.Outcome.HANDED_BACK}


def test_a_wrong_option_gets_one_clear_sentence():
    result = subprocess.run(
        manage("rqworker", "--role", "network", "--concurrency", "0"), cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "must be 1 or more" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["echo", "crunch"])
def test_a_running_job_that_is_cancelled_stops_at_its_next_safe_point(start_worker: StartWorker, name: str):
    start_worker()
    (job,) = accept(name, seconds=60, steps=120)
    wait_until(lambda: Job.objects.filter(pk=job.pk, progress_percent__gt=0).exists())
    assert lifecycle.cancel(job.pk)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.CANCELLED).exists(), seconds=5)
    assert Attempt.objects.get(job=job).outcome == Attempt.Outcome.CANCELLED


def test_a_computing_job_that_reaches_no_safe_point_is_ended_by_its_worker(start_worker: StartWorker):
    worker = start_worker("--role", "media")
    (job,) = accept("crunch", seconds=60)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.RUNNING).exists())
    (server,) = psutil.Process(worker.pid).children()
    (child,) = wait_until(server.children)
    assert lifecycle.cancel(job.pk)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.CANCELLED).exists(), seconds=5)
    wait_until(lambda: not child.is_running(), what="the process is gone")
    (following,) = accept("crunch")
    wait_until(lambda: Job.objects.filter(pk=following.pk, status=Status.SUCCEEDED).exists())
