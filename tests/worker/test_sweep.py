"""The sweep: one leader, and what it finds."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.core import leftovers, lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Job, Leader, Status
from jobs.worker import sweep

pytestmark = pytest.mark.django_db


def submitted(*submissions: Submission) -> list[Job]:
    echo = kind_named("echo")
    assert echo
    return lifecycle.submit(echo, submissions, owner=None).jobs


def started(resource: str = "") -> Job:
    (job,) = submitted(Submission({"text": "hi"}, "t", resource))
    running = lifecycle.start(job.pk, "w")
    assert running
    return running


def lead(worker: str) -> bool:
    """A look of `worker` at the leadership, as registered workers do it."""
    sweep.prepare()
    return sweep.lead(worker)


def test_only_one_worker_leads():
    assert lead("a")
    assert not lead("b")
    assert lead("a")


def test_another_worker_leads_when_the_leader_falls_silent_or_resigns():
    assert lead("a")
    Leader.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert lead("b")
    sweep.resign("b")
    assert lead("c")


def test_a_worker_that_does_not_lead_can_not_resign_for_the_leader():
    assert lead("a")
    sweep.resign("b")
    assert not lead("b")


def test_a_job_of_a_silent_worker_is_freed():
    job = started()
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep.sweep()
    assert Job.objects.runnable().get() == job


def test_a_job_of_a_silent_worker_runs_again_even_if_its_time_limit_is_over_too():
    """Its worker would have ended it; that it fell silent is what happened."""
    job = started()
    past = timezone.now() - timedelta(seconds=1)
    Job.objects.update(lease_until=past, deadline=past)
    sweep.sweep()
    assert Job.objects.runnable().get() == job


def test_a_job_that_is_well_is_left_alone():
    started()
    sweep.sweep()
    assert Job.objects.get().status == Status.RUNNING


def line_of(*owners: User) -> None:
    """A line on one object, with a job of each."""
    echo = kind_named("echo")
    assert echo
    for owner in owners:
        lifecycle.submit(echo, [Submission({"text": "hi"}, "t", "shared")], owner=owner)
    assert Job.objects.runnable().get().owner == owners[0]


@pytest.mark.django_db(transaction=True)
def test_a_line_goes_on_at_once_when_its_first_job_is_deleted_with_its_owner(user, other_user):
    line_of(user, other_user)
    user.delete()
    assert Job.objects.runnable().get().owner == other_user


def test_a_line_whose_first_job_was_deleted_by_a_process_that_died_then_goes_on_too(user, other_user):
    line_of(user, other_user)
    sweep.mend_lines()
    assert Job.objects.runnable().get().owner == user
    user.delete()
    # The test's transaction is never committed, so nothing that follows a commit happens.
    assert not Job.objects.runnable().exists()
    sweep.mend_lines()
    assert Job.objects.runnable().get().owner == other_user


def test_what_waits_for_a_job_that_has_ended_is_settled_if_its_worker_died_before_it_could():
    first, second = submitted(Submission({}, "a"), Submission({}, "b", after=0))
    running = lifecycle.start(first.pk, "w")
    assert running
    # The test's transaction is never committed, so nothing that follows a commit happens.
    lifecycle.succeed(running, {})
    assert lifecycle.start(second.pk, "w") is None
    sweep.settle()
    assert lifecycle.start(second.pk, "w") is not None


def test_a_line_that_is_on_hold_or_waits_for_another_job_is_left_alone():
    submitted(Submission({}, "a"), Submission({}, "b", "r", after=0))
    lifecycle.hold(started("s"), "revoked")
    sweep.settle()
    sweep.mend_lines()
    assert not Job.objects.runnable().exclude(resource="").exists()


def test_apps_are_asked_to_tidy_up_and_one_that_fails_keeps_no_other_from_it(caplog):
    asked = []

    def fails(**_: object) -> None:
        raise ValueError("nothing to tidy")

    def notes(**_: object) -> None:
        asked.append("notes")

    for receiver in (fails, notes):
        leftovers.tidying.connect(receiver)
    try:
        sweep.tidy()
    finally:
        for receiver in (fails, notes):
            leftovers.tidying.disconnect(receiver)
    assert asked == ["notes"]
    assert "nothing to tidy" in caplog.text
