"""How a run has its steps done by real workers: none is left behind, however it ends."""

import pytest

from jobs.core import lifecycle
from jobs.models import Job, Status
from tests.conftest import StartWorker
from tests.kinds.lab.conftest import accepted, found_by, over
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


def test_without_a_worker_that_computes_a_run_says_so_and_leaves_no_step(start_worker: StartWorker, user):
    start_worker("--role", "network")
    job = over(accepted(user, "locks", 2))
    assert job.error_code == "no_worker"
    assert "rqworker --role media" in job.error_text
    assert not Job.objects.filter(status=Status.PENDING).exists()


def test_a_step_that_is_cancelled_ends_the_run_and_the_other_steps(start_worker: StartWorker, user):
    start_worker("--role", "network")
    job = accepted(user, "locks", 2)
    steps = Job.objects.filter(kind="lab_addition")
    wait_until(steps.exists, what="the first step")
    assert lifecycle.cancel(steps[0].pk)
    assert over(job).error_code == "step_failed"
    assert not Job.objects.filter(status=Status.PENDING).exists()


def test_a_run_that_is_cancelled_takes_its_steps_along(start_worker: StartWorker, user):
    start_worker("--role", "network")
    job = accepted(user, "locks", 2)
    wait_until(Job.objects.filter(kind="lab_addition").exists, what="the first step")
    assert lifecycle.cancel(job.pk)
    assert over(job).status == Status.CANCELLED
    wait_until(lambda: not Job.objects.unfinished().exists(), what="no step is left")


def test_the_steps_are_nobodys_and_clutter_no_list(start_worker: StartWorker, ann, user):
    start_worker("--role", "network")
    job = accepted(user, "race", 2)
    found_by(job)
    assert list(Job.objects.filter(owner=user)) == [job]
    step = Job.objects.filter(kind="lab_operation")[0]
    assert ann.get(step.get_absolute_url()).status_code == 404
    assert "+2" not in ann.get("/jobs/").content.decode()
