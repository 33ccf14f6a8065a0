"""Offload as the benches see it; see bench.client."""

import os
import time

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction

from bench.app.kind import OnProcesses, OnThreads
from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Attempt, Job, Status, Submit

KIND = OnProcesses() if os.environ["BENCH_VARIANT"] == "media" else OnThreads()


def prepare() -> None:
    """Make the tables, and the user whose jobs they will be."""
    call_command("migrate", verbosity=0)
    User.objects.get_or_create(username="bench")


def clear() -> None:
    """Forget all jobs."""
    tables = ", ".join(model._meta.db_table for model in (Attempt, Job, Submit))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables} CASCADE")
    else:
        for model in (Attempt, Job, Submit):
            model.objects.all().delete()


def enqueue(task: str, numbers: range) -> None:
    """Submit a job for each number, in submits of 500."""
    owner = User.objects.get(username="bench")
    for first in range(0, len(numbers), 500):
        lifecycle.submit(
            KIND, [Submission({"task": task, "number": n}, "bench") for n in numbers[first : first + 500]], owner=owner
        )


def submit(task: str, number: int, *, urgent: bool = False) -> float:
    """Submit one job. Returns the moment after its row was committed, before Redis was told of it."""
    committed = 0.0

    def note() -> None:
        nonlocal committed
        committed = time.time()

    with transaction.atomic():
        transaction.on_commit(note)
        lifecycle.submit(KIND, [Submission({"task": task, "number": number}, "bench", urgent=urgent)], owner=None)
    return committed


def outcomes() -> int:
    """How many outcomes are in the database, committed: job and attempt."""
    return min(
        Job.objects.filter(status=Status.SUCCEEDED).count(),
        Attempt.objects.filter(outcome=Attempt.Outcome.SUCCEEDED).count(),
    )
