"""Operations on shared values with real workers: rows 1, 2, 16 and 30 of the fault matrix, and a kill in the middle."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from jobs import kind as kinds
from jobs import lifecycle
from jobs.kind import Submission
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
        assert earlier.ended_at
        assert earlier.ended_at <= later.started_at


@pytest.mark.fault(1)
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


@pytest.mark.fault(2)
@pytest.mark.usefixtures("workers")
def test_thirty_operations_on_one_value_keep_the_order_of_acceptance(user: User):
    for index in range(30):
        accepted(user, "O", ("+2", "*-5", "-0.25")[index % 3])
    settled()
    value = Value.objects.get()
    assert value.changes_made == 30
    check_history(value)
    check_apart(value)


@pytest.mark.fault(16)
@pytest.mark.usefixtures("workers")
def test_a_job_that_waits_for_another_attempt_keeps_its_place(user: User, tmp_path: Path):
    echo, log = kinds.get("echo"), tmp_path / "log"
    assert echo
    outcomes = ["succeed", "try_again", "succeed", "try_again", "succeed"]
    asked = [
        Submission({"text": str(index), "outcome": outcome, "log": str(log)}, str(index), "shared")
        for index, outcome in enumerate(outcomes)
    ]
    jobs = lifecycle.submit(echo, asked, owner=user).jobs
    settled()
    begun = [line.split()[1:] for line in log.read_text().splitlines() if line.startswith("start")]
    expected = [
        (job, attempt) for job in jobs for attempt in range(1, 4 if job.payload["outcome"] == "try_again" else 2)
    ]
    assert begun == [[str(job.pk), str(attempt)] for job, attempt in expected]


@pytest.mark.fault(30)
@pytest.mark.usefixtures("workers")
def test_one_blocked_value_keeps_none_of_five_hundred_others_waiting(user: User):
    nines = "9" * exact.MAX_DIGITS
    Value.objects.bulk_create([Value(owner=user, name=f"O{index}", number=nines) for index in range(500)])
    failing, behind = accepted(user, "O0", "*10"), accepted(user, "O0", "=1")
    others = [accepted(user, f"O{index}", "-1").pk for index in range(1, 500)]
    wait_until(lambda: Job.objects.filter(pk__in=others, status=Status.SUCCEEDED).count() == 499, 60, "499 are done")
    assert Job.objects.holding().get() == failing
    assert Job.objects.get(pk=behind.pk).status == Status.PENDING
    assert lifecycle.skip(failing.pk)
    settled()
    assert Value.objects.get(name="O0").number == "1"


@pytest.mark.fault(8)
def test_an_operation_whose_worker_is_killed_after_the_write_counts_once(user: User, start_worker: StartWorker):
    start_worker("--role", "network")
    killed, behind = accepted(user, "O", "+2", kind=KilledKind()), accepted(user, "O", "*5")
    settled()
    value = Value.objects.get()
    assert (value.number, value.changes_made) == ("10", 2)
    check_history(value)
    outcomes = {job.pk: list(job.attempts.values_list("outcome", flat=True)) for job in (killed, behind)}
    assert outcomes == {killed.pk: ["lost", "succeeded"], behind.pk: ["succeeded"]}
