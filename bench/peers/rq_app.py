"""RQ as it comes: its own job, its own worker. https://python-rq.org/docs/workers/

python -m bench.peers.rq_app simple (jobs run in the worker itself) or fork (each in a child, RQ's default).
"""

import sys

from redis import Redis
from rq import Queue, SimpleWorker, Worker

from bench.peers import base
from bench.peers.base import perform, prepare  # noqa: F401 (part of the client)

queue = Queue("bench", connection=Redis(unix_socket_path=base.REDIS_SOCKET))


def clear() -> None:
    """Forget all jobs."""


def enqueue(task: str, numbers: range) -> None:
    """Send a message for each number."""
    for first in range(0, len(numbers), 500):
        queue.enqueue_many(
            [Queue.prepare_data(perform, args=(task, number)) for number in numbers[first : first + 500]]
        )


def submit(task: str, number: int) -> float:
    """Send one."""
    return base.submit(number, lambda: queue.enqueue(perform, task, number))


def outcomes() -> int | None:
    """None are kept."""
    return None


if __name__ == "__main__":
    made = (SimpleWorker if sys.argv[1] == "simple" else Worker)([queue], connection=queue.connection)
    made.work(logging_level="WARNING")
