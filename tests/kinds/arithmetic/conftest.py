"""Asking for operations as the form does."""

from typing import Any

from django.contrib.auth.models import User

from jobs.contract import Kind
from jobs.core import lifecycle
from jobs.kinds.arithmetic.forms import ArithmeticForm
from jobs.kinds.arithmetic.kind import ArithmeticKind
from jobs.models import Job
from jobs.worker import execution

WORDS = {"+": "add", "-": "subtract", "*": "multiply", "=": "set"}


def form(owner: User, name: str, change: str, delay: float = 0, **more: Any) -> ArithmeticForm:
    """The form as it was filled in. change: such as `+2`, `*5`, `=0.5`."""
    asked = {"value": name, "operation": WORDS.get(change[0], ""), "operand": change[1:], "delay": delay, **more}
    return ArithmeticForm(asked, owner=owner)


def accepted(owner: User, name: str, change: str, delay: float = 0, kind: Kind | None = None) -> Job:
    """The job of one operation on the value of that name."""
    filled = form(owner, name, change, delay)
    assert filled.is_valid(), filled.errors
    (job,) = lifecycle.submit(kind or ArithmeticKind(), filled.submissions(), owner=owner).jobs
    return job


def done(owner: User, name: str, change: str) -> Job:
    """The job of one operation after its first attempt."""
    job = accepted(owner, name, change)
    execution.perform(str(job.pk))
    job.refresh_from_db()
    return job
