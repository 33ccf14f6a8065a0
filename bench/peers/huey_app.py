"""Huey on Redis, with threads. https://huey.readthedocs.io/en/latest/consumer.html"""

from huey import RedisHuey

from bench.peers import base
from bench.peers.base import prepare  # noqa: F401 (part of the client)

huey = RedisHuey("bench", results=False, url=f"unix://{base.REDIS_SOCKET}?max_connections=1000")
perform = huey.task()(base.perform)


def clear() -> None:
    """Forget all jobs."""


def enqueue(task: str, numbers: range) -> None:
    """Send a message for each number."""
    base.enqueue(numbers, lambda number: perform(task, number))


def submit(task: str, number: int) -> float:
    """Send one."""
    return base.submit(number, lambda: perform(task, number))


def outcomes() -> int | None:
    """None are kept."""
    return None
