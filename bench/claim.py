"""What it costs to find, start and finish the next job, at 1,000 and at 100,000 jobs: `make run`'s own code, timed.

    python -m bench.claim --database sqlite
    python -m bench.claim --database postgresql

Fills throw-away databases, one of each size for each shape, and times the steps there (bench/steps.py).
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from bench.steps import explain, make_databases, measure, offload, report

SIZES = (1_000, 100_000)
ONE_LINE = "all wait on one resource"
MANY_LINES = "each waits on a resource of its own"
HISTORY = "10 wait on a resource on which all the others have finished"


def main() -> None:
    """Parse the command line, make the databases, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--rounds", type=int, default=200, help="rounds over all databases (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="jobs in a database")
    asked = parser.parse_args()
    shapes = (ONE_LINE, MANY_LINES, HISTORY)
    with offload(asked.database) as started:
        keys = [(shape, size) for shape in shapes for size in sorted(asked.sizes)]
        databases = make_databases(started, keys, fill)
        plans = {shape: explain(databases[shape, max(asked.sizes)], shape, steps) for shape in shapes}
        print(f"Measuring {asked.rounds} rounds", flush=True)
        times = measure(databases, steps, asked.rounds)
    report("claim", asked.database, started.versions, times, plans)


def fill(shape: str, size: int) -> None:
    """Write the rows as `lifecycle.submit` and what follows would have left them."""
    from django.utils import timezone

    from jobs.models import Job, Resource, Status, Worker

    now = timezone.now()
    rows = []
    for number in range(1, size + 1):
        many = shape == MANY_LINES
        job = Job(
            kind="bench",
            queue="network",
            title="bench",
            run_at=now - timedelta(hours=1) + timedelta(milliseconds=number),
        )
        job.payload_text = "{}"
        job.resource = f"object:{number}" if many else "object:0"
        job.position = 1 if many else number
        job.has_turn = many or number == 1
        if shape == HISTORY:
            job.status, job.has_turn, job.finished_at = Status.SUCCEEDED, False, now
        rows.append(job)
    if shape == HISTORY:
        for number in range(size + 1, size + 11):
            job = Job(
                kind="bench", queue="network", title="bench", payload_text="{}", resource="object:0", position=number
            )
            job.has_turn, job.run_at = number == size + 1, now - timedelta(minutes=1)
            rows.append(job)
    Job.objects.bulk_create(rows, batch_size=500)
    last = {job.resource: job.position or 0 for job in rows}
    Resource.objects.bulk_create(
        [Resource(name=name, last_position=position) for name, position in last.items()], batch_size=500
    )
    Worker.objects.create(name="bench", role="network", concurrency=1, seen_at=now + timedelta(days=1))


def steps(shape: str, number: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What happens to one job and around it, on the default database, each as something to be timed."""
    from jobs.core import lifecycle
    from jobs.core.waiting import wait_of
    from jobs.kind import Kind, Queue, Submission
    from jobs.models import Job
    from jobs.worker import sweep

    kind = Kind()
    kind.name = "bench"  # type: ignore[misc]
    resource = f"new:{number}" if shape == MANY_LINES else "object:0"
    yield "accept", lambda: lifecycle.submit(kind, [Submission({}, "bench", resource)], owner=None)
    last = Job.objects.unfinished().order_by("run_at").last()
    assert last
    yield "say what it waits for", lambda: wait_of(last)
    yield "look for due jobs", lambda: sweep.due(Queue.NETWORK)
    head = Job.objects.runnable().order_by("run_at").values_list("pk", flat=True)[0]
    yield "start", lambda: lifecycle.start(head, "bench")
    running = Job.objects.get(pk=head)
    yield "finish, pass the turn", lambda: lifecycle.succeed(running, {})


if __name__ == "__main__":
    main()
