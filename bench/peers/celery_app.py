"""Celery on Redis, pool of threads. https://docs.celeryq.dev/en/stable/userguide/configuration.html

Variant "django": django-celery-results keeps the outcome. Otherwise results are not kept, which is faster.
"""

from celery import Celery

from bench.peers import base
from bench.peers.base import prepare  # noqa: F401 (part of the client)

app = Celery("bench", broker=f"redis+socket://{base.REDIS_SOCKET}")
app.conf.task_ignore_result = base.VARIANT != "django"
if base.VARIANT == "django":
    app.conf.result_backend = "django-db"
app.conf.broker_connection_retry_on_startup = True
# Celery closes Django's connections around each task unless told how often to use them.
app.conf["CELERY_DB_REUSE_MAX"] = 1000
perform = app.task(name="perform")(base.perform)


def clear() -> None:
    """Forget all jobs."""
    base.empty(*(["django_celery_results_taskresult"] if base.VARIANT == "django" else []))


def enqueue(task: str, numbers: range) -> None:
    """Send a message for each number, over one connection."""
    with app.producer_pool.acquire(block=True) as producer:
        base.enqueue(numbers, lambda number: perform.apply_async((task, number), producer=producer))


def submit(task: str, number: int) -> float:
    """Send one."""
    return base.submit(number, lambda: perform.delay(task, number))


def outcomes() -> int | None:
    """How many outcomes are in the database."""
    if base.VARIANT == "plain":
        return None
    if base.VARIANT == "row":
        return base.rows_done()
    return base.count("django_celery_results_taskresult", "status = 'SUCCESS'")
