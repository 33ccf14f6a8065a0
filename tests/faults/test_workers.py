"""Faults of the processes that do the work: killed, frozen, told to stop, broken by a job."""

import signal
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from jobs.models import Attempt, Job, Status
from tests.faults.conftest import Figure
from tests.faults.stage import Stage, freeze, gone, outcomes, send
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]
ROLES = pytest.mark.parametrize("kind", ["tally", "grind"])

RESCUE_SECONDS = 15
"""The promise."""


def rescued(stage: Stage, job: Job, since: float, attempt: int = 2) -> str:
    seconds = stage.arrived(job, attempt, seconds=RESCUE_SECONDS + 5).at - since
    assert seconds <= RESCUE_SECONDS
    return f"rescued after {seconds:.1f} s"


@pytest.mark.fault(6)
def test_the_job_of_a_killed_worker_runs_again(stage: Stage, figure: Figure):
    victim = stage.start_worker()
    jobs = [stage.accept(kind, "x" + kind, hold="before") for kind in ("tally", "grind")]
    for job in jobs:
        stage.arrived(job)
    stage.start_worker()
    began = time.monotonic()
    victim.kill()
    for job in jobs:
        figure(f"{job.kind} {rescued(stage, job, began)}")
    stage.settle()
    stage.judge()
    assert [outcomes(job) for job in jobs] == [["lost", "succeeded"]] * 2


@pytest.mark.fault(6)
def test_the_job_of_a_killed_worker_runs_again_in_time_with_the_default_settings(stage: Stage, figure: Figure):
    default = {"JOB_LEASE_SECONDS": "10", "JOB_SWEEP_SECONDS": "1"}
    victim = stage.start_worker(env=default)
    jobs = [stage.accept(kind, hold="before") for kind in ("tally", "grind")]
    for job in jobs:
        stage.arrived(job)
    stage.start_worker(env=default)
    began = time.monotonic()
    victim.kill()
    for job in jobs:
        figure(f"default settings: {job.kind} {rescued(stage, job, began)}")
    stage.settle()
    stage.judge()


@pytest.mark.quick
@pytest.mark.fault(6)
def test_a_killed_worker_is_started_again_by_its_own_supervisor(stage: Stage, figure: Figure):
    worker = stage.start_worker()
    job = stage.accept("tally", hold="before")
    stage.arrived(job)
    began = time.monotonic()
    send(worker.role("network"), signal.SIGKILL)
    figure(f"alone: {rescued(stage, job, began)}")
    stage.settle()
    stage.judge()


@pytest.mark.quick
@pytest.mark.fault(7)
def test_a_horse_dies_with_its_worker(stage: Stage, figure: Figure):
    worker = stage.start_worker("--role", "media")
    job = stage.accept("grind", "x", hold="before")
    stage.arrived(job)
    parent = worker.role("media")
    (horse,) = parent.children()
    began = time.monotonic()
    send(parent, signal.SIGKILL)
    wait_until(lambda: gone(horse) and not stage.ledger.here(), seconds=1, what="the horse is gone")
    figure(f"horse gone after {time.monotonic() - began:.2f} s")
    figure(rescued(stage, job, began))
    stage.settle()
    stage.judge()


@pytest.mark.fault(7)
def test_a_worker_whose_supervisor_was_killed_ends_its_jobs_and_stops(stage: Stage):
    worker = stage.start_worker()
    job = stage.accept("tally", hold="before")
    stage.arrived(job)
    family = worker.family()
    send(family[0], signal.SIGKILL)
    worker.process.popen.wait()
    stage.ledger.let_go()
    stage.settle()
    stage.judge()
    wait_until(lambda: all(map(gone, family)), what="its processes are gone")
    assert outcomes(job) == ["succeeded"]


@pytest.mark.fault(8)
@ROLES
def test_an_effect_is_not_repeated_when_its_outcome_was_not_kept(stage: Stage, figure: Figure, kind: str):
    victim = stage.start_worker()
    job = stage.accept(kind, "x", "+7", hold="after")
    stage.changed(job)
    began = time.monotonic()
    victim.kill()
    stage.start_worker()
    figure(f"{kind} {rescued(stage, job, began)}")
    stage.settle()
    stage.judge()
    figure(f"effects {len(stage.ledger.effects)} of {len(stage.ledger.arrivals)} attempts")
    assert stage.ledger.values["x"] == 7


@pytest.mark.fault(13)
@ROLES
def test_the_late_writes_of_a_frozen_worker_are_refused(stage: Stage, kind: str):
    frozen = stage.start_worker()
    job = stage.accept(kind, "x", hold="before")
    stage.arrived(job)
    freeze(*frozen.family())
    stage.start_worker()
    stage.arrived(job, 2)
    stage.settle()
    for member in frozen.family():
        send(member, signal.SIGCONT)
    stage.ledger.let_go()
    following = [stage.accept(kind, "x", "*3", seconds=0.1) for _ in range(2)]
    stage.settle()
    wait_until(lambda: not stage.ledger.here(), what="the thawed attempt ends")
    stage.judge(overlaps=True)
    assert outcomes(job) == ["lost", "succeeded"]
    assert stage.ledger.values["x"] == 9
    assert all(outcomes(one) == ["succeeded"] for one in following)
    assert frozen.process.alive()


@pytest.mark.fault(13)
@ROLES
def test_a_worker_alone_that_thaws_takes_its_own_lost_job_again(stage: Stage, kind: str):
    """It finds the hint of a job of which it still has the older attempt."""
    worker = stage.start_worker()
    sleeper = stage.start_worker("--role", "media" if kind == "tally" else "network")  # keeps sweeping
    job = stage.accept(kind, "x", hold="before")
    stage.arrived(job)
    freeze(*worker.family())
    wait_until(lambda: outcomes(job) == ["lost"], what="the job is freed")
    for member in worker.family():
        send(member, signal.SIGCONT)
    stage.settle()
    stage.ledger.let_go()
    stage.judge(overlaps=True)
    assert outcomes(job) == ["lost", "succeeded"]
    assert sleeper.process.alive()
    wait_until(lambda: not stage.ledger.here(), what="the older attempt ends")
    others = [stage.accept(kind, seconds=0.5) for _ in range(2)]
    for other in others:
        stage.arrived(other)
    stage.settle()
    stage.judge(overlaps=True)


@pytest.mark.fault(17)
@pytest.mark.parametrize("kind", ["echo", "brief"])
def test_a_job_that_swallows_exceptions_ends_at_its_time_limit(stage: Stage, figure: Figure, kind: str):
    stage.start_worker()
    job = stage.accept(kind, "x", misbehave="swallow", outcome="hang", text="")
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING), what="it runs")
    stage.settle()
    job.refresh_from_db()
    assert job.started_at
    assert job.finished_at
    late = (job.finished_at - job.started_at - job.time_limit).total_seconds()
    figure(f"{job.queue}: {late:.1f} s after its limit")
    assert (job.status, job.error_code) == (Status.FAILED, "time_limit")
    assert late < 5
    following = stage.accept("grind", "x")
    stage.settle()
    assert outcomes(following) == ["succeeded"]
    assert not stage.ledger.overlaps


@pytest.mark.quick
@pytest.mark.fault(18)
def test_a_job_that_holds_the_gil_ends_at_its_time_limit_and_its_process_with_it(stage: Stage, figure: Figure):
    worker = stage.start_worker("--role", "media")
    job = stage.accept("brief", "x", misbehave="hold the GIL")
    following = stage.accept("brief", "x")
    began = stage.arrived(job).at
    (horse,) = worker.role("media").children()
    wait_until(lambda: gone(horse), seconds=8, what="its process is gone")
    figure(f"process gone {time.monotonic() - began - 2:.1f} s after its limit")
    stage.settle()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, "time_limit")
    assert job.error_text == "It was stopped because it took longer than 2 seconds."
    assert outcomes(following) == ["succeeded"]
    assert not stage.ledger.overlaps


@pytest.mark.fault(19)
@pytest.mark.parametrize("group", [False, True], ids=["worker", "group"])
def test_no_job_fails_for_a_worker_that_is_told_to_stop(stage: Stage, figure: Figure, group: bool):
    leaving = stage.start_worker("--grace", "2")
    short = [stage.accept(kind, f"short {kind}", hold="before") for kind in ("tally", "grind")]
    # Many threads, so that the last is still at it when the first is handed back.
    kinds = ["grind", *["tally"] * 20]
    long = [stage.accept(kind, f"long {number}", hold="before") for number, kind in enumerate(kinds)]
    for job in short + long:
        stage.arrived(job)
    family = leaving.family()
    stage.start_worker()
    began = time.monotonic()
    leaving.process.signal(signal.SIGTERM, group=group)
    for job in short:
        stage.ledger.let_go(job.resource)
    assert leaving.process.popen.wait(10) == 0
    assert all(map(gone, family))
    ended = time.monotonic()
    again = max(stage.arrived(job, 2).at for job in long)
    figure(f"stopped in {ended - began:.1f} s with 2 s of grace, {len(long)} jobs ran again by {again - began:.1f} s")
    stage.settle()
    stage.judge()
    assert [outcomes(job) for job in short] == [["succeeded"]] * 2
    assert [outcomes(job) for job in long] == [["handed_back", "succeeded"]] * len(long)


@pytest.mark.fault(19)
def test_a_worker_that_is_told_to_stop_while_it_starts_ends_at_once(stage: Stage):
    """At every moment of its start: before its children, between them, before they listen to signals."""
    for moment in (0.3, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0):
        process = stage.launch_worker().process
        with pytest.raises(subprocess.TimeoutExpired):
            process.popen.wait(moment)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.signal(signal.SIGTERM)
        process.popen.wait(10)
        deadline = time.monotonic() + 10
        while not all(map(gone, family)):
            assert time.monotonic() < deadline, process.log


@pytest.mark.fault(21)
@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("exit 0", "worker_lost"),
        ("out of memory", "worker_lost"),
        ("SystemExit", "internal_error"),
        ("MemoryError", "internal_error"),
    ],
)
def test_a_job_that_ends_its_process_gets_an_outcome(stage: Stage, figure: Figure, how: str, code: str):
    stage.start_worker("--role", "media")
    job = stage.accept("brief", "x", misbehave=how)
    following = stage.accept("brief", "x")
    stage.settle()
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Status.FAILED, code)
    assert job.error_text
    assert job.can_retry
    figure(f"{how}: {code} after {job.attempt} attempts")
    assert outcomes(following) == ["succeeded"]


@pytest.mark.fault(21)
def test_a_job_that_ends_the_process_of_many_threads_takes_no_other_job_with_it(stage: Stage, figure: Figure):
    worker = stage.start_worker("--role", "network")
    bystanders = [stage.accept("tally", hold="before") for _ in range(3)]
    for job in bystanders:
        stage.arrived(job)
    poison = stage.accept("echo", outcome="exit", text="")
    stage.settle(60)
    poison.refresh_from_db()
    assert (poison.status, poison.error_code) == (Status.FAILED, "worker_lost")
    assert {Job.objects.get(pk=job.pk).status for job in bystanders} == {Status.SUCCEEDED}
    assert all(len(stage.ledger.effects_of(job.pk)) == 1 for job in bystanders)
    assert worker.process.alive()
    figure(f"{poison.attempt} deaths of the worker, bystanders at attempt {max(job_attempts(bystanders))}")


def job_attempts(jobs: list[Job]) -> list[int]:
    return list(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("attempt", flat=True))


@pytest.mark.fault(25)
@pytest.mark.parametrize("shift", ["+120s", "-120s"])
def test_a_worker_whose_clock_is_wrong_neither_doubles_nor_loses_a_job(stage: Stage, figure: Figure, shift: str):
    """On SQLite the worker's clock is the database's too, so this holds on PostgreSQL only."""
    library = next(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed here, and nothing else shifts the clock of one process")
    stage.start_worker()
    shifted = stage.start_worker(env={"LD_PRELOAD": str(library), "FAKETIME": shift})
    its_clock = datetime.strptime(shifted.process.log[:19], "%Y-%m-%d %H:%M:%S")
    assert abs(datetime.now() - its_clock) > timedelta(minutes=1)
    jobs = [stage.accept(kind, f"{kind}{index % 3}", seconds=0.5) for index in range(12) for kind in ("tally", "grind")]
    long = [stage.accept("tally", seconds=6), stage.accept("grind", seconds=6)]
    stage.settle(60)
    stage.judge()
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"succeeded"}
    figure(f"{shift}: {len(jobs + long)} jobs, {Attempt.objects.count()} attempts")
