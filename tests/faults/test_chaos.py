"""Everything at once: random kills of web, workers and Redis while jobs come in, in the order that a seed gives."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import pytest
import requests

from jobs.models import Attempt, Job
from tests.faults.conftest import Figure
from tests.faults.stage import Stage, Web, WorkerProcess, send
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

JOBS, THINGS = 120, 6
"""Jobs of one run, and numbers that they change."""
SPACING, PAUSE = 0.12, 1.0
"""Mean seconds between two submits and between two faults."""


class Chaos:
    """Faults in an order that depends on the seed alone (their effect depends on the moment too)."""

    def __init__(self, seed: int, stage: Stage, web: Web) -> None:
        self.random = random.Random(seed)
        self.stage = stage
        self.web = web
        self.workers = [stage.start_worker() for _ in range(2)]
        self.done: list[str] = []

    def strike(self) -> None:
        """One fault."""
        fault = self.random.choice(
            [
                self.kill_worker,
                self.kill_role,
                self.kill_role,
                self.stop_worker,
                # On a slow machine it would otherwise never live long enough to take a job.
                self.kill_web if self.web.has_answered else self.kill_redis,
                self.kill_redis,
                self.wipe,
            ]
        )
        self.done.append(fault.__name__)
        fault()

    def kill_worker(self) -> None:
        worker = self._some_worker()
        worker.kill()
        self._replace(worker)

    def stop_worker(self) -> None:
        worker = self._some_worker()
        worker.process.signal(signal.SIGTERM, group=self.random.random() < 0.5)
        self._replace(worker)

    def kill_role(self) -> None:
        members = self._some_worker().family()[1:]
        if members:
            send(self.random.choice(members), signal.SIGKILL)

    def kill_web(self) -> None:
        self.web.kill()
        self.web.launch()

    def kill_redis(self) -> None:
        self.stage.redis.kill()
        self.stage.redis.start()

    def wipe(self) -> None:
        self.stage.redis.wipe()

    def _some_worker(self) -> WorkerProcess:
        return self.random.choice(self.workers)

    def _replace(self, worker: WorkerProcess) -> None:
        self.workers.remove(worker)
        self.workers.append(self.stage.launch_worker("--grace", "0.5"))


def submit_all(seed: int, stage: Stage, web: Web) -> None:
    """Ask for all the jobs, each until the site has answered: with a key, so that none is accepted twice."""
    choose = random.Random(seed)
    for number in range(JOBS):
        asked = {
            "ledger": stage.ledger.port,
            "object": f"thing {choose.randrange(THINGS)}",
            "change": choose.choice(["+2", "+3", "*2"]),
            "seconds": choose.choice([0, 0.1, 0.5]),
        }
        kind = choose.choice(["tally", "grind"])

        def accepted(kind: str = kind, key: str = f"chaos-{seed}-{number}", asked: dict = asked) -> bool:
            with suppress(requests.RequestException):
                return web.submit(kind, key=key, **asked).status_code in (200, 202)
            return False

        wait_until(accepted, seconds=60, what="the site accepts a job")
        time.sleep(choose.uniform(0, 2 * SPACING))


@pytest.mark.fault(15)
@pytest.mark.parametrize("seed", range(1, 6))
def test_chaos(stage: Stage, web: Web, figure: Figure, seed: int):
    print(f"seed {seed}")  # noqa: T201 (so that a failed run names it)
    chaos = Chaos(seed, stage, web)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        submitting = thread.submit(submit_all, seed, stage, web)
        while wait([submitting], timeout=chaos.random.uniform(0, 2 * PAUSE)).not_done:
            chaos.strike()
    submitting.result()
    figure(f"seed {seed}: {len(chaos.done)} faults in {time.monotonic() - began:.0f} s")
    cleared = time.monotonic()
    stage.settle(30)
    figure(f"all {JOBS} done {time.monotonic() - cleared:.0f} s after the last, {Attempt.objects.count()} attempts")
    stage.judge()
    assert Job.objects.count() == JOBS
