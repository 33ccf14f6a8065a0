"""What the commands of the benches share: options, interleaved rounds, tables, results as JSON."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.measure import Setup
from bench.services import ROOT, Services, services
from bench.systems import SYSTEMS, System

PACKAGES = (
    *("Django", "rq", "redis", "hiredis", "requests", "psycopg", "celery", "kombu", "django-celery-results"),
    *("dramatiq", "django-dramatiq", "procrastinate", "django-tasks", "django-tasks-db", "django-q2", "huey"),
)


def parser(description: str, *, rounds: int) -> argparse.ArgumentParser:
    """The options that every command has. description: the module's docstring."""
    made = argparse.ArgumentParser(description=description.partition("\n")[0])
    made.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    made.add_argument("--rounds", type=int, default=rounds, help="rounds over all systems (%(default)s)")
    made.add_argument("--systems", default="", help="comma-separated names; all that are installed by default")
    return made


def chosen(names: str, fits: Callable[[System], bool], database: str) -> list[System]:
    """The systems to measure. Exits with a sentence when a name is wrong."""
    known = {system.name: system for system in SYSTEMS if fits(system) and database in system.databases}
    if wrong := set(filter(None, names.split(","))) - set(known):
        raise SystemExit(f"No such system here: {', '.join(sorted(wrong))}. There are: {', '.join(known)}")
    systems = [known[name] for name in names.split(",")] if names else list(known.values())
    for system in systems:
        if not system.installed:
            print(f"Left out, not installed: {system.name} (`make .venv-bench/installed`)", flush=True)
    return [system for system in systems if system.installed]


def in_rounds(
    goal: str,
    database: str,
    systems: Sequence[System],
    rounds: int,
    run: Callable[[Services, Setup, int], dict[str, dict[str, Any]]],
    options: dict[str, Any],
) -> dict[str, Any]:
    """Run every system in turn, round after round, forwards and backwards, and keep what came of it.

    run: measures a system once in a round, and returns what it saw by case ("64 in flight"). Rounds count from 0; round
    -1 warms up and is not kept. Returns what it writes to bench/results: the machine, the options, and the samples by
    case and system.
    """
    samples: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with tempfile.TemporaryDirectory(prefix="offload-bench-") as folder, services(Path(folder), database) as shared:
        setups: list[Setup] = []
        try:
            for system in systems:
                setups.append(Setup(system, shared))
            for number in range(-1, rounds):
                for setup in setups if number % 2 else reversed(setups):
                    try:
                        seen = run(shared, setup, number)
                    except RuntimeError as error:
                        # A table with one system less is better than none.
                        print(f"{error}. The last lines of its log:\n{setup.log()}", flush=True)
                        continue
                    for case, sample in seen.items():
                        brief = ", ".join(
                            f"{name} {value:,.1f}" for name, value in sample.items() if type(value) is float
                        )
                        print(f"round {number}, {case}, {setup.system.name}: {brief}", flush=True)
                        if number >= 0:
                            samples.setdefault(case, {}).setdefault(setup.system.name, []).append(sample)
        finally:
            for setup in setups:
                setup.close()
        environment = {**machine(), **shared.versions}
    result = {"environment": environment, "options": options, "samples": samples}
    path = ROOT / "bench" / "results" / f"{goal}-{database}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nRaw results: {path.relative_to(ROOT)}\n")
    return result


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "processor": model,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load before": os.getloadavg()[0],
        "packages": found,
    }


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median (minimum–maximum)."""
    text = f"{statistics.median(values):,.{digits}f}"
    return f"{text} ({min(values):,.{digits}f}–{max(values):,.{digits}f})" if len(values) > 1 else text


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1), *rows])
