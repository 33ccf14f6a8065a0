"""Transitions: who may make them, what they leave behind, and what the database refuses."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kind import ClaimLost, Kind, Stopped, Submission, kind_named
from jobs.models import Attempt, Job, Status, Submit
from jobs.sentences import Sentence
from jobs.storable import Unstorable
from tests import hostile

pytestmark = pytest.mark.django_db


def echo() -> Kind:
    kind = kind_named("echo")
    assert kind is not None
    return kind


def accept(resource: str = "", owner: User | None = None, **options) -> Job:
    (job,) = lifecycle.submit(echo(), [Submission({"text": "hi"}, "A title", resource)], owner=owner, **options).jobs
    return job


def started(job: Job, worker: str = "w1") -> Job:
    running = lifecycle.start(job.pk, worker)
    assert running is not None
    return running


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def silence(job: Job) -> None:
    """The lease of the job's attempt has run out."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


# --- acceptance ---


@pytest.mark.parametrize("payload", [{"a": "\ud800"}, {"a": ["\x00"]}, {"a": float("nan")}, {"a": hostile.nested(60)}])
def test_a_payload_that_can_not_be_kept_as_it_is_is_refused(payload):
    with pytest.raises(Unstorable, match=r"^This can't be kept.*\.$"):
        lifecycle.submit(echo(), [Submission({}, "t"), Submission(payload, "t")], owner=None)
    assert not Job.objects.exists()


@pytest.mark.parametrize("resource", ["x" * 201, "caf\udce9", "a\x00"])
def test_an_object_whose_name_can_not_be_kept_is_refused_lest_it_is_taken_for_another(resource):
    with pytest.raises(Unstorable, match="The name of what this changes"):
        accept(resource)


@pytest.mark.parametrize(
    ("title", "kept"), [("x" * 201, "x" * 199 + "…"), ("caf\udce9\x00", r"caf\udce9\x00"), ("x" * 200, "x" * 200)]
)
def test_a_title_is_made_so_that_it_can_be_kept(title, kept):
    (job,) = lifecycle.submit(echo(), [Submission({}, title)], owner=None).jobs
    assert job.title == fresh(job).title == kept


@pytest.mark.django_db(transaction=True)
def test_what_breaks_after_the_commit_breaks_nothing_for_whoever_asked(caplog):
    job = accept()
    Job.objects.update(queue="of another version")
    assert lifecycle.reschedule(job.pk, None)
    assert "Error calling push in on_commit()" in caplog.text


def test_an_accepted_job_is_pending_and_may_run():
    job = accept()
    assert job.status == Status.PENDING
    assert list(Job.objects.runnable()) == [job]


def test_a_scheduled_job_may_not_run_before_its_time():
    job = accept(run_at=timezone.now() + timedelta(minutes=1))
    assert lifecycle.start(job.pk, "w1") is None


def test_the_payload_is_unreadable_in_the_database():
    job = accept()
    with connection.cursor() as cursor:
        cursor.execute("SELECT payload_text FROM offload_job")
        assert '"text"' not in cursor.fetchone()[0]
    assert fresh(job).payload == {"text": "hi"}


def test_the_same_idempotency_key_returns_the_same_job(user):
    first = lifecycle.submit(echo(), [Submission({}, "t")], owner=user, idempotency_key="k", fingerprint="f")
    again = lifecycle.submit(echo(), [Submission({}, "t")], owner=user, idempotency_key="k", fingerprint="f")
    assert again.repeated
    assert again.jobs == first.jobs
    assert Job.objects.count() == 1


def test_another_body_under_the_same_key_is_refused(user):
    lifecycle.submit(echo(), [Submission({}, "t")], owner=user, idempotency_key="k", fingerprint="f")
    with pytest.raises(lifecycle.KeyReused):
        lifecycle.submit(echo(), [Submission({}, "t")], owner=user, idempotency_key="k", fingerprint="g")


def test_two_owners_may_use_the_same_key(user, other_user):
    for owner in (user, other_user):
        lifecycle.submit(echo(), [Submission({}, "t")], owner=owner, idempotency_key="k", fingerprint="f")
    assert Job.objects.count() == 2


def test_several_jobs_are_accepted_together_or_not_at_all(user):
    with pytest.raises(TypeError, match="JSON"):
        lifecycle.submit(echo(), [Submission({}, "t"), Submission({"no": object()}, "t")], owner=user)
    assert not Job.objects.exists()
    assert not Submit.objects.exists()


# --- attempts ---


def test_a_job_is_started_by_one_worker_only():
    job = accept()
    assert started(job).attempt == 1
    assert lifecycle.start(job.pk, "w2") is None


def test_a_finished_job_shows_its_result_and_its_attempt():
    running = started(accept())
    assert not running.attempts.exists()
    lifecycle.succeed(running, {"answer": 42})
    job = fresh(running)
    assert (job.status, job.result, job.worker) == (Status.SUCCEEDED, {"answer": 42}, "")
    assert job.finished_at is not None
    attempt = job.attempts.get()
    assert (attempt.outcome, attempt.worker) == (Attempt.Outcome.SUCCEEDED, "w1")
    assert running.started_at == attempt.started_at <= attempt.ended_at


def test_a_job_that_fails_for_good_keeps_its_reason():
    job = started(accept())
    lifecycle.fail(job, "refused", traceback="secret trace")
    job = fresh(job)
    assert (job.status, job.error_code, job.error_text) == (Status.FAILED, "refused", "The server refused it.")
    assert job.attempts.get().traceback == "secret trace"


def test_another_try_waits_for_its_pause():
    job = started(accept())
    lifecycle.try_again(job, "away", pause=timedelta(minutes=1))
    job = fresh(job)
    assert job.status == Status.PENDING
    assert timedelta(seconds=50) < job.run_at - timezone.now() <= timedelta(seconds=61)
    assert lifecycle.start(job.pk, "w1") is None


def test_a_job_that_waits_for_another_try_shows_no_progress_of_the_last():
    job = started(accept())
    lifecycle.progress(job, 40, Sentence("text", text="Talking with the mail server"))
    lifecycle.try_again(job, "away", pause=timedelta(minutes=1))
    assert (fresh(job).progress_percent, fresh(job).progress_text) == (0, "")


def test_another_try_starts_when_the_other_side_said():
    job = started(accept())
    moment = timezone.now() + timedelta(hours=1)
    lifecycle.try_again(job, "away", pause=timedelta(0), not_before=moment)
    assert fresh(job).run_at == moment


def test_after_the_last_attempt_the_job_fails():
    job = accept()
    for _ in range(echo().max_attempts):
        job = started(job)
        lifecycle.try_again(job, "away", pause=timedelta(0))
    assert fresh(job).status == Status.FAILED
    assert [a.outcome for a in job.attempts.all()] == ["retried", "retried", "failed"]


def test_success_after_a_failed_attempt_leaves_no_error():
    job = started(accept())
    lifecycle.try_again(job, "away", pause=timedelta(0))
    lifecycle.succeed(started(job), {})
    assert fresh(job).error_code == ""
    assert job.attempts.get(number=1).error_code == "away"


def test_a_job_handed_back_may_run_at_once_and_lost_no_attempt():
    job = started(accept())
    assert lifecycle.hand_back(job)
    assert fresh(job).max_attempts == echo().max_attempts + 1
    assert started(job, "w2").attempt == 2


def test_a_worker_that_lost_its_claim_cannot_finish_the_job():
    stale = started(accept())
    silence(stale)
    assert lifecycle.lose(stale)
    current = started(stale, "w2")
    for write in (
        lambda: lifecycle.succeed(stale, {}),
        lambda: lifecycle.fail(stale, "c"),
        lambda: lifecycle.try_again(stale, "c", pause=timedelta(0)),
        lambda: lifecycle.keep(stale, {"sending": True}),
        lambda: lifecycle.progress(stale, 50),
    ):
        with pytest.raises(ClaimLost):
            write()
    assert not lifecycle.hand_back(stale)
    assert fresh(stale).worker == "w2"
    lifecycle.succeed(current, {})


def test_a_job_with_a_living_lease_is_not_taken_away():
    job = started(accept())
    assert not lifecycle.lose(job)
    assert not lifecycle.expire(job)


def test_a_job_whose_workers_keep_vanishing_fails_in_the_end():
    job = accept()
    for _ in range(echo().max_attempts):
        job = started(job)
        assert lifecycle.lose(job, lapsed=False)
    assert (fresh(job).status, fresh(job).error_code) == (Status.FAILED, "worker_lost")


def test_a_result_that_is_written_again_since_the_answer_was_lost_counts_once():
    first, second = started(accept()), started(accept())
    lifecycle.succeed(first, {"n": 1})
    assert lifecycle.succeed_all([(first, {"n": 2}), (second, {"n": 3})]) == {second.pk}
    assert (fresh(first).result, fresh(second).result) == ({"n": 1}, {"n": 3})
    assert Attempt.objects.count() == 2


def test_a_job_past_its_deadline_fails_and_says_how_long_it_had():
    job = started(accept())
    Job.objects.filter(pk=job.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    assert lifecycle.expire(job)
    assert fresh(job).error_text == "It was stopped because it took longer than 5 seconds."


def test_renewing_tells_which_jobs_were_lost():
    kept, lost = started(accept()), started(accept())
    silence(lost)
    lifecycle.lose(lost)
    assert lifecycle.renew("w1", {kept.pk: 1, lost.pk: 1}) == {lost.pk}


def test_what_an_attempt_keeps_is_there_for_the_next():
    job = started(accept())
    lifecycle.keep(job, {"sending": 1})
    lifecycle.keep(job, {"id": "x"})
    lifecycle.try_again(job, "away", pause=timedelta(0))
    assert started(job).kept == {"sending": 1, "id": "x"}


# --- people ---


def test_a_failed_job_runs_again_when_its_owner_asks():
    job = started(accept())
    lifecycle.fail(job, "refused")
    assert lifecycle.retry(job.pk)
    again = started(job)
    assert (again.attempt, again.max_attempts, again.error_code) == (2, 1 + echo().max_attempts, "")


def test_a_job_that_can_not_be_retried_stays_failed():
    job = started(accept())
    lifecycle.fail(job, "refused", can_retry=False)
    assert not lifecycle.retry(job.pk)


@pytest.mark.parametrize("verb", [lifecycle.retry, lifecycle.cancel])
def test_asking_for_a_job_that_does_not_exist_changes_nothing(verb):
    assert not verb(uuid4())


def test_a_pending_job_is_cancelled_at_once_and_a_finished_one_not():
    pending, done = accept(), started(accept())
    lifecycle.succeed(done, {})
    assert lifecycle.cancel(pending.pk)
    assert fresh(pending).status == Status.CANCELLED
    assert not lifecycle.cancel(done.pk)
    assert fresh(done).status == Status.SUCCEEDED


def test_a_running_job_that_is_cancelled_ends_at_its_next_safe_point_and_writes_nothing_there():
    job = started(accept("r"))
    following = accept("r")
    lifecycle.progress(job, 10, Sentence("text", text="Before"))
    assert lifecycle.cancel(job.pk)
    asked_at = fresh(job).cancel_asked_at
    assert asked_at
    assert lifecycle.cancel(job.pk)
    assert fresh(job).cancel_asked_at == asked_at
    with pytest.raises(Stopped):
        lifecycle.progress(job, 20, Sentence("text", text="After"))
    with pytest.raises(Stopped):
        lifecycle.keep(job, {"sending": True})
    assert (fresh(job).status, fresh(job).progress_text, fresh(job).kept) == (Status.RUNNING, "Before", {})
    assert lifecycle.stop(job)
    assert fresh(job).status == Status.CANCELLED
    assert job.attempts.get().outcome == Attempt.Outcome.CANCELLED
    assert lifecycle.start(following.pk, "w")


def test_once_an_outside_effect_is_under_way_it_is_too_late_to_stop():
    job = started(accept())
    lifecycle.keep(job, {"sending": True})
    assert lifecycle.cancel(job.pk)
    lifecycle.progress(job, 50, Sentence("text", text="Sent"))
    lifecycle.keep(job, {"id": 1})
    assert lifecycle.to_stop("w1", [job.pk], 0) == set()
    lifecycle.succeed(job, {})
    assert fresh(job).was_too_late_to_cancel


def test_an_effect_that_was_taken_back_makes_a_safe_point_again():
    job = started(accept())
    lifecycle.keep(job, {"sending": True})
    lifecycle.keep(job, {"sending": None})
    lifecycle.cancel(job.pk)
    with pytest.raises(Stopped):
        lifecycle.progress(job, 50)


@pytest.mark.parametrize("attempts_left", [True, False])
def test_a_cancelled_job_does_not_run_again_when_its_worker_is_lost(attempts_left):
    job = started(accept())
    if not attempts_left:
        Job.objects.filter(pk=job.pk).update(max_attempts=1)
        job = fresh(job)
    lifecycle.cancel(job.pk)
    assert lifecycle.lose(job, lapsed=False)
    assert fresh(job).status == Status.CANCELLED


def test_nobody_stops_a_job_whose_owner_did_not_ask():
    job = started(accept())
    assert not lifecycle.stop(job)
    assert lifecycle.to_stop("w1", [job.pk], 0) == set()
    assert fresh(job).status == Status.RUNNING


def test_a_failed_job_that_is_tried_again_is_not_to_be_stopped_any_more():
    job = started(accept())
    lifecycle.cancel(job.pk)
    lifecycle.fail(job, "c")
    assert lifecycle.retry(job.pk)
    assert fresh(job).cancel_asked_at is None


# --- resources ---


def test_jobs_on_one_resource_run_one_at_a_time_in_the_order_of_acceptance():
    first, second, third = accept("r"), accept("r"), accept("r")
    assert lifecycle.start(second.pk, "w") is None
    assert lifecycle.start(third.pk, "w") is None
    lifecycle.succeed(started(first), {})
    assert lifecycle.start(third.pk, "w") is None
    lifecycle.fail(started(second), "c")
    lifecycle.succeed(started(third), {})


def test_jobs_on_different_resources_do_not_wait_for_each_other():
    jobs = [accept("a"), accept("b"), accept(), accept()]
    assert all(lifecycle.start(job.pk, "w") for job in jobs)


def test_a_job_that_waits_for_another_try_keeps_its_place():
    first, second = accept("r"), accept("r")
    lifecycle.try_again(started(first), "away", pause=timedelta(0))
    assert lifecycle.start(second.pk, "w") is None
    lifecycle.succeed(started(first), {})
    started(second)


def test_a_cancelled_job_lets_the_next_on_its_resource_pass():
    first, second = accept("r"), accept("r")
    lifecycle.cancel(first.pk)
    started(second)


def test_cancelling_in_the_middle_of_a_line_gives_nobody_a_second_turn():
    first, second, third = accept("r"), accept("r"), accept("r")
    lifecycle.cancel(second.pk)
    assert lifecycle.start(third.pk, "w") is None
    lifecycle.succeed(started(first), {})
    started(third)


def test_a_retried_job_goes_to_the_end_of_its_line():
    first, second = accept("r"), accept("r")
    lifecycle.fail(started(first), "c")
    lifecycle.retry(first.pk)
    assert lifecycle.start(first.pk, "w") is None
    lifecycle.succeed(started(second), {})
    started(first)


def strict(resource: str = "r") -> Job:
    kind = kind_named("strict")
    assert kind
    return lifecycle.submit(kind, [Submission({"text": "hi"}, "t", resource)], owner=None).jobs[0]


def test_a_failed_job_of_a_kind_that_holds_keeps_the_line_waiting():
    first, second = strict(), strict()
    lifecycle.fail(started(first), "c")
    assert fresh(first).is_holding
    assert lifecycle.start(second.pk, "w") is None


@pytest.mark.parametrize(("verb", "status"), [(lifecycle.skip, Status.FAILED), (lifecycle.cancel, Status.CANCELLED)])
def test_skipping_or_cancelling_the_failed_job_lets_its_line_go_on(verb, status):
    first, second = strict(), strict()
    lifecycle.fail(started(first), "c")
    assert verb(first.pk)
    assert not verb(first.pk)
    assert fresh(first).status == status
    started(second)


def test_trying_the_failed_job_again_keeps_its_place_in_the_line():
    first, second = strict(), strict()
    lifecycle.fail(started(first), "c")
    assert lifecycle.retry(first.pk)
    assert lifecycle.start(second.pk, "w") is None
    lifecycle.succeed(started(first), {})
    started(second)


def test_a_job_without_a_resource_holds_nothing():
    job = started(strict(""))
    lifecycle.fail(job, "c")
    assert not fresh(job).is_holding
    assert not lifecycle.skip(job.pk)


def test_one_submit_may_hold_several_jobs_on_one_resource(user):
    accepted = lifecycle.submit(
        echo(), [Submission({}, "1", "r"), Submission({}, "2", "s"), Submission({}, "3", "r")], owner=user
    )
    assert [job.position for job in accepted.jobs] == [1, 1, 2]
    assert [job.has_turn for job in accepted.jobs] == [True, True, False]


def test_the_jobs_of_one_submit_stay_in_order(user):
    submissions = [Submission({}, str(number)) for number in range(20)]
    accepted = lifecycle.submit(echo(), submissions, owner=user)
    jobs = Job.objects.filter(submit=accepted.submit).order_by("created_at", "pk")
    assert [job.title for job in jobs] == [str(number) for number in range(20)]


# --- a job after another ---


@pytest.fixture
def two() -> list[Job]:
    """Two jobs of one submit: the second waits for the first, and stands in the line of r."""
    submissions = [Submission({"text": "a"}, "The first"), Submission({"text": "b"}, "The second", "r", after=0)]
    return lifecycle.submit(echo(), submissions, owner=None).jobs


def test_a_job_runs_after_the_one_it_waits_for(two, django_capture_on_commit_callbacks):
    first, second = two
    assert lifecycle.start(second.pk, "w1") is None
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.succeed(started(first), {})
    assert fresh(second).after is None
    started(second)


def test_a_job_on_the_same_object_does_not_overtake_one_that_waits_for_another(two, django_capture_on_commit_callbacks):
    first, second = two
    later = accept("r")
    assert lifecycle.start(later.pk, "w1") is None
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.succeed(started(first), {})
    assert lifecycle.start(later.pk, "w1") is None
    lifecycle.succeed(started(second), {})
    started(later)


def test_a_line_goes_on_when_its_first_job_is_deleted_while_it_waits_for_another(
    two, django_capture_on_commit_callbacks
):
    later = accept("r")
    with django_capture_on_commit_callbacks(execute=True):
        two[1].delete()
    started(later)


def test_a_job_is_cancelled_with_a_reason_when_the_one_it_waits_for_fails(two, django_capture_on_commit_callbacks):
    first, second = two
    later = accept("r")
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.fail(started(first), "no")
    gone = fresh(second)
    assert (gone.status, gone.error_code, gone.after) == (Status.CANCELLED, "after_failed", None)
    assert "“The first”, which had to be done first, failed." in gone.error_text
    started(later)


def test_cancelling_a_job_cancels_the_whole_chain_behind_it(django_capture_on_commit_callbacks):
    chain = [Submission({}, "one"), Submission({}, "two", after=0), Submission({}, "three", after=1)]
    jobs = lifecycle.submit(echo(), chain, owner=None).jobs
    with django_capture_on_commit_callbacks(execute=True):
        assert lifecycle.cancel(jobs[0].pk)
    assert [fresh(job).status for job in jobs] == [Status.CANCELLED] * 3


def test_one_submit_may_hold_jobs_of_several_kinds():
    crunch = kind_named("crunch")
    one, other = lifecycle.submit(echo(), [Submission({}, "a", kind=crunch), Submission({}, "b")], owner=None).jobs
    assert [(one.kind, one.queue), (other.kind, other.queue)] == [("crunch", "media"), ("echo", "network")]


# --- a resource on hold ---


def test_a_job_that_puts_its_resource_on_hold_waits_with_all_behind_it_and_goes_first():
    first, second = accept("r"), accept("r")
    lifecycle.hold(started(first), "revoked")
    third = accept("r")
    assert not Job.objects.runnable().exists()
    assert fresh(first).max_attempts == first.max_attempts + 1
    lifecycle.resume("r")
    assert list(Job.objects.runnable()) == [first]
    lifecycle.succeed(started(first), {})
    assert list(Job.objects.runnable()) == [second]
    assert fresh(third).status == Status.PENDING


def test_a_job_on_hold_can_be_cancelled():
    first, second = accept("r"), accept("r")
    lifecycle.hold(started(first), "revoked")
    assert lifecycle.cancel(first.pk)
    assert not Job.objects.runnable().exists()
    lifecycle.resume("r")
    assert list(Job.objects.runnable()) == [second]


def test_a_job_that_is_accepted_while_an_empty_line_is_on_hold_waits_too():
    first = accept("r")
    lifecycle.hold(started(first), "revoked")
    lifecycle.cancel(first.pk)
    later = accept("r")
    assert not Job.objects.runnable().exists()
    lifecycle.resume("r")
    assert list(Job.objects.runnable()) == [later]


def test_a_job_without_a_resource_can_not_wait_for_a_person():
    job = started(accept())
    lifecycle.hold(job, "revoked")
    assert (fresh(job).status, fresh(job).error_text) == (Status.FAILED, "Connect the account again.")


def test_the_database_refuses_a_job_that_runs_before_the_one_it_waits_for(two):
    moment = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=two[1].pk).update(
            status=Status.RUNNING, has_turn=True, lease_until=moment, deadline=moment
        )
