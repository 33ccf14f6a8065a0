"""Short jobs for minutes, on PostgreSQL: a line that is kept full, beside a held snapshot too, and a crash in a line.

    python -m bench.sustained

Two worker processes of 32 threads, jobs that do nothing, a producer that keeps 20,000 of them in line. Tells for each
ten seconds how many jobs ran, how many outcomes were missing at their end, and what the database wrote for each. Then
the same while another session holds a snapshot, as a dump does; then all workers are killed in a line of 20,000, and
what ran again is counted. At last: how long a job that a person waits for stands behind 5,000 others of 200 ms. About
seven minutes.
"""

import argparse
import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.command import machine, spread, table
from bench.measure import Setup
from bench.probe import read
from bench.services import ROOT, services
from bench.systems import SYSTEMS

LINE = 20_000
AT_ONCE = 32
PILE = 5_000
WINDOW = 10
"""Seconds of one row of the table."""
WRITTEN = """
SELECT sum(n_tup_upd), sum(n_tup_hot_upd), sum(n_dead_tup), pg_current_wal_lsn() - '0/0'::pg_lsn
FROM pg_stat_user_tables
"""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="for which the line is kept full (%(default)s)")
    asked = parser.parse_args()
    system = next(system for system in SYSTEMS if system.name == "offload")
    with (
        tempfile.TemporaryDirectory(prefix="offload-bench-") as folder,
        services(Path(folder), "postgresql") as shared,
    ):
        setup = Setup(system, shared)
        try:
            with psycopg.connect(setup.environment["DATABASE_URL"], autocommit=True) as database:
                found = {
                    "a producer": keep_full(setup, database, asked.seconds),
                    "a producer, and a held snapshot": beside_a_snapshot(setup, database, asked.seconds),
                }
                crash = kill(setup, database)
                urgent = behind_a_pile(setup)
        finally:
            setup.close()
        versions = shared.versions
    for case, windows in found.items():
        rows = [[f"{value:,.1f}" for value in window.values()] for window in windows]
        print(f"\n{case}\n\n" + table(list(windows[0]), rows))
    print(f"\nkill -9 of all workers in a line of {LINE:,}: {crash}")
    print(f"\nUrgent, behind {PILE:,} jobs of 200 ms, ms until each of {len(urgent)} began: {spread(urgent)}")
    path = ROOT / "bench" / "results" / "sustained-postgresql.json"
    kept = {"environment": {**machine(), **versions}, "windows": found, "crash": crash, "urgent_ms": urgent}
    path.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"\nRaw results: {path.relative_to(ROOT)}")


def keep_full(setup: Setup, database: "psycopg.Connection[Any]", seconds: int) -> list[dict[str, float]]:
    """Keep the line full for so long. Returns the figures of each ten seconds."""
    setup.reset()
    setup.ask("enqueue", "noop", 0, LINE)
    made, windows = LINE, []
    with setup.workers(AT_ONCE):
        while not setup.noted():
            time.sleep(0.01)
        began = time.monotonic()
        before, ran = written(database), setup.noted()
        for end in range(WINDOW, seconds + 1, WINDOW):
            while time.monotonic() < began + end:
                if made - setup.noted() < LINE:
                    setup.ask("top up", "noop", made, 500)
                    made += 500
                else:
                    time.sleep(0.02)
            after, now = written(database), setup.noted()
            jobs = now - ran or 1
            windows.append(
                {
                    "after s": end,
                    "jobs/s": jobs / WINDOW,
                    "outcomes missing": now - setup.ask("outcomes"),
                    "updates a job": (after[0] - before[0]) / jobs,
                    "HOT %": (after[1] - before[1]) / max(1, after[0] - before[0]) * 100,
                    "dead rows": after[2],
                    "WAL kB a job": (after[3] - before[3]) / jobs / 1000,
                }
            )
            print(", ".join(f"{name} {value:,.1f}" for name, value in windows[-1].items()), flush=True)
            before, ran = after, now
    return windows


def beside_a_snapshot(setup: Setup, database: "psycopg.Connection[Any]", seconds: int) -> list[dict[str, float]]:
    """The same while another session holds a snapshot, so that no dead row can be cleared away."""
    with psycopg.connect(setup.environment["DATABASE_URL"]) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("SELECT count(*) FROM django_migrations")
        return keep_full(setup, database, seconds)


def kill(setup: Setup, database: "psycopg.Connection[Any]") -> dict[str, int]:
    """Kill all workers when a quarter of a line is done, and have others do the rest.

    Returns how many jobs had been claimed and had no outcome then, and how many ran twice in the end.
    """
    setup.reset()
    setup.ask("enqueue", "noop", 0, LINE)
    with setup.workers(AT_ONCE) as watch:
        while setup.noted() < LINE // 4:
            time.sleep(0.01)
        for pid in watch.pids:
            os.killpg(pid, signal.SIGKILL)
    (claimed,) = database.execute("SELECT count(*) FROM offload_job WHERE status = 'running'").fetchone() or (0,)
    with setup.workers(AT_ONCE):
        end = time.monotonic() + 120
        while setup.ask("outcomes") < LINE and time.monotonic() < end:
            time.sleep(0.2)
    numbers = [number for number, _, _ in read(setup.notes)]
    return {
        "claimed without an outcome": int(claimed),
        "ran twice": len(numbers) - len(set(numbers)),
        "lost": LINE - int(setup.ask("outcomes")),
    }


def behind_a_pile(setup: Setup) -> list[float]:
    """Submit urgent jobs, one after the other, while all places are taken. Returns how long each waited, in ms."""
    setup.reset()
    setup.ask("enqueue", "api", 0, PILE)
    numbers = range(PILE, PILE + 20)
    with setup.workers(AT_ONCE):
        while setup.noted() < 500:
            time.sleep(0.01)
        committed = []
        for number in numbers:
            committed.append(setup.ask("urgent", number))
            time.sleep(0.3)
        began = {number: moment for number, moment, _ in read(setup.notes)}
    return [(began[number] - moment) * 1000 for number, moment in zip(numbers, committed, strict=True)]


def written(database: "psycopg.Connection[Any]") -> list[float]:
    """Updates, those of them that were HOT, dead rows, bytes of WAL; so far."""
    database.execute("SELECT pg_stat_clear_snapshot()")
    return [float(value or 0) for value in database.execute(WRITTEN).fetchone() or ()]


if __name__ == "__main__":
    main()
