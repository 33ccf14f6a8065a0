"""A job as JSON: its fields, its ETag, and when to ask again."""

import re
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from jobs.sentences import Sentence
from jobs.web import job_status
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

SECRET = "a-secret-token"
FIELDS = {
    *(
        "id",
        "kind",
        "title",
        "status",
        "progress",
        "wait",
        "result",
        "error",
        "usual_seconds",
        "cancel_asked_at",
        "attempt",
        "max_attempts",
    ),
    *("created_at", "run_at", "started_at", "finished_at", "links", "poll_after", "version"),
}


@pytest.fixture
def job(user) -> Job:
    submission = Submission({"text": SECRET}, "Hello")
    (job,) = lifecycle.submit(Echo(), [submission], owner=user).jobs
    return Job.objects.get(pk=job.pk)


def url(job: Job) -> str:
    return f"/jobs/{job.pk}/status.json"


def card(client: Client, job: Job) -> str:
    html: str = client.get(url(job), {"as": "card"}).json()["html"]
    return html


def start(job: Job) -> Job:
    running = lifecycle.start(job.pk, "worker-on-a-host")
    assert running
    return running


def test_a_pending_job_has_every_field_and_says_what_it_waits_for(ann, job):
    body = ann.get(url(job)).json()
    assert set(body) == FIELDS
    assert body["status"] == "pending"
    assert body["wait"]["reason"] == "no_worker"
    assert body["wait"]["text"]
    assert body["progress"] == {"percent": 0, "text": ""}
    assert (body["result"], body["error"], body["attempt"], body["max_attempts"]) == (None, None, 0, 3)
    assert body["links"] == {"self": url(job), "page": f"/jobs/{job.pk}/", "cancel": f"/jobs/{job.pk}/cancel/"}


def test_times_are_iso_8601_with_a_time_zone(ann, job):
    lifecycle.succeed(start(job), {})
    body = ann.get(url(job)).json()
    for name in ("created_at", "run_at", "started_at", "finished_at"):
        moment = parse_datetime(body[name])
        assert moment
        assert moment.tzinfo


def test_a_failed_job_gives_code_sentence_and_whether_to_try_again(ann, job):
    lifecycle.fail(start(job), "told_to_fail")
    body = ann.get(url(job)).json()
    assert body["error"] == {"code": "told_to_fail", "text": "The job was told to fail.", "can_retry": True}
    assert body["links"]["retry"] == f"/jobs/{job.pk}/retry/"
    assert body["poll_after"] is None


def test_a_job_that_is_done_gives_its_result_and_no_time_to_ask_again(ann, job):
    lifecycle.succeed(start(job), {"text": "Hello"})
    body = ann.get(url(job)).json()
    assert body["result"] == {"text": "Hello"}
    assert (body["status"], body["wait"], body["poll_after"]) == ("succeeded", None, None)


def test_a_job_that_waits_for_its_next_attempt_has_no_error_yet(ann, job):
    lifecycle.try_again(start(job), "away", pause=timedelta(minutes=1))
    body = ann.get(url(job)).json()
    assert (body["status"], body["error"], body["wait"]["reason"]) == ("pending", None, "retry")
    assert body["wait"]["until"] == body["run_at"]


def test_a_running_job_that_is_to_stop_says_so_and_offers_no_second_cancel(ann, job):
    start(job)
    assert "cancel" in ann.get(url(job)).json()["links"]
    lifecycle.cancel(job.pk)
    body = ann.get(url(job)).json()
    assert (body["status"], "cancel" in body["links"]) == ("running", False)
    assert parse_datetime(body["cancel_asked_at"])
    assert "Stopping" in card(ann, job)
    assert "/cancel/" not in card(ann, job)


def test_a_job_that_was_done_before_it_could_be_stopped_says_that_it_was_too_late(ann, job):
    running = start(job)
    lifecycle.cancel(job.pk)
    lifecycle.succeed(running, {})
    assert "It was too late to cancel this job" in card(ann, job)


def test_a_card_tells_the_attempts_of_a_job_that_needed_several(ann, job):
    assert "Attempt 1" not in card(ann, job)
    lifecycle.try_again(start(job), "away", pause=timedelta(0))
    html = card(ann, job)
    assert "Failed, another attempt followed" in html
    assert html.count("The other side is away.") == 1
    second = start(job)
    assert "<b>Attempt 2:</b> Running<" in card(ann, job)
    lifecycle.lose(second, lapsed=False)
    lifecycle.succeed(start(job), {})
    html = card(ann, job)
    said = list(re.findall(r"<b>(Attempt \d):</b> ([^<]+)<", html))
    assert said == [
        ("Attempt 1", "Failed, another attempt followed"),
        ("Attempt 2", "Its worker stopped"),
        ("Attempt 3", "Done"),
    ]
    for hidden in ("a trace", "worker-on-a-host"):
        assert hidden not in html


def test_what_is_for_staff_or_nobody_never_appears(ann, job):
    running = start(job)
    lifecycle.keep(running, {"sending": "kept-value"})
    lifecycle.fail(running, "told_to_fail", traceback="Traceback (most recent call last)")
    for address in (url(job), f"/jobs/{job.pk}/"):
        text = ann.get(address).content.decode()
        for hidden in (SECRET, "kept-value", "Traceback", "worker-on-a-host"):
            assert hidden not in text


def test_an_unchanged_status_is_answered_304_without_a_body(ann, job):
    first = ann.get(url(job))
    again = ann.get(url(job), headers={"If-None-Match": first["ETag"]})
    assert not first["ETag"].startswith("W/")
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    for response in (first, again):
        assert response["Cache-Control"] == "private, no-cache"
        assert "Cookie" in response["Vary"]


def test_a_changed_status_gets_another_etag(ann, job):
    first = ann.get(url(job))
    lifecycle.progress(start(job), 10, Sentence("text", text="Step 1"))
    again = ann.get(url(job), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert again["ETag"] != first["ETag"]


def aged(job: Job, **shift: float) -> Job:
    """The job as if everything about it had happened earlier (or later)."""
    delta = timedelta(**shift)
    Job.objects.filter(pk=job.pk).update(
        created_at=F("created_at") - delta, run_at=F("run_at") - delta, started_at=F("started_at") - delta
    )
    return Job.objects.get(pk=job.pk)


def test_a_young_job_is_worth_asking_every_second_and_an_old_one_every_ten(job):
    assert job_status.poll_after(job) == 1
    assert job_status.poll_after(aged(job, seconds=20)) == 2
    assert job_status.poll_after(aged(job, seconds=30)) == 4
    assert job_status.poll_after(aged(job, minutes=1)) == 8
    assert job_status.poll_after(aged(job, hours=2)) == 10


def test_an_old_job_that_has_just_started_is_worth_asking_every_second(job):
    aged(job, hours=2)
    start(job)
    assert job_status.poll_after(Job.objects.get(pk=job.pk)) == 1


def test_a_job_due_much_later_is_asked_for_seldom(user):
    def due_in(**delta: float) -> int | None:
        when = timezone.now() + timedelta(**delta)
        (job,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=user, run_at=when).jobs
        return job_status.poll_after(Job.objects.get(pk=job.pk))

    assert [due_in(days=2), due_in(minutes=10), due_in(seconds=20)] == [60, 30, 1]
