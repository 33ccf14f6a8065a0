"""Operations on shared values with real workers; tests/faults has the faults that are no kind's own."""

from decimal import Decimal
from itertools import pairwise

import pytest
from django.contrib.auth.models import User

from jobs.kinds.arithmetic import exact
from jobs.kinds.arithmetic.models import Value
from jobs.models import Attempt, Job, Status
from tests.conftest import StartWorker
from tests.kinds.arithmetic.conftest import accepted
from tests.kinds.arithmetic.killed import KilledKind
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

WORKERS = 4


@pytest.fixture
def workers(start_worker: StartWorker) -> None:
    for _ in range(WORKERS):
        start_worker("--role", "network", "--concurrency", "8")


def settled(seconds: float = 60) -> None:
    wait_until(lambda: not Job.objects.unfinished().exists(), seconds, "every job has its outcome")


def check_history(value: Value) -> None:
    """What the jobs read and wrote is a chain in the order of acceptance, and equals the replay on paper."""
    jobs = Job.objects.filter(resource=value.resource, status=Status.SUCCEEDED).order_by("position")
    changes = list(value.changes.order_by("place"))
    assert [change.job_id for change in changes] == [job.pk for job in jobs]
    number = Decimal(0)
    for change in changes:
        assert change.read == exact.written(number)
        number = exact.apply(change.operation, Decimal(change.operand), number)
        assert change.wrote == exact.written(number)
    assert value.number == exact.written(number)


def check_apart(value: Value) -> None:
    """No attempt on the value began before the one before it had ended."""
    attempts = list(Attempt.objects.filter(job__resource=value.resource).order_by("started_at", "pk"))
    for earlier, later in pairwise(attempts):
        assert earlier.ended_at <= later.started_at


@pytest.mark.usefixtures("workers")
def test_two_plus_two_times_five_is_twenty_on_each_of_forty_objects(user: User):
    for index in range(40):
        Value.objects.create(owner=user, name=f"O{index}", number="2")
    for change in ("+2", "*5"):
        for index in range(40):
            accepted(user, f"O{index}", change, delay=0.05)
    settled()
    assert set(Value.objects.values_list("number", flat=True)) == {"20"}
    for value in Value.objects.all():
        check_apart(value)
        assert [(change.read, change.wrote) for change in value.changes.all()] == [("2", "4"), ("4", "20")]
    assert len(set(Attempt.objects.values_list("worker", flat=True))) > 1


@pytest.mark.usefixtures("workers")
def test_thirty_operations_on_one_value_keep_the_order_of_acceptance(user: User):
    for index in range(30):
        accepted(user, "O", ("+2", "*-5", "-0.25")[index % 3])
    settled()
    value = Value.objects.get()
    assert value.changes_made == 30
    check_history(value)
    check_apart(value)


def test_an_operation_whose_worker_is_killed_after_the_write_counts_once(user: User, start_worker: StartWorker):
    start_worker("--role", "network")
    killed, behind = accepted(user, "O", "+2", kind=KilledKind()), accepted(user, "O", "*5")
    settled()
    value = Value.objects.get()
    assert (value.number, value.changes_made) == ("10", 2)
    check_history(value)
    outcomes = {job.pk: list(job.attempts.values_list("outcome", flat=True)) for job in (killed, behind)}
    assert outcomes == {killed.pk: ["lost", "succeeded"], behind.pk: ["succeeded"]}
