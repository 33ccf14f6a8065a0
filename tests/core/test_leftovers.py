"""Deleting jobs: the row, what hangs on it, the line behind it, and what its kind kept."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Attempt, Job, Leftover, Resource, Status, Submit, Worker
from jobs.worker import sweep
from tests.processes import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("what the kind kept")
    return path


def accept(
    *, kind_name: str = "echo", resource: str = "", owner: User | None = None, copies: int = 1, **payload
) -> list[Job]:
    the_kind = kind_named(kind_name)
    assert the_kind
    return lifecycle.submit(the_kind, [Submission({"text": "hi", **payload}, "t", resource)] * copies, owner=owner).jobs


def started(job: Job) -> Job:
    running = lifecycle.start(job.pk, "w")
    assert running
    return running


def done(**options) -> Job:
    job = started(accept(**options)[0])
    lifecycle.succeed(job, {})
    return job


def test_a_finished_job_goes_with_its_attempts_and_what_its_kind_kept(log):
    job = done(log=str(log))
    assert lifecycle.delete([job.pk]) == 1
    assert not Job.objects.exists()
    assert not Attempt.objects.exists()
    sweep.sweep()
    assert not log.exists()
    assert not Leftover.objects.exists()


def test_a_job_that_is_not_finished_stays(log):
    pending, running = accept(copies=2, log=str(log))
    started(running)
    assert lifecycle.delete([pending.pk, running.pk]) == 0
    sweep.sweep()
    assert Job.objects.count() == 2
    assert log.exists()


def test_a_submit_goes_with_the_last_of_its_jobs(user):
    jobs = accept(owner=user, copies=2)
    for job in jobs:
        lifecycle.succeed(started(job), {})
    lifecycle.delete([jobs[0].pk])
    assert Submit.objects.count() == 1
    lifecycle.delete([jobs[1].pk])
    assert not Submit.objects.exists()


def test_deleting_a_failed_job_that_holds_its_line_lets_the_line_go_on(django_capture_on_commit_callbacks):
    first, second = accept(kind_name="strict", resource="r", copies=2)
    lifecycle.fail(started(first), "c", "t")
    assert not Job.objects.runnable().exists()
    with django_capture_on_commit_callbacks(execute=True):
        assert lifecycle.delete([first.pk]) == 1
    assert Job.objects.runnable().get() == second


def test_the_name_of_a_shared_object_goes_with_its_last_job():
    first, second = done(resource="mailbox:ann@example.org"), done(resource="mailbox:ann@example.org")
    lifecycle.delete([first.pk])
    assert Resource.objects.exists()
    lifecycle.delete([second.pk])
    assert not Resource.objects.exists()
    (again,) = accept(resource="mailbox:ann@example.org")
    assert (again.position, again.has_turn) == (1, True)


def test_deleting_a_job_first_tells_those_that_wait_for_it():
    echo = kind_named("echo")
    assert echo
    wanted = [Submission({"text": "1"}, "first"), Submission({"text": "2"}, "second", after=0)]
    first, second = lifecycle.submit(echo, wanted, owner=None).jobs
    lifecycle.succeed(started(first), {})
    # In a test's transaction nothing happens "on commit": as if the process had died right after it.
    assert lifecycle.delete([first.pk]) == 1
    assert Job.objects.runnable().get() == second


def test_what_a_kind_can_not_forget_is_tried_again_later_and_keeps_nothing_else_up(log, caplog):
    stubborn, job = done(log=str(log), forget="crash"), done()
    lifecycle.delete([stubborn.pk, job.pk])
    sweep.sweep()
    assert Leftover.objects.get().job_id == stubborn.pk
    assert Leftover.objects.filter(due_at__gt=timezone.now() + timedelta(minutes=50)).exists()
    assert "can't be deleted" in caplog.text


def test_what_a_kind_kept_goes_with_the_account_too_even_while_a_job_runs(user, log):
    (job,) = accept(owner=user, log=str(log))
    started(job)
    user.delete()
    assert not Job.objects.exists()
    sweep.sweep()
    assert log.exists()  # the attempt may still write
    Leftover.objects.update(due_at=Now())
    sweep.sweep()
    assert not log.exists()


def test_a_payload_that_can_not_be_read_any_more_does_not_keep_the_rest(log):
    job = done(log=str(log))
    Job.objects.update(payload_text="unreadable")
    lifecycle.delete([job.pk])
    sweep.sweep()
    assert not Leftover.objects.exists()


def test_old_jobs_are_deleted_where_a_retention_time_is_set(offload):
    offload(KEEP_DAYS=30)
    old, holding, new = done(), accept(kind_name="strict", resource="r")[0], done()
    lifecycle.fail(started(holding), "c", "t")
    Job.objects.exclude(pk=new.pk).update(finished_at=timezone.now() - timedelta(days=31))
    sweep.sweep()
    assert set(Job.objects.all()) == {holding, new}
    assert not Job.objects.filter(pk=old.pk).exists()


def test_without_a_retention_time_jobs_are_kept():
    done()
    Job.objects.update(finished_at=timezone.now() - timedelta(days=9999))
    sweep.sweep()
    assert Job.objects.get().status == Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_while_it_deletes_leaves_nothing_that_nobody_finds(start_worker, log):
    job = done(log=str(log), forget="exit")
    start_worker("--role", "network")
    lifecycle.delete([job.pk])
    wait_until(lambda: not log.exists(), what="the worker begins, and dies in the middle of it")
    assert Leftover.objects.exists()
    wait_until(lambda: not Leftover.objects.exists(), what="another ends what it began")
    assert Worker.objects.count() == 2
