"""One attempt in this process: what the kind sees, and what becomes of whatever it raises."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.db import OperationalError, connection

from jobs.core import lifecycle
from jobs.kind import ClaimLost, Failed, Kind, OnHold, Run, Submission, TryAgain, _kinds
from jobs.models import Job, Status, Worker
from jobs.worker import execution

pytestmark = pytest.mark.django_db


class Scripted(Kind):
    """Does what the test says."""

    name = "scripted"
    label = "Scripted"
    max_attempts = 2
    script: ClassVar[Callable[[Run], Any]]

    def run(self, run: Run) -> dict[str, Any]:
        result: dict[str, Any] = Scripted.script(run)
        return result


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scripted = Scripted()
    monkeypatch.setitem(_kinds, scripted.name, scripted)
    return scripted


def outcome(scripted: Scripted, script: Callable[[Run], Any]) -> Job:
    """The row of a job after one attempt that ran `script`."""
    Scripted.script = staticmethod(script)
    (job,) = lifecycle.submit(scripted, [Submission({"a": 1}, "t")], owner=None).jobs
    execution.perform(str(job.pk))
    return Job.objects.get(pk=job.pk)


def raises(error: BaseException) -> Callable[[Run], Any]:
    def script(run: Run) -> Any:
        raise error

    return script


def test_the_result_is_kept(scripted):
    job = outcome(scripted, lambda run: {"payload": run.payload, "attempt": run.attempt})
    assert (job.status, job.result) == (Status.SUCCEEDED, {"payload": {"a": 1}, "attempt": 1})


def test_a_job_that_needs_a_person_first_waits_for_one(scripted):
    Scripted.script = staticmethod(raises(OnHold("revoked", "Connect the account again.")))
    (job,) = lifecycle.submit(scripted, [Submission({}, "t", "account:1")], owner=None).jobs
    execution.perform(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.has_turn, job.error_code) == (Status.PENDING, False, "revoked")


def test_a_known_failure_keeps_its_sentence(scripted):
    job = outcome(scripted, raises(Failed("no", "It said no.", can_retry=False)))
    assert (job.status, job.error_code, job.error_text, job.can_retry) == (Status.FAILED, "no", "It said no.", False)


def test_a_passing_failure_is_tried_again(scripted):
    job = outcome(scripted, raises(TryAgain("away", "It is away.")))
    assert (job.status, job.error_code) == (Status.PENDING, "away")


@pytest.mark.parametrize("error", [RuntimeError("secret-token"), SystemExit(0), MemoryError(), KeyboardInterrupt()])
def test_a_bug_ends_in_a_sentence_for_the_owner_and_a_traceback_for_staff(scripted, error):
    job = outcome(scripted, raises(error))
    assert (job.status, job.error_code) == (Status.FAILED, "internal_error")
    assert "secret-token" not in job.error_text
    assert type(error).__name__ in job.traceback


def test_a_result_that_is_no_json_is_a_bug(scripted):
    assert outcome(scripted, lambda run: {"x": object()}).error_code == "internal_error"


def test_a_database_that_went_away_is_a_reason_to_try_again(scripted):
    assert outcome(scripted, raises(OperationalError("gone"))).error_code == "database"


def test_an_attempt_that_was_given_up_is_told_so_and_writes_nothing(scripted):
    def script(run: Run) -> Any:
        lifecycle.lose(Job.objects.get(pk=run.job_id), lapsed=False)
        with pytest.raises(ClaimLost):
            run.keep(sending=True)
        return {"late": True}

    job = outcome(scripted, script)
    assert (job.status, job.result, job.kept) == (Status.PENDING, None, {})


def test_rows_of_a_kind_are_written_only_while_the_attempt_is_its_own(scripted):
    def script(run: Run) -> Any:
        with run.transaction():
            Worker.objects.create(name="first", role="network", concurrency=1)
        lifecycle.lose(Job.objects.get(pk=run.job_id), lapsed=False)
        with run.transaction():
            Worker.objects.create(name="late", role="network", concurrency=1)

    outcome(scripted, script)
    assert list(Worker.objects.values_list("name", flat=True)) == ["first"]


def test_progress_is_bounded_and_seldom_written(scripted, django_assert_num_queries):
    def script(run: Run) -> Any:
        with django_assert_num_queries(1):
            run.progress(250, "x" * 500)
            run.progress(-1, "too soon")
        job = Job.objects.get(pk=run.job_id)
        return {"percent": job.progress_percent, "length": len(job.progress_text)}

    assert outcome(scripted, script).result == {"percent": 100, "length": 200}


def test_a_job_whose_kind_is_gone_ends_in_a_sentence(scripted):
    (job,) = lifecycle.submit(scripted, [Submission({}, "t")], owner=None).jobs
    Job.objects.update(kind="vanished")
    execution.perform(str(job.pk))
    assert Job.objects.get().error_code == "unknown_kind"


def test_a_payload_that_can_not_be_decrypted_ends_in_a_sentence(scripted):
    Scripted.script = staticmethod(lambda run: {})
    (job,) = lifecycle.submit(scripted, [Submission({}, "t")], owner=None).jobs
    with connection.cursor() as cursor:
        cursor.execute("UPDATE offload_job SET payload_text = 'garbage'")
    execution.perform(str(job.pk))
    assert Job.objects.get().error_code == "payload_unreadable"


def test_a_message_that_names_no_uuid_is_refused():
    with pytest.raises(ValueError, match="hexadecimal"):
        execution.perform("rm -rf /")
