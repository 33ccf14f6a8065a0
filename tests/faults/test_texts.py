"""What a job says or leaves behind may be anything: it reaches its outcome, and every page opens that shows it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Attempt, Job, Status
from tests import hostile
from tests.faults.conftest import Figure
from tests.faults.stage import Stage, judge_rows
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


@pytest.mark.fault(39)
@pytest.mark.parametrize("kind", ["tell", "tell_apart"])
def test_whatever_a_job_says_or_leaves_behind_it_has_an_outcome_and_every_page_opens(
    stage: Stage, figure: Figure, ann: Client, user: User, staff: Client, kind: str
):
    worker = stage.start_worker()
    tell = kind_named(kind)
    assert tell
    given = [
        Submission({"place": place, "value": value}, f"{place}, {value}", f"{place} {value}")
        for place in hostile.PLACES
        for value in hostile.VALUES
    ]
    jobs = lifecycle.submit(tell, given, owner=user).jobs
    first_attempts = Attempt.objects.filter(number=1)
    wait_until(lambda: first_attempts.count() == len(jobs), seconds=120, what="each job was tried once")
    assert worker.process.alive()
    judge_rows()
    for job in jobs:
        job.refresh_from_db()
        place, _, value = job.title.partition(", ")
        status, code = hostile.expected(place, value)
        assert (job.status, job.attempt, job.error_code[: len(code)]) == (status, 1, code), job.title
        assert bool(job.error_text) == (status != Status.SUCCEEDED), job.title
    hostile.look_at(jobs, ann, staff)
    for job in jobs:
        hostile.look_closely_at(job, ann, staff)
    copied = _copied(user)
    assert copied.status == Status.SUCCEEDED, copied.error_text
    figure(f"{kind}: {len(jobs)} jobs, {len(hostile.PLACES)} places for {len(hostile.VALUES)} values")


def _copied(user: User) -> Job:
    """The job that made a copy of all the user's data, the others' texts among it."""
    export = kind_named("export")
    assert export
    (job,) = lifecycle.submit(export, [Submission({}, "Copy")], owner=user).jobs
    wait_until(lambda: Job.objects.get(pk=job.pk).is_finished, seconds=60, what="the copy is made")
    return Job.objects.get(pk=job.pk)
