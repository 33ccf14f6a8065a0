"""django-q2 with its Redis broker. https://django-q2.readthedocs.io/en/master/configure.html"""

from django_q.brokers import get_broker
from django_q.tasks import async_task

from bench.peers import base
from bench.peers.base import perform, prepare  # noqa: F401 (part of the client)

broker = get_broker()


def clear() -> None:
    """Forget all jobs."""
    base.empty("django_q_task")


def enqueue(task: str, numbers: range) -> None:
    """Send a message for each number."""
    base.enqueue(numbers, lambda number: async_task(perform, task, number, broker=broker))


def submit(task: str, number: int) -> float:
    """Send one."""
    return base.submit(number, lambda: async_task(perform, task, number, broker=broker))


def outcomes() -> int:
    """How many outcomes are in the database."""
    return base.count("django_q_task", "success")
