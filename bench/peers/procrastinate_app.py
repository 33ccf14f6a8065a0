"""procrastinate, which keeps its jobs in PostgreSQL. https://procrastinate.readthedocs.io

python -m bench.peers.procrastinate_app 32 is its worker. Jobs that wait run on threads of asyncio's default executor,
whose few threads (cores + 4) would be the limit: here it has one for each job at once. A job that does nothing is a
coroutine, which is cheaper.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.psycopg_connector import PsycopgConnector

from bench.peers import base
from bench.peers.base import prepare  # noqa: F401 (part of the client)

POOL = 16
"""Connections of one worker process; its default is 4."""


async def noop(number: int) -> None:
    """A job that does nothing."""
    base.perform("noop", number)


def api(number: int) -> None:
    """A job that waits."""
    base.perform("api", number)


TASKS = {"noop": app.task(name="noop")(noop), "api": app.task(name="api")(api)}


def clear() -> None:
    """Forget all jobs."""
    base.empty("procrastinate_jobs", "procrastinate_events")


def enqueue(task: str, numbers: range) -> None:
    """Defer them in batches."""
    for first in range(0, len(numbers), 500):
        TASKS[task].batch_defer(*({"number": number} for number in numbers[first : first + 500]))


def submit(task: str, number: int) -> float:
    """Defer one, in a transaction of Django's."""
    return base.submit(number, lambda: TASKS[task].defer(number=number), inside=True)


def outcomes() -> int:
    """How many outcomes are in the database."""
    return base.count("procrastinate_jobs", "status = 'succeeded'")


async def work(concurrency: int) -> None:
    """Serve until SIGTERM."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(concurrency))
    database = settings.DATABASES["default"]
    where = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "host": database["HOST"] or database["OPTIONS"]["host"],
    }
    worker: App = app.with_connector(PsycopgConnector(kwargs=where, min_size=4, max_size=POOL))
    async with worker.open_async():
        await worker.run_worker_async(concurrency=concurrency)


if __name__ == "__main__":
    asyncio.run(work(int(sys.argv[1])))
