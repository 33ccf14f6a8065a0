"""django-tasks with its database backend, django-tasks-db. https://github.com/RealOrangeOne/django-tasks"""

from django_tasks import task as as_task

from bench.peers import base
from bench.peers.base import prepare  # noqa: F401 (part of the client)


@as_task()  # type: ignore[untyped-decorator]
def perform(task: str, number: int) -> None:
    """The job, found again by its module and name."""
    base.perform(task, number)


def clear() -> None:
    """Forget all jobs."""
    base.empty("django_tasks_database_dbtaskresult")


def enqueue(task: str, numbers: range) -> None:
    """Insert a row for each number."""
    base.enqueue(numbers, lambda number: perform.enqueue(task, number))


def submit(task: str, number: int) -> float:
    """Insert one."""
    return base.submit(number, lambda: perform.enqueue(task, number), inside=True)


def outcomes() -> int:
    """How many outcomes are in the database."""
    return base.count("django_tasks_database_dbtaskresult", "status = 'SUCCESSFUL'")
