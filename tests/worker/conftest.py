"""Jobs for real workers, and when they are done."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Job, Status
from tests.environment import DATABASE


def accept(name: str, count: int = 1, **payload) -> list[Job]:
    the_kind = kind_named(name)
    assert the_kind
    return lifecycle.submit(the_kind, [Submission({"text": "hi", **payload}, "t")] * count, owner=None).jobs


def finished(count: int) -> bool:
    return Job.objects.filter(status=Status.SUCCEEDED).count() == count


@contextmanager
def results_wait() -> Iterator[None]:
    """Let no outcome be written meanwhile; jobs go on to be claimed. On SQLite, which has one lock, nothing waits."""
    if DATABASE == "sqlite":
        yield
        return
    with transaction.atomic():
        connection.cursor().execute("LOCK TABLE offload_attempt IN EXCLUSIVE MODE")
        yield
