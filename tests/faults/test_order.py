"""Jobs on one object: one at a time, in the order of acceptance, while other objects use every core."""

import os

import pytest

from jobs.models import Job, Status
from tests.faults.conftest import Figure
from tests.faults.stage import Stage, outcomes
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


@pytest.mark.fault(1)
def test_two_jobs_at_once_on_each_of_forty_objects_take_their_turns(stage: Stage, figure: Figure):
    for _ in range(4):
        stage.start_worker("--role", "network")
    things = [f"object {number}" for number in range(40)]
    for thing in things:
        stage.ledger.values[thing] = 2
    for thing in things:
        stage.accept("tally", thing, "+2", seconds=0.1)
        stage.accept("tally", thing, "*5", seconds=0.1)
    stage.settle()
    stage.judge()
    figure(f"{sum(stage.ledger.values[thing] == 20 for thing in things)} of 40 are 20")
    assert [stage.ledger.values[thing] for thing in things] == [20] * 40


@pytest.mark.fault(2)
def test_thirty_jobs_on_one_object_run_in_the_order_of_their_acceptance(stage: Stage, figure: Figure):
    for role in ("network", "network", "media", "media"):
        stage.start_worker("--role", role)
    jobs = [stage.accept("tally" if number % 3 else "grind", "x", f"+{number}") for number in range(30)]
    stage.settle()
    stage.judge()
    made = [effect.job for effect in stage.ledger.effects]
    assert made == [str(job.pk) for job in jobs]
    figure("30 of 30 in order")


@pytest.mark.quick
@pytest.mark.fault(16)
def test_a_job_that_backs_off_keeps_its_place_before_those_behind_it(stage: Stage, figure: Figure):
    stage.start_worker()
    first = stage.accept("tally", "x", "+2", misbehave_once="wait for the other side")
    behind = [stage.accept(kind, "x", "*3") for kind in ("tally", "grind", "tally")]
    elsewhere = stage.accept("tally", "y")
    wait_until(lambda: outcomes(first) == ["retried"], what="it backs off")
    wait_until(lambda: outcomes(elsewhere) == ["succeeded"], what="another object is not held up")
    assert {job.attempt for job in Job.objects.filter(pk__in=[job.pk for job in behind])} == {0}
    stage.settle()
    stage.judge()
    assert stage.ledger.values["x"] == 54
    figure("(0 + 2) · 3 · 3 · 3 = 54")


@pytest.mark.fault(30)
def test_a_blocked_object_holds_up_none_of_five_hundred_others_and_all_cores_work(stage: Stage, figure: Figure):
    stage.start_worker()
    blocked = stage.accept("tally", "blocked", hold="before")
    stage.accept("grind", "blocked")
    for number in range(450):
        stage.accept("tally", f"object {number}")
    for number in range(50):
        stage.accept("grind", f"core {number}", seconds=0.05)
    most = 0

    def others_are_done() -> bool:
        nonlocal most
        most = max(most, sum(arrival.object.startswith("core") for arrival in stage.ledger.here()))
        return Job.objects.filter(status=Status.SUCCEEDED).count() == 500

    wait_until(others_are_done, seconds=60, what="the others finish")
    assert Job.objects.get(pk=blocked.pk).status == Status.RUNNING
    assert most >= (os.cpu_count() or 1)
    figure(f"500 of 500 others done, {most} processes at once on {os.cpu_count()} cores")
    stage.ledger.let_go()
    stage.settle()
    stage.judge()
