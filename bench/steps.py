"""Single steps of a job's life, timed in this process on databases of several sizes in turn.

Round by round, forwards and backwards, so that whatever else the machine does falls on all sizes alike; what counts is
the ratio of the medians. Before the rounds the database is asked how it answers each query (EXPLAIN), at the largest
size.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.command import machine, spread, table
from bench.services import ROOT, Services, services

Key = tuple[str, int]
"""A shape (what the rows are like) and a size (how many there are)."""
Steps = Callable[[str, int], Iterator[tuple[str, Callable[[], Any]]]]
"""Of a shape and the number of a round: what happens there, each as a name and something to be timed."""
Times = dict[str, dict[str, dict[int, list[float]]]]
"""Milliseconds in each round, by shape, step and size."""
WARM_UP = 5
"""Rounds that are not kept."""


@contextmanager
def offload(database: str) -> Iterator[Services]:
    """Set Offload up in this process, on servers of its own. database: "sqlite" or "postgresql"."""
    with (
        tempfile.TemporaryDirectory(prefix="offload-bench-") as name,
        services(Path(name), database) as started,
    ):
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            VAR_DIR=name,
            SECRET_KEY="for-the-bench-only",
            SANDBOX="0",
            JOB_KEEP_DAYS="3650",  # the sweep looks for what is old, and finds nothing
            LOG_LEVEL="ERROR",
            DATABASE_URL=started.database("first"),
            REDIS_URL=f"unix://{started.redis_socket}",
        )
        import django
        from django.db import connections

        django.setup()
        from jobs.core import short_cache

        short_cache.MOMENT = 0  # an answer that a process keeps for a second must not get from one database to the next
        try:
            yield started
        finally:
            for alias in connections.settings:
                connections[alias].close()


def make_databases(started: Services, keys: Iterable[Key], fill: Callable[[str, int], None]) -> dict[Key, Any]:
    """A migrated database for each shape and size: its Django connection.

    fill: writes the rows of a shape and a size, into the default database.
    """
    from django.core.management import call_command
    from django.db import connections

    made: dict[Key, Any] = {}
    base = connections.settings["default"]
    for shape, size in keys:
        alias = f"bench_{len(made)}"
        url = started.database(alias)
        name = url.removeprefix("sqlite:///") if url.startswith("sqlite") else alias
        connections.settings[alias] = {**base, "NAME": name, "CONN_MAX_AGE": None}
        made[shape, size] = connections[alias]
        with at(connections[alias]):
            call_command("migrate", database=alias, verbosity=0)
            call_command("createcachetable", database=alias, verbosity=0)
            began = time.monotonic()
            if connections[alias].vendor == "sqlite":
                with connections[alias].cursor() as cursor:  # until the connection is closed
                    cursor.execute("PRAGMA synchronous = OFF")
                    cursor.execute("PRAGMA cache_size = -1000000")
            fill(shape, size)
            connections[alias].close()
        if made[shape, size].vendor == "postgresql":  # as autovacuum does; SQLite has no such helper
            with connections[alias].cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        print(f"Filled: {shape}, {size:,} ({time.monotonic() - began:.0f} s)", flush=True)
    return made


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


def measure(databases: dict[Key, Any], steps: Steps, rounds: int) -> Times:
    """Time every step on every database in every round."""
    times: Times = {}
    order = list(databases)
    for number in range(-WARM_UP, rounds):
        for shape, size in order if number % 2 else reversed(order):
            with at(databases[shape, size]):
                for name, step in steps(shape, number):
                    began = time.perf_counter()
                    step()
                    took = (time.perf_counter() - began) * 1000
                    if number >= 0:
                        of_step = times.setdefault(shape, {}).setdefault(name, {})
                        of_step.setdefault(size, []).append(round(took, 3))
    return times


def explain(database: Any, shape: str, steps: Steps) -> dict[str, list[str]]:
    """How the database answers each query of each step: "step: query" → lines of the plan."""
    plans: dict[str, list[str]] = {}
    prefix = "EXPLAIN QUERY PLAN " if database.vendor == "sqlite" else "EXPLAIN (COSTS OFF) "
    explaining = False

    def note(step: str, execute: Callable, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal explaining
        if not explaining and not many and sql.startswith(("SELECT", "UPDATE", "DELETE")):
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
    return f"{table} SET … WHERE {rest.partition(' WHERE ')[2]}" if rest else sql


def report(
    goal: str, database: str, versions: dict[str, str], times: Times, plans: dict[str, dict[str, list[str]]]
) -> None:
    """Print plans and medians, and keep the raw times in bench/results."""
    for shape, of_shape in plans.items():
        print(f"\n## {shape}, {max(next(iter(times[shape].values()))):,}")
        for query, plan in of_shape.items():
            print(f"\n{query}")
            print("\n".join(f"    {line}" for line in plan))
    first = next(iter(next(iter(times.values())).values()))
    sizes = sorted(first)
    rounds = len(first[sizes[0]])
    lines = [
        [shape, step, *(spread(by_size[size], 2) for size in sizes), f"{ratio(by_size):.2f}"]
        for shape, by_step in times.items()
        for step, by_size in by_step.items()
    ]
    print(f"\n{database}: median (minimum–maximum) in ms of {rounds} rounds\n")
    print(table(["shape", "step", *(f"{size:,}" for size in sizes), "ratio"], lines))
    path = ROOT / "bench" / "results" / f"{goal}-{database}.json"
    environment = {**machine(), **versions}
    found = {"environment": environment, "unit": "ms", "times": times, "plans": plans}
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\nRaw times: {path.relative_to(ROOT)}")


def ratio(by_size: dict[int, list[float]]) -> float:
    """Of the medians: the largest size to the smallest."""
    return statistics.median(by_size[max(by_size)]) / statistics.median(by_size[min(by_size)])
