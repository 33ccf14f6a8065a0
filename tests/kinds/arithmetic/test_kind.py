"""What an operation does to its value."""

import pytest

from jobs.core import lifecycle
from jobs.kinds.arithmetic.models import Change, Value
from jobs.models import Job, Status
from jobs.worker import execution
from tests.kinds.arithmetic.conftest import accepted, done

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_an_operation_changes_the_value_and_tells_what_it_read_and_wrote(user):
    done(user, "O", "=2")
    done(user, "O", "+2")
    job = done(user, "O", "*5")
    value = Value.objects.get()
    assert (value.number, value.changes_made) == ("20", 3)
    assert job.result == {
        "value": "O",
        "value_id": value.pk,
        "place": 3,
        "operation": "× 5",
        "read": "4",
        "wrote": "20",
    }


def test_numbers_beyond_any_float_are_kept_exactly(user):
    done(user, "O", "=12345678901234567890123456789.000000000000000000001")
    done(user, "O", "*3")
    assert Value.objects.get().number == "37037036703703703670370370367.000000000000000000003"


def test_the_history_is_a_chain(user):
    for change in ("+2", "*5", "-0.5", "=7", "*-1"):
        done(user, "O", change)
    changes = list(Change.objects.order_by("place"))
    assert [change.place for change in changes] == [1, 2, 3, 4, 5]
    assert [change.read for change in changes] == ["0", *[change.wrote for change in changes[:-1]]]
    assert [change.wrote for change in changes] == ["2", "10", "9.5", "7", "-7"]
    assert str(changes[2]) == "− 0.5: 10 → 9.5"


def test_a_result_with_too_many_digits_fails_with_a_sentence_and_holds_the_line(user):
    done(user, "O", f"={'9' * 100}")
    too_long = done(user, "O", "*10")
    behind = accepted(user, "O", "=1")
    assert (too_long.status, too_long.error_code, too_long.can_retry) == (Status.FAILED, "too_many_digits", False)
    assert "101 digits" in too_long.error_text
    assert Value.objects.get().number == "9" * 100
    assert lifecycle.start(behind.pk, "w") is None
    assert lifecycle.skip(too_long.pk)
    execution.perform(str(behind.pk))
    assert Value.objects.get().number == "1"


def test_an_attempt_after_the_change_was_written_counts_it_once(user):
    job = accepted(user, "O", "+2")
    first = lifecycle.start(job.pk, "a worker that dies")
    assert first
    assert first.the_kind
    result = first.the_kind.run(execution.AttemptRun(first))
    lifecycle.lose(first, lapsed=False)
    execution.perform(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.attempt, job.result) == (Status.SUCCEEDED, 2, result)
    assert Value.objects.get().number == "2"
    assert Change.objects.count() == 1


def test_an_attempt_that_was_given_up_writes_nothing(user):
    job = accepted(user, "O", "+2")
    first = lifecycle.start(job.pk, "a worker that sleeps")
    assert first
    assert first.the_kind
    lifecycle.lose(first, lapsed=False)
    execution.perform(str(job.pk))
    done(user, "O", "*5")
    Change.objects.filter(job=job).update(job=None)  # nor does it find what the next attempt wrote
    execution.run_attempt(first)
    assert Value.objects.get().number == "10"
    assert Change.objects.count() == 2


def test_a_history_outlives_its_jobs(user):
    done(user, "O", "+2")
    Job.objects.all().delete()
    assert [change.wrote for change in Change.objects.all()] == ["2"]


def test_a_delay_tells_how_far_it_is(user):
    job = accepted(user, "O", "+2", delay=0.3)
    running = lifecycle.start(job.pk, "w")
    assert running
    assert running.the_kind
    running.the_kind.run(execution.AttemptRun(running))
    running.refresh_from_db()
    assert running.progress_text.startswith("Read 0, writes in ")
