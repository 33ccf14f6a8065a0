"""The steps one by one."""

import pytest

from jobs.contract import Submission
from jobs.core import lifecycle
from jobs.kinds.lab.models import Value
from jobs.kinds.lab.steps import Addition, Operation
from jobs.models import Job, Status
from jobs.worker import execution

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def operation(value: int) -> Job:
    payload = {"value": value, "operation": "+", "operand": 2}
    return lifecycle.submit(Operation(), [Submission(payload, "+2")], owner=None).jobs[0]


def test_a_second_attempt_writes_nothing_again():
    value = Value.objects.create(number=2)
    job = operation(value.pk)
    first = lifecycle.start(job.pk, "a worker")
    assert first
    run = execution.AttemptRun(first)
    Operation().run(run)
    lifecycle.lose(first, lapsed=False)
    execution.perform(str(job.pk))
    value.refresh_from_db()
    job.refresh_from_db()
    assert value.number == 4
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 2)
    assert job.result
    assert (job.result["read"], job.result["wrote"]) == (2, 4)
    assert job.result["read_at"] <= job.result["wrote_at"]


def test_a_step_of_a_run_that_is_over_ends_with_a_reason():
    job = operation(12345)
    execution.perform(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "run_over", False)


def test_an_addition_adds_what_it_computed():
    value = Value.objects.create(number=1000)
    (job,) = lifecycle.submit(Addition(), [Submission({"value": value.pk, "seed": 3}, "t")], owner=None).jobs
    execution.perform(str(job.pk))
    job.refresh_from_db()
    value.refresh_from_db()
    assert job.result
    assert job.result["wrote"] == value.number > 1000
    assert job.result["cpu"] > 0
