"""One attempt in this process: what the kind sees, and what becomes of whatever it raises."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.db import OperationalError, connection

from jobs.core import lifecycle
from jobs.kind import ClaimLost, Failed, Kind, OnHold, Run, Submission, TryAgain, _kinds
from jobs.models import Job, Status, Worker
from jobs.storable import LARGEST
from jobs.worker import execution
from tests import hostile

pytestmark = pytest.mark.django_db


class Scripted(Kind):
    """Does what the test says."""

    name = "scripted"
    label = "Scripted"
    max_attempts = 2
    sentences = {"no": "It said no.", "text": "%(text)s"}
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
    Scripted.script = staticmethod(raises(OnHold("revoked")))
    (job,) = lifecycle.submit(scripted, [Submission({}, "t", "account:1")], owner=None).jobs
    execution.perform(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.has_turn, job.error_code) == (Status.PENDING, False, "revoked")


def test_a_known_failure_keeps_its_sentence(scripted):
    job = outcome(scripted, raises(Failed("no", can_retry=False)))
    assert (job.status, job.error_code, job.error_text, job.can_retry) == (Status.FAILED, "no", "It said no.", False)


def test_a_passing_failure_is_tried_again(scripted):
    job = outcome(scripted, raises(TryAgain("away")))
    assert (job.status, job.error_code) == (Status.PENDING, "away")


@pytest.mark.parametrize("error", [RuntimeError("secret-token"), SystemExit(0), MemoryError(), KeyboardInterrupt()])
def test_a_bug_ends_in_a_sentence_for_the_owner_and_a_traceback_for_staff(scripted, error):
    job = outcome(scripted, raises(error))
    assert (job.status, job.error_code) == (Status.FAILED, "internal_error")
    assert "secret-token" not in job.error_text
    assert type(error).__name__ in job.traceback


@pytest.mark.parametrize("result", [None, [], "text"])
def test_a_result_that_is_no_dict_is_a_bug(scripted, result):
    assert outcome(scripted, lambda run: result).error_code == "internal_error"


def test_of_a_result_that_is_no_text_staff_and_owner_can_tell_what_it_was(scripted):
    assert outcome(scripted, lambda run: {"file": "caf\udce9.txt"}).result == {"file": r"caf\udce9.txt"}


@pytest.mark.parametrize("result", [{"text": "x" * LARGEST}, {"deep": hostile.nested(900)}])
def test_a_result_that_can_not_be_kept_ends_in_a_sentence_that_says_what_may_have_happened(scripted, result):
    job = outcome(scripted, lambda run: result)
    assert (job.status, job.error_code, job.result) == (Status.FAILED, "result_too_large", None)
    assert "it may be done twice" in job.error_text
    assert "This " in job.traceback


def test_an_outcome_that_is_refused_is_a_bug_that_staff_can_read(scripted):
    job = outcome(scripted, raises(Failed("no", can_retry="perhaps")))  # type: ignore[arg-type]
    assert (job.status, job.error_code) == (Status.FAILED, "internal_error")
    assert "perhaps" in job.traceback


def test_a_result_that_is_refused_takes_none_of_its_batch_along(scripted):
    jobs = lifecycle.submit(scripted, [Submission({}, "t")] * 3, owner=None).jobs
    running = lifecycle.start_all([job.pk for job in jobs], "w")
    execution.write_results([(running[0], {}), (running[1], {"x": object()}), (running[2], {})])
    codes = [Job.objects.get(pk=job.pk).error_code for job in running]
    assert codes == ["", "internal_error", ""]


@pytest.mark.parametrize(("percent", "shown"), [(float("nan"), 0), (float("inf"), 100), (-(10**300), 0), (99.9, 99)])
def test_progress_is_a_percentage_whatever_the_kind_computed(scripted, percent, shown):
    def script(run: Run) -> Any:
        run.progress(percent)
        return {"percent": Job.objects.get(pk=run.job_id).progress_percent}

    assert outcome(scripted, script).result == {"percent": shown}


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
            run.progress(250, "text", text="x" * 5000)
            run.progress(-1, "text", text="too soon")
        job = Job.objects.get(pk=run.job_id)
        return {"percent": job.progress_percent, "length": len(job.progress_text)}

    assert outcome(scripted, script).result == {"percent": 100, "length": 1000}


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
