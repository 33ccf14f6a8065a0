"""A worker claims hints together and writes results together: what becomes of the others when one of them fails."""

import random

import pytest

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Attempt, Job, Status
from jobs.worker.runners import RESULTS
from tests.faults.conftest import Figure
from tests.faults.stage import Stage, judge_rows, no_other_writes, outcomes
from tests.kind_app.kind import Echo
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


@pytest.mark.quick
@pytest.mark.fault(21)
def test_a_result_that_no_database_would_take_as_it_is_is_kept_with_all_of_its_batch(stage: Stage, figure: Figure):
    stage.start_worker("--role", "network")
    jobs = [stage.accept("tally", hold="before") for _ in range(15)]
    odd = stage.accept("tally", hold="before", misbehave="NUL")
    for job in [*jobs, odd]:
        stage.arrived(job)
    with no_other_writes():
        stage.ledger.let_go()
        for job in [*jobs, odd]:
            stage.changed(job)
    stage.settle()
    odd.refresh_from_db()
    assert odd.result == {"text": r"a\x00b"}
    assert [outcomes(job) for job in [odd, *jobs]] == [["succeeded"]] * (len(jobs) + 1)
    figure(f"kept, with {len(jobs)} others of its batch")


@pytest.mark.fault(8)
def test_results_that_were_not_kept_are_made_again_without_a_second_effect(stage: Stage, figure: Figure):
    victim = stage.start_worker("--role", "network")
    jobs = [stage.accept("tally", f"thing {number}", hold="before") for number in range(15)]
    for job in jobs:
        stage.arrived(job)
    with no_other_writes():
        stage.ledger.let_go()
        for job in jobs:
            stage.changed(job)
        victim.kill()
    stage.start_worker("--role", "network")
    stage.settle()
    stage.judge()
    again = sum(len(outcomes(job)) > 1 for job in jobs)
    assert again
    figure(f"{again} of a batch of {len(jobs)} ran again, effects {len(stage.ledger.effects)}")


@pytest.mark.fault(11)
def test_hints_of_whole_lines_that_come_together_and_again_and_again_keep_every_line_in_order(
    stage: Stage, figure: Figure
):
    jobs = [stage.accept("tally", f"thing {number % 8}", "*3" if number % 3 else "+2") for number in range(40)]
    hints = [str(job.pk) for job in jobs] * 6
    random.Random(40).shuffle(hints)
    stage.redis.client.rpush("rq:queue:network", *hints)
    for _ in range(3):
        stage.launch_worker("--role", "network")
    stage.start_worker("--role", "network")
    stage.settle()
    stage.judge()
    assert set(Job.objects.values_list("status", "attempt")) == {(Status.SUCCEEDED, 1)}
    figure(f"{len(hints)} hints of {len(jobs)} jobs on 8 objects, {Attempt.objects.count()} attempts")


@pytest.mark.fault(53)
@pytest.mark.parametrize("count", [pytest.param(2_000, marks=pytest.mark.quick), 20_000])
def test_of_a_long_line_of_short_jobs_a_crash_repeats_no_more_than_was_in_hand(
    stage: Stage, figure: Figure, count: int
):
    at_once, workers = 16, 2
    short = Submission({"text": "", "steps": 0}, "t")
    for _ in range(count // 500):
        lifecycle.submit(Echo(), [short] * 500, owner=None)
    # Not one after the other: the first would have done it all before the second has registered.
    victims = [stage.launch_worker("--role", "network", "--concurrency", str(at_once)) for _ in range(workers)]
    wait_until(lambda: Job.objects.filter(status=Status.SUCCEEDED).count() > count // 8, seconds=60)
    for victim in victims:
        victim.kill()
    stage.start_worker("--role", "network")
    stage.settle(120)
    judge_rows()
    again = Job.objects.filter(attempt__gt=1).count()
    assert Job.objects.filter(status=Status.SUCCEEDED).count() == count
    assert again <= workers * (at_once + RESULTS)
    figure(f"{again} of {count:,} jobs ran again")
