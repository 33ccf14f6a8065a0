"""Wait reasons: each true and in words."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.core import lifecycle
from jobs.core.waiting import Wait, wait_of
from jobs.kind import Submission, WaitReason, kind_named
from jobs.models import Job, Worker
from tests.environment import VAR

pytestmark = pytest.mark.django_db


def accept(resource: str = "", **options) -> Job:
    echo = kind_named("echo")
    assert echo
    (job,) = lifecycle.submit(echo, [Submission({"text": "hi"}, "t", resource)], owner=None, **options).jobs
    return job


def reason(job: Job) -> Wait:
    wait = wait_of(Job.objects.get(pk=job.pk))
    assert wait is not None
    return wait


@pytest.fixture
def a_worker() -> Worker:
    return Worker.objects.create(name="w", role="network", concurrency=1)


def test_a_job_that_does_not_wait_has_no_reason():
    job = accept()
    running = lifecycle.start(job.pk, "w")
    assert running
    assert wait_of(running) is None
    lifecycle.succeed(running, {})
    assert wait_of(Job.objects.get(pk=job.pk)) is None


def test_a_scheduled_job_says_when_it_starts():
    moment = timezone.now() + timedelta(days=2)
    wait = reason(accept(run_at=moment))
    assert (wait.reason, wait.until) == ("scheduled", moment)
    assert f"{moment:%H:%M:%S} UTC" in wait.text
    assert f"{moment.day} {moment:%B}" in wait.text


def test_a_job_between_two_attempts_says_which_and_why():
    job = lifecycle.start(accept().pk, "w")
    assert job
    lifecycle.try_again(job, "away", "The mail server is away.", pause=timedelta(seconds=40))
    wait = reason(job)
    assert wait.reason == "retry"
    assert wait.text.startswith("Attempt 2 of 3 starts at ")
    assert wait.text.endswith("The mail server is away.")


def test_a_job_behind_others_on_its_resource_says_how_many(a_worker):
    jobs = [accept("r") for _ in range(3)]
    assert reason(jobs[1]) == Wait(WaitReason.TURN, "Waits behind 1 job on the same object.", ahead=1)
    assert reason(jobs[2]) == Wait(WaitReason.TURN, "Waits behind 2 jobs on the same object.", ahead=2)


def test_a_job_behind_a_failed_one_that_holds_the_line_says_so(a_worker):
    strict = kind_named("strict")
    assert strict
    first, second = lifecycle.submit(strict, [Submission({"text": "hi"}, "t", "r")] * 2, owner=None).jobs
    running = lifecycle.start(first.pk, "w")
    assert running
    lifecycle.fail(running, "c", "t")
    assert reason(second).reason == "held"
    lifecycle.skip(first.pk)
    assert reason(second).reason == "queue"


def test_a_job_nobody_works_on_says_so():
    assert reason(accept()).reason == "no_worker"


def test_a_worker_of_another_role_is_no_help():
    Worker.objects.create(name="w", role="media", concurrency=1)
    assert reason(accept()).reason == "no_worker"


def test_a_silent_worker_is_no_worker(a_worker):
    Worker.objects.update(seen_at=timezone.now() - timedelta(seconds=60))
    assert reason(accept()).reason == "no_worker"


def test_a_job_in_the_queue_says_how_many_come_first(a_worker):
    now = timezone.now()
    first, second = accept(run_at=now - timedelta(seconds=2)), accept(run_at=now - timedelta(seconds=1))
    assert reason(first) == Wait(WaitReason.QUEUE, "Starts in a moment.", ahead=0)
    assert reason(second) == Wait(WaitReason.QUEUE, "Waits for a free worker, behind 1 job.", ahead=1)


def test_a_job_that_no_worker_takes_for_long_is_not_said_to_start_in_a_moment(a_worker, redis):
    job = accept(run_at=timezone.now() - timedelta(minutes=1))
    assert reason(job) == Wait(WaitReason.QUEUE, "Next in line: starts as soon as a worker takes it.", ahead=0)


def test_a_job_that_is_late_since_redis_is_away_says_so(a_worker, offload):
    offload(REDIS_URL=f"unix://{VAR}/nobody-listens.sock")
    late, new = accept(run_at=timezone.now() - timedelta(minutes=1)), accept()
    assert reason(late).reason == "no_redis"
    assert reason(new).reason == "queue"


def test_a_job_that_waits_for_another_names_it():
    echo = kind_named("echo")
    assert echo
    both = [Submission({}, "Four pictures"), Submission({}, "A post", "r", after=0)]
    wait = reason(lifecycle.submit(echo, both, owner=None).jobs[1])
    assert (wait.reason, wait.text) == ("after", "Starts when “Four pictures” is done.")


def test_a_job_on_an_object_on_hold_says_what_has_to_be_done():
    first, second = accept("r"), accept("r")
    running = lifecycle.start(first.pk, "w")
    assert running
    lifecycle.hold(running, "revoked", "Connect the account again.")
    assert [(reason(job).reason, reason(job).text) for job in (first, second)] == [
        ("on_hold", "Connect the account again.")
    ] * 2


def test_a_large_number_of_jobs_ahead_is_told_in_tens(a_worker):
    now = timezone.now()
    row = {"kind": "echo", "queue": "network", "payload_text": "{}"}
    Job.objects.bulk_create(Job(**row, run_at=now - timedelta(minutes=1)) for _ in range(123))
    assert reason(accept()) == Wait(WaitReason.QUEUE, "Waits for a free worker, behind about 120 jobs.", ahead=120)


def test_a_later_start_tells_the_reason_that_its_row_has():
    job = accept()
    later = timezone.now() + timedelta(hours=1)
    for reason, is_scheduled in ((WaitReason.SCHEDULED, True), (WaitReason.PAUSED, False), (WaitReason.RETRY, False)):
        Job.objects.filter(pk=job.pk).update(run_at=later, run_at_reason=reason)
        job.refresh_from_db()
        wait = wait_of(job)
        assert wait
        assert (wait.reason, job.is_scheduled) == (reason, is_scheduled)
