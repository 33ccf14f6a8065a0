"""Running one system once: enqueue, start two worker processes, watch them from outside, stop them.

Nothing of the systems is trusted for the figures: each job's own code notes when it ran (bench.probe), CPU and memory
are the kernel's, and outcomes are counted in the database when all jobs have run.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import redis

from bench.probe import NOTE, read
from bench.services import ROOT, Services
from bench.systems import System
from jobs.sandbox.services import stop_group

START_SECONDS = 40
STOP_SECONDS = 15
SECRET = "for-the-bench-only"


class Setup:
    """One system beside the shared servers: its client process, its log of notes, its database."""

    def __init__(self, system: System, services: Services) -> None:
        self.system = system
        self.services = services
        self.notes = services.folder / f"{system.name}.notes"
        self.output = services.folder / f"{system.name}.log"
        self.output.touch()
        database = services.database(system.name.replace("-", "_"))
        self.environment = {
            **os.environ,
            "BENCH_LOG": str(self.notes),
            "BENCH_URL": f"http://127.0.0.1:{services.slow_port}/",
            "BENCH_VARIANT": system.variant,
            "BENCH_REDIS": str(services.redis_socket),
            "BENCH_DATABASE_URL": database,
            "BENCH_APPS": system.apps,
            **system.environment,
        }
        for name in ("DJANGO_SETTINGS_MODULE", "EMAIL_URL", "DEBUG", "HTTPS"):
            self.environment.pop(name, None)
        if system.is_offload:
            self.environment |= {
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "EXTRA_APPS": "bench.app",
                "VAR_DIR": str(services.folder / "var"),
                "DATABASE_URL": database,
                "REDIS_URL": f"unix://{services.redis_socket}",
                "SECRET_KEY": SECRET,
                "SANDBOX": "0",
                "LOG_LEVEL": "WARNING",
            }
        elif system.variant != "plain":
            self.environment["DJANGO_SETTINGS_MODULE"] = "bench.peers.settings"
        self._prepared = False
        self._client = subprocess.Popen(
            [sys.executable, "-m", "bench.client", system.client],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.output.open("ab"),
            text=True,
        )

    def ask(self, *call: Any) -> Any:
        """Have the client process do something; see bench.client."""
        assert self._client.stdin
        assert self._client.stdout
        try:
            print(json.dumps(call), file=self._client.stdin, flush=True)
            answer = self._client.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.system.name}: its client ended while asked to {call[0]}")
        return json.loads(answer)

    def log(self) -> str:
        """The end of what its processes wrote."""
        return self.output.read_text(errors="replace")[-2000:]

    def reset(self) -> None:
        """Forget all jobs and notes, in Redis too."""
        redis.Redis(unix_socket_path=str(self.services.redis_socket)).flushall()
        self.ask("prepare" if not self._prepared else "clear")
        self._prepared = True
        self.notes.write_bytes(b"")

    def noted(self) -> int:
        """How many jobs have run."""
        return self.notes.stat().st_size // NOTE.size

    @contextmanager
    def workers(self, at_once: int) -> Iterator["Watch"]:
        """Its two worker processes, with so many jobs at once each."""
        with self.output.open("ab") as output:
            children = [
                subprocess.Popen(
                    command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
                )
                for command in self.system.workers(at_once)
            ]
        try:
            yield Watch(self, [child.pid for child in children])
        finally:
            for child in children:
                child.terminate()
            end = time.monotonic() + STOP_SECONDS
            for child in children:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(max(0.1, end - time.monotonic()))
                stop_group(child.pid, signal.SIGKILL)
                child.wait()

    def close(self) -> None:
        """End the client."""
        self._client.terminate()
        self._client.wait()


class Watch:
    """What worker processes and servers use, as the kernel counts it."""

    def __init__(self, setup: Setup, pids: Sequence[int]) -> None:
        self._setup = setup
        self.pids = pids

    def alive(self) -> bool:
        """Whether every process that was started still runs."""
        return all(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in self.pids)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, those of processes that have ended too: of the workers and of the servers."""
        services = self._setup.services
        return {
            "workers": _cpu(self.pids),
            "database": _cpu([services.database_pid] if services.database_pid else []),
            "redis": _cpu([services.redis_pid]),
            "slow server": _cpu([services.slow_pid]),
        }

    def memory(self, size: str = "pss") -> float:
        """MB (10⁶ bytes) of the workers: "pss" counts shared pages once, "uss" only pages that nobody shares."""
        total = 0
        for process in _family(self.pids):
            try:
                total += getattr(process.memory_full_info(), size)
            except psutil.Error:
                continue
        return total / 1e6


def _family(pids: Sequence[int]) -> list[psutil.Process]:
    family = []
    for pid in pids:
        try:
            parent = psutil.Process(pid)
            family += [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return family


def _cpu(pids: Sequence[int]) -> float:
    total = 0.0
    for process in _family(pids):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def throughput(setup: Setup, task: str, at_once: int, count: int, limit: float) -> dict[str, Any]:
    """Put `count` jobs in line, start the workers, and see how fast the line gets shorter.

    The first fifth warms them up. "steady": jobs/s, the slope of the ends of the jobs between the first fifth and the
    last tenth. "whole": jobs/s from the end of that fifth until every outcome is in the database. A run that is not
    done `limit` seconds after its first job is stopped: it counts as far as it came.
    """
    setup.reset()
    setup.ask("enqueue", task, 0, count)
    warm = count // 5
    with setup.workers(at_once) as watch:
        _until(setup, 1, START_SECONDS)
        end = time.monotonic() + limit
        memory, warmed = None, False
        before, started = watch.cpu(), 0
        while (noted := setup.noted()) < count and time.monotonic() < end and watch.alive():
            if not warmed and noted >= warm:
                before, outcomes = watch.cpu(), setup.ask("outcomes")
                started, warmed = noted if outcomes is None else outcomes, True
            if memory is None and noted >= count // 2:
                memory = watch.memory()
            time.sleep(0.02)
        noted, cut = setup.noted(), time.time()
        pause = 0.01
        while (outcomes := setup.ask("outcomes")) is not None and outcomes < noted and time.monotonic() < end:
            time.sleep(pause)  # longer and longer, so that asking is not what the database is busy with
            pause = min(pause * 1.2, 0.1)
        last_outcome, after = time.time(), watch.cpu()
        memory = max(memory or 0, watch.memory())
    notes = read(setup.notes)
    ends = sorted(ended for _, _, ended in notes if ended <= cut)
    done = noted if outcomes is None else min(noted, outcomes)
    if done < max(20, started + 5):
        raise RuntimeError(f"{setup.system.name}: only {done} of {count} jobs were done")
    warm = len(ends) // 5
    last = ends[-1] if outcomes is None else last_outcome
    return {
        "jobs": len(ends),
        "asked": count,
        "twice": len(notes) - len({number for number, _, _ in notes}),
        "outcomes": outcomes,
        "steady": slope(ends[warm : len(ends) - len(ends) // 10]),
        "whole": (done - warm) / (last - ends[warm - 1]),
        "outcome_lag_ms": (last - ends[-1]) * 1000,
        "cpu_per_1000": {name: (after[name] - before[name]) / (done - started) * 1000 for name in after},
        "memory_mb": memory,
    }


def slope(ends: list[float]) -> float:
    """Jobs per second: the line of least squares through (moment, how many had ended)."""
    return statistics.linear_regression([moment - ends[0] for moment in ends], range(len(ends))).slope


def pick_up(setup: Setup, at_once: int, count: int, pause: float) -> dict[str, Any]:
    """Submit jobs one at a time to workers that wait, and see how long after the commit each begins. Milliseconds."""
    warm = 40
    setup.reset()
    with setup.workers(at_once) as watch:
        committed = setup.ask("trickle", "noop", 0, warm, 0.05)
        _until(setup, warm, START_SECONDS)
        time.sleep(1)
        before = watch.cpu()
        began = time.monotonic()
        committed += setup.ask("trickle", "noop", warm, count, pause)
        _until(setup, warm + count, START_SECONDS)
        took = time.monotonic() - began
        after = watch.cpu()
        memory = watch.memory()
    first_lines = {number: began for number, began, _ in read(setup.notes)}
    delays = sorted((first_lines[number] - committed[number]) * 1000 for number in range(warm, warm + count))
    return {
        "delays_ms": [round(delay, 3) for delay in delays],
        "p50": statistics.median(delays),
        "p99": delays[min(len(delays) - 1, int(len(delays) * 0.99))],
        "cpu_percent": {name: (after[name] - before[name]) / took * 100 for name in after},
        "memory_mb": memory,
    }


def _until(setup: Setup, count: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while setup.noted() < count:
        if time.monotonic() > end:
            raise RuntimeError(f"{setup.system.name}: {setup.noted()} of {count} jobs ran")
        time.sleep(0.01)
