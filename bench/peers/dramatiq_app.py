"""Dramatiq on Redis. https://dramatiq.io/guide.html

The middleware of its default set that this work has no use for is left out, which is faster. Variant "django": with
django-dramatiq, which makes the broker (bench.peers.settings) and keeps a row for each message.
"""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Retries, ShutdownNotifications, TimeLimit

from bench.peers import base
from bench.peers.base import prepare  # noqa: F401 (part of the client)

if base.VARIANT != "django":
    middleware = [AgeLimit(), TimeLimit(), ShutdownNotifications(), Retries()]
    if base.VARIANT == "row":
        from django_dramatiq.middleware import DbConnectionsMiddleware

        middleware.append(DbConnectionsMiddleware())
    dramatiq.set_broker(RedisBroker(url=f"unix://{base.REDIS_SOCKET}", middleware=middleware))
perform = dramatiq.actor(base.perform)


def clear() -> None:
    """Forget all jobs."""
    base.empty(*(["django_dramatiq_task"] if base.VARIANT == "django" else []))


def enqueue(task: str, numbers: range) -> None:
    """Send a message for each number."""
    base.enqueue(numbers, lambda number: perform.send(task, number))


def submit(task: str, number: int) -> float:
    """Send one."""
    return base.submit(number, lambda: perform.send(task, number))


def outcomes() -> int | None:
    """How many outcomes are in the database."""
    if base.VARIANT == "plain":
        return None
    return base.rows_done() if base.VARIANT == "row" else base.count("django_dramatiq_task", "status = 'done'")
