"""The jobs that a run of the lab is made of. Nobody submits them by hand, and they belong to no owner: the run does.

The two that change a value do it as a naive worker would: read, compute, write over whatever is there by now. That is
safe only as long as nobody else does the same with that value, and it is the resource's business to see to that.
"""

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import requests
from django.db.models.functions import Now
from django.utils.translation import gettext, gettext_lazy

from ...contract import Failed, Kind, Role, Run, TryAgain, options
from .models import Value
from .work import work

DELAY_SECONDS = 0.15
"""The longest time between reading and writing in the race; each task takes a random part of it."""
ROUNDS = 3_000_000
"""What one computing step works through: about a third of a second."""
TRIES = 3
"""How often each way of the comparison is measured; the shortest counts, the others were disturbed."""


def change(run: Run, compute: Callable[[int], int]) -> dict[str, Any]:
    """Read the value that the payload names, compute, and write the outcome. Once, over all attempts.

    Returns what was read and written, and when (seconds on the database's clock).
    """
    if "wrote" not in run.kept:
        value = Value.objects.filter(pk=run.payload["value"])
        found = value.values_list("number", Now()).first()
        if found is None:
            raise Failed("run_over", gettext("The run of the lab that this belongs to is over."), can_retry=False)
        read, read_at = found
        wrote = compute(read)
        with run.transaction():
            value.update(number=wrote)
            wrote_at: datetime = value.values_list(Now(), flat=True).get()
            run.keep(read=read, read_at=read_at.timestamp(), wrote=wrote, wrote_at=wrote_at.timestamp())
    return dict(run.kept)


class Step(Kind):
    """Base of the steps."""

    max_attempts = 3
    time_limit = timedelta(minutes=2)
    backoff = timedelta(seconds=0.5)


class Operation(Step):
    """+ or × on a value, with a pause between reading and writing. payload: value, operation, operand."""

    name = "lab_operation"
    label = gettext_lazy("Lab: operation")
    role = Role.NETWORK

    def run(self, run: Run) -> dict[str, Any]:
        """Change the value."""

        def compute(number: int) -> int:
            time.sleep(random.uniform(0, DELAY_SECONDS))  # noqa: S311 (no secret)
            operand: int = run.payload["operand"]
            return number + operand if run.payload["operation"] == "+" else number * operand

        return change(run, compute)


class Addition(Step):
    """Computes a number, on a processor, and adds it to a value. payload: value, seed."""

    name = "lab_addition"
    label = gettext_lazy("Lab: computed addition")
    role = Role.MEDIA

    def run(self, run: Run) -> dict[str, Any]:
        """Change the value. cpu: the seconds of processor time that this took."""
        before = time.process_time()
        changed = change(run, lambda number: number + work(ROUNDS, run.payload["seed"]))
        return {**changed, "cpu": time.process_time() - before}


class Comparison(Step):
    """The same computing one task after another, on threads, and in processes."""

    name = "lab_comparison"
    label = gettext_lazy("Lab: threads and processes")
    role = Role.MEDIA

    def run(self, run: Run) -> dict[str, Any]:
        """Seconds (wall) and processor seconds (cpu) of each way, how many tasks there were and on how many cores."""
        cores = os.cpu_count() or 1
        tasks = min(max(cores, 2), 4)
        ways = {"sequence": _in_sequence, "threads": _on_threads, "processes": _in_processes}
        return {"tasks": tasks, "cores": cores, **{name: _measured(way, tasks) for name, way in ways.items()}}


def _in_sequence(tasks: int) -> None:
    for _ in range(tasks):
        work(ROUNDS)


def _on_threads(tasks: int) -> None:
    with ThreadPoolExecutor(tasks) as pool:
        list(pool.map(work, [ROUNDS] * tasks))


def _in_processes(tasks: int) -> None:
    """Programs of their own, since the process of a media job may have no children of Python's multiprocessing."""
    command = [sys.executable, "-m", f"{__package__}.work", str(ROUNDS)]
    running = [subprocess.Popen(command, cwd=options.BASE_DIR, stdout=subprocess.DEVNULL) for _ in range(tasks)]
    codes = [process.wait() for process in running]
    if any(codes):
        raise RuntimeError("a process of the comparison failed")


def _measured(way: Callable[[int], None], tasks: int) -> dict[str, float]:
    tries = []
    for _ in range(TRIES):
        start, before = time.monotonic(), _processor_seconds()
        way(tasks)
        tries.append({"wall": time.monotonic() - start, "cpu": _processor_seconds() - before})
    return min(tries, key=lambda one: one["wall"])


def _processor_seconds() -> float:
    """What this process and its ended children have used so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Call(Step):
    """A call to the slow API. payload: ms, the milliseconds that it takes to answer."""

    name = "lab_call"
    label = gettext_lazy("Lab: call to a slow API")
    role = Role.NETWORK

    def run(self, run: Run) -> dict[str, Any]:
        """Make the call."""
        try:
            return call_slow_api(run.payload["ms"])
        except requests.RequestException as error:
            raise TryAgain("practice_network", gettext("The practice network did not answer.")) from error


def call_slow_api(ms: int) -> dict[str, Any]:
    """The practice network's answer, which takes `ms` milliseconds. Raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the machine has no business with a server on loopback
        answer = session.get(f"{options.SANDBOX_URL}/practice/slow", params={"ms": ms}, timeout=(5, 20))
        answer.raise_for_status()
        return {"waited_ms": answer.json()["ms"]}
