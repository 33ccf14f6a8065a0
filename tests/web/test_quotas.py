"""Flooding the site with submits and retries, by program and by browser: nothing beyond the quotas is kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile
from django.db import connections
from django.test import Client

from jobs.core.quotas import PACE, meter
from jobs.models import Job, Meter, Submit
from tests.conftest import signed_in
from tests.kind_app.forms import EchoForm
from tests.web.conftest import JSON, NEW, fail, job_of, start, submit_json, succeed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture
def three_jobs(offload):
    offload(QUOTA_JOBS=3)


def kept() -> tuple[int, int]:
    return Job.objects.count(), Submit.objects.count()


def pile(client: Client, size: int = 3) -> None:
    assert submit_json(client, {"text": "Hello", "copies": size}).status_code == 202


# --- Submits ---------------------------------------------------------------------------------------------------------


def test_a_program_that_floods_the_site_gets_429_and_nothing_is_kept(ann, three_jobs):
    answers = [submit_json(ann, {"text": "Hello"}) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 7
    assert answers[-1].json() == {
        "errors": {
            "__all__": [
                "There is no room: of at most 3 jobs, 3 wait or run already. "
                "Try it again when some are done, or cancel some."
            ]
        }
    }
    assert "Retry-After" not in answers[-1]
    assert kept() == (3, 0)


def test_a_browser_gets_its_form_again_with_what_was_typed_and_a_sentence(ann, three_jobs):
    pile(ann)
    answer = ann.post(NEW, {"text": "a long letter", "form_key": "f" * 32})
    assert answer.status_code == 429
    assert "There is no room: of at most 3 jobs, 3 wait or run already." in answer.text
    assert 'value="a long letter"' in answer.text
    assert "f" * 32 in answer.text


def test_a_submit_of_several_jobs_fits_as_a_whole_or_not_at_all(ann, three_jobs):
    assert submit_json(ann, {"text": "Hello", "copies": 4}).status_code == 429
    assert kept() == (0, 0)
    assert submit_json(ann, {"text": "Hello", "copies": 3}).status_code == 202


def test_what_is_done_or_cancelled_makes_room(ann, three_jobs):
    done, cancelled, _ = (job_of(ann) for _ in range(3))
    succeed(done)
    assert submit_json(ann, {"text": "Hello"}).status_code == 202
    assert submit_json(ann, {"text": "Hello"}).status_code == 429
    ann.post(f"/jobs/{cancelled.pk}/cancel/")
    assert submit_json(ann, {"text": "Hello"}).status_code == 202


def test_the_pace_is_limited_and_the_answer_says_when_to_come_again(ann, offload):
    offload(QUOTA_PACE=3)
    answers = [submit_json(ann, {"text": "Hello"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 3
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    answer = ann.post(NEW, {"text": "Hello"})
    assert (answer.status_code, "within a minute" in answer.text) == (429, True)
    assert 1 <= int(answer["Retry-After"]) <= 60


def test_deleting_does_not_speed_anybody_up(ann, offload):
    offload(QUOTA_PACE=3)
    for _ in range(3):
        job = job_of(ann)
        ann.post(f"/jobs/{job.pk}/cancel/")
        assert ann.post(f"/jobs/{job.pk}/delete/", headers=JSON).status_code == 204
    assert Job.objects.count() == 0
    assert submit_json(ann, {"text": "Hello"}).status_code == 429


def test_scheduling_for_later_goes_not_around_the_quotas(ann, three_jobs):
    answers = [submit_json(ann, {"text": "Hello", "run_at": "2027-06-01T12:00Z"}).status_code for _ in range(5)]
    assert answers == [202] * 3 + [429] * 2


def test_one_owner_s_pile_is_no_matter_of_others(ann, bob, three_jobs):
    pile(ann)
    assert submit_json(ann, {"text": "Hello"}).status_code == 429
    assert submit_json(bob, {"text": "Hello"}).status_code == 202


def test_a_wrong_form_is_told_what_is_wrong_with_it_first(ann, three_jobs):
    pile(ann)
    assert submit_json(ann, {"text": ""}).status_code == 400


# --- Repetitions -----------------------------------------------------------------------------------------------------


def test_a_repetition_of_an_accepted_submit_finds_its_jobs_quota_or_not(ann, three_jobs):
    key = {"Idempotency-Key": "k"}
    first = submit_json(ann, {"text": "Hello", "copies": 3}, **key)
    again = submit_json(ann, {"text": "Hello", "copies": 3}, **key)
    assert (again.status_code, again["Location"]) == (202, first["Location"])
    assert submit_json(ann, {"text": "Another", "copies": 3}, **key).status_code == 422
    assert kept() == (3, 1)


@pytest.mark.parametrize("attachment", [b"", b"content"])
def test_a_second_press_of_the_button_leads_to_the_job_quota_or_not(ann, offload, attachment):
    offload(QUOTA_JOBS=1)

    def press(text: str, content: bytes = attachment):
        files = {"attachment": SimpleUploadedFile("a.txt", content)} if content else {}
        return ann.post(NEW, {"text": text, "form_key": "f" * 32, **files})

    first, again = press("Hello"), press("Hello")
    assert (first.status_code, again.status_code) == (303, 303)
    assert first["Location"] == again["Location"]
    assert press("Another").status_code == 429
    if attachment:
        assert press("Hello", b"other content").status_code == 429
    assert Job.objects.count() == 1


def test_files_are_neither_read_nor_stored_for_who_has_no_room(ann, three_jobs, monkeypatch):
    pile(ann)

    def read(file: InMemoryUploadedFile, chunk_size: int | None = None) -> Iterator[bytes]:
        raise AssertionError(f"{file.name} was read.")

    monkeypatch.setattr(InMemoryUploadedFile, "chunks", read)
    before = EchoForm.discarded
    for fields, headers in (({"form_key": "f" * 32}, {}), ({}, {"Idempotency-Key": "k"}), ({}, {})):
        file = SimpleUploadedFile("a.txt", b"content")
        answer = ann.post(NEW, {"text": "Hello", "attachment": file, **fields}, headers=headers)
        assert answer.status_code == 429
    assert EchoForm.discarded == before


# --- Retries ---------------------------------------------------------------------------------------------------------


def test_trying_again_needs_room_too_and_says_so_on_the_job_s_page(ann, three_jobs):
    job = job_of(ann)
    fail(job)
    pile(ann)
    answer = ann.post(f"/jobs/{job.pk}/retry/", headers=JSON)
    assert (answer.status_code, list(answer.json()["errors"])) == (429, ["__all__"])
    page = ann.post(f"/jobs/{job.pk}/retry/")
    assert (page.status_code, "of at most 3 jobs" in page.text, job.title in page.text) == (429, True, True)
    job.refresh_from_db()
    assert job.status == "failed"


def test_trying_again_and_again_is_limited_by_the_pace(ann, user, offload):
    offload(QUOTA_PACE=3)
    job = job_of(ann)
    statuses = []
    for _ in range(4):
        fail(job)
        statuses.append(ann.post(f"/jobs/{job.pk}/retry/", headers=JSON).status_code)
        if statuses[-1] == 429:
            break
    assert statuses == [200, 200, 429]
    assert Meter.objects.get(owner=user, quota="pace").amount == 2


def test_the_failed_jobs_of_a_submit_are_tried_again_together_or_not_at_all(ann, user, three_jobs):
    submit_json(ann, {"text": "Hello", "copies": 3})
    jobs = list(Job.objects.all())
    for job in jobs:
        fail(job)
    waiting = job_of(ann)
    address = f"/jobs/submits/{jobs[0].submit_id}/retry/"
    assert ann.post(address, headers=JSON).status_code == 429
    page = ann.post(address)
    assert (page.status_code, "of at most 3 jobs" in page.text) == (429, True)
    assert Job.objects.filter(status="failed").count() == 3
    succeed(waiting)
    assert ann.post(address, headers=JSON).status_code == 200
    assert Job.objects.filter(status="pending").count() == 3


# --- What is always possible -----------------------------------------------------------------------------------------


def test_cancelling_and_deleting_are_always_possible(ann, user, offload):
    jobs = [job_of(ann) for _ in range(3)]
    offload(QUOTA_JOBS=1, QUOTA_PACE=1, QUOTA_BYTES=1)
    meter(user.pk, PACE, 100)
    start(jobs[0])
    for job in jobs:
        assert ann.post(f"/jobs/{job.pk}/cancel/", headers=JSON).status_code == 200
    assert ann.post(f"/jobs/{jobs[1].pk}/delete/", headers=JSON).status_code == 204
    assert ann.post("/jobs/delete/", headers=JSON).json() == {"deleted": 1}


# --- At once ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_submits_at_the_same_moment_overshoot_by_no_more_than_are_answered_at_once(user, offload):
    offload(QUOTA_JOBS=5)
    clients = [signed_in(user) for _ in range(4)]

    def flood(client: Client) -> list[int]:
        try:
            return [submit_json(client, {"text": "Hello"}).status_code for _ in range(10)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(clients)) as pool:
        statuses = [status for answers in pool.map(flood, clients) for status in answers]
    assert set(statuses) == {202, 429}
    assert 5 <= statuses.count(202) == Job.objects.count() <= 5 + len(clients) - 1


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_and_the_json_tell_how_much_is_used(ann, user, offload):
    offload(QUOTA_JOBS=1_000, QUOTA_PACE=0)
    pile(ann, 12)
    page = ann.get("/jobs/usage/")
    assert "12 of 1,000" in page.text
    assert '<meter aria-hidden="true" max="1000" value="12">' in page.text
    told = ann.get("/jobs/usage/", headers=JSON).json()
    assert told["jobs"] == {"used": 12, "most": 1_000}
    assert told["pace"] == {"used": 12, "most": None}
    assert {"bytes", "computing", "accounts", "exports"} <= told.keys()


def test_the_page_is_for_who_is_signed_in(client):
    assert client.get("/jobs/usage/").status_code == 302
    assert client.get("/jobs/usage/", headers=JSON).status_code == 401
