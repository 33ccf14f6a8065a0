"""What one job costs when a million are done and 100,000 wait, beside 1,000 of each: the site's own code, timed.

    python -m bench.growth --database sqlite
    python -m bench.growth --database postgresql

All jobs are of one owner, whose pages are the slowest there can be. The steps are timed as bench/steps.py tells. About
five minutes for each database.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from bench.steps import explain, make_databases, measure, offload, report

SIZES = (1_000, 20_000, 1_000_000)
MOST_WAITING = 100_000
LINES = 100
"""Shared objects on which two fifths of the waiting jobs stand in line."""
TODAY = 1_000
"""Jobs that were done within a day: as many in each database, since the monitor counts these."""
SHAPE = "done"
BATCH = 20
"""Jobs that a busy worker claims, or whose results it writes, in one transaction."""


def main() -> None:
    """Parse the command line, make the databases, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--rounds", type=int, default=100, help="rounds over all databases (%(default)s)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help=f"jobs that are done; as many wait, up to {MOST_WAITING:,}"
    )
    asked = parser.parse_args()
    with offload(asked.database) as started:
        databases = make_databases(started, [(SHAPE, size) for size in sorted(asked.sizes)], fill)
        plans = {SHAPE: explain(databases[SHAPE, max(asked.sizes)], SHAPE, steps)}
        print(f"Measuring {asked.rounds} rounds", flush=True)
        times = measure(databases, steps, asked.rounds)
    report("growth", asked.database, started.versions, times, plans)


# --- The rows --------------------------------------------------------------------------------------------------------


def fill(shape: str, size: int) -> None:
    """Write `size` jobs that are done, with their attempts, and as many that wait, up to MOST_WAITING.

    Of those that wait two fifths are due, two fifths stand in LINES lines, and one fifth is scheduled.
    """
    from django.contrib.auth.models import User
    from django.db import connection
    from django.utils import timezone

    from jobs.models import Job, Resource, Status, Worker

    owner = User.objects.create(username="bench")
    moment = "now() + ({}) * interval '1 second'"
    if connection.vendor == "sqlite":
        moment = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', ({}) || ' seconds')"

    def jobs(count: int, **varied: str) -> None:
        done = {"status": Status.SUCCEEDED, "has_turn": False, "result": {}} if "finished_at" in varied else {}
        pattern = Job(kind="bench", queue="network", owner=owner, title="Job", attempt=bool(done), **done)
        pattern.payload = {"text": "something to do"}
        pattern.finished_at = timezone.now() if done else None
        pattern.save()
        title = "'Job ' || n || CASE WHEN n %% 20 = 0 THEN ' apple' ELSE '' END"
        copies(pattern, count, {"id": new_id(), "title": title, **varied})

    age = f"-(CASE WHEN n <= {TODAY} THEN 60 * n ELSE 200000 + 10 * n END)"
    times = {name: moment.format(f"{age} - {before}") for name, before in (("created_at", 2), ("started_at", 1))}
    jobs(size, **times, run_at=times["created_at"], finished_at=moment.format(age))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO offload_attempt "
            "(job_id, number, worker, started_at, ended_at, outcome, error_code, error_said, traceback) "
            "SELECT id, 1, 'bench', started_at, finished_at, 'succeeded', '', '{}', '' FROM offload_job"
        )
    waiting = min(size, MOST_WAITING)
    due = moment.format("-10 - n / 1000.0")
    jobs(waiting * 2 // 5, created_at=due, run_at=due)
    in_line = {
        "resource": f"'object:' || (n %% {LINES})",
        "position": f"(n - 1) / {LINES} + 1",
        "has_turn": f"n <= {LINES}",
    }
    jobs(waiting * 2 // 5, created_at=due, run_at=due, **in_line)
    jobs(waiting // 5, created_at=due, run_at=moment.format("3600 + n"))
    Resource.objects.bulk_create([Resource(name=f"object:{number}", last_position=waiting) for number in range(LINES)])
    Worker.objects.create(name="bench", role="network", concurrency=1, seen_at=timezone.now() + timedelta(days=1))


def new_id() -> str:
    """SQL of a UUID, as Django keeps it."""
    from django.db import connection

    return "lower(hex(randomblob(16)))" if connection.vendor == "sqlite" else "gen_random_uuid()"


def copies(pattern: Any, count: int, varied: dict[str, str]) -> None:
    """Put `count` copies in the place of a row. varied: the columns that differ, as SQL of `n`, which counts from 1."""
    from django.db import connection

    fields = pattern._meta.concrete_fields
    columns = ", ".join(field.column for field in fields)
    values = ", ".join(varied.get(field.column, field.column) for field in fields)
    table, key = pattern._meta.db_table, pattern._meta.pk
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
            f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, numbers WHERE {key.column} = %s",
            [key.get_db_prep_save(pattern.pk, connection)],
        )
        cursor.execute(f"DELETE FROM {table} WHERE {key.column} = %s", [key.get_db_prep_save(pattern.pk, connection)])


# --- The measurement -------------------------------------------------------------------------------------------------


def steps(shape: str, number: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What happens to jobs and around them, on the default database, each as something to be timed."""
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.test import Client
    from django.urls import reverse

    from jobs.core import estimates, lifecycle
    from jobs.kind import Kind, Submission
    from jobs.models import Job
    from jobs.staff import monitor
    from jobs.web import access, job_list
    from jobs.worker import sweep

    kind = Kind()
    kind.name = "bench"  # type: ignore[misc]
    owner = User.objects.get()
    mine = Job.objects.filter(owner=owner).defer(*access.UNSEEN)
    due = list(Job.objects.runnable().order_by("run_at").values_list("pk", flat=True)[: BATCH + 1])
    middle = mine.order_by("-created_at", "-pk").values_list("pk", flat=True)[mine.count() // 2]
    last = Job.objects.runnable().order_by("run_at").last()
    assert last

    client = Client(SERVER_NAME="localhost")
    client.force_login(owner)

    def page(**asked: str) -> None:
        filters = job_list.Filters(asked)
        assert filters.is_valid(), filters.errors
        job_list.page_of(mine, filters)

    def poll() -> None:
        answer = client.get(reverse("offload:status", args=[last.pk]))
        assert answer.status_code == 200, answer

    yield "submit", lambda: lifecycle.submit(kind, [Submission({}, "bench")], owner=owner)
    yield f"submit {BATCH} at once", lambda: lifecycle.submit(kind, [Submission({}, "bench")] * BATCH, owner=owner)
    yield "claim", lambda: lifecycle.start(due[0], "bench")
    yield f"claim {BATCH} at once", lambda: lifecycle.start_all(due[1:], "bench")
    running = list(Job.objects.filter(pk__in=due))
    yield "renew the leases", lambda: lifecycle.renew("bench", {job.pk: job.attempt for job in running})
    yield "finish", lambda: lifecycle.succeed(running[0], {})
    yield f"finish {BATCH} at once", lambda: lifecycle.succeed_all([(job, {}) for job in running[1:]])
    cache.clear()
    yield "estimate how long jobs take (kept for a minute)", estimates.usual
    poll()  # its answer lets the next be found without session and user
    yield "poll a job that waits", poll
    yield "list: the first page", page
    yield "list: a page in the middle", lambda: page(after=str(middle))
    yield "list: search a word of every 20th title", lambda: page(q="apple")
    yield f"list: search a word of no title (in {job_list.WINDOW:,} jobs)", lambda: page(q="pear")
    yield f"list: only failed ones, of which there is none (in {job_list.WINDOW:,} jobs)", lambda: page(status="failed")
    yield "sweep: free what lost its worker, delete what is old", sweep.sweep
    yield "sweep: push what has no hint", sweep.push_missing
    yield "sweep: mend lines (every minute)", sweep.mend_lines
    yield "monitor", monitor.numbers
    yield "healthz", monitor.problems


if __name__ == "__main__":
    main()
