"""The pages on which people ask for a copy of their data and for the end of it."""

import pytest
from django.test import Client

from jobs.models import Job
from jobs.worker.execution import perform
from tests.kinds.personal.conftest import ask, copy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_only_their_owner_may_fetch_a_copy(ann, other_user):
    job = copy(ann)
    stranger = Client()
    assert stranger.get(f"/export/{job.pk}/download/").status_code == 404
    stranger.force_login(other_user)
    assert stranger.get(f"/export/{job.pk}/download/").status_code == 404
    answer = ann.get(f"/export/{job.pk}/download/")
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Disposition"].startswith("attachment")
    assert int(answer["Content-Length"]) == len(answer.getvalue()) == (job.result or {})["bytes"]


def test_asking_twice_makes_one_copy_at_a_time(ann):
    first = ann.post("/export/")["Location"]
    assert ann.post("/export/")["Location"] == first
    assert Job.objects.filter(kind="export").count() == 1


def test_the_page_of_my_data_shows_the_latest_copy(ann):
    job = copy(ann)
    text = ann.get("/export/").content.decode()
    assert f"/export/{job.pk}/download/" in text
    assert "/erasure/" in text
    assert Client().get("/export/").status_code == 302


def test_nothing_happens_without_the_right_password(ann, user):
    answer = ann.post("/erasure/", {"password": "wrong"})
    assert answer.status_code == 400
    assert "Incorrect password" in answer.content.decode()
    assert not Job.objects.exists()
    assert ann.get("/jobs/").status_code == 200


def test_passwords_can_not_be_guessed_here(ann):
    answers = [ann.post("/erasure/", {"password": str(number)}).status_code for number in range(11)]
    assert answers == [400] * 10 + [429]


def test_the_last_page_is_shown_to_that_session_alone(ann):
    job = ask(ann)
    page = ann.get(f"/erasure/{job.pk}/").content.decode()
    assert "Good bye" in page
    assert "Deletion of your account" in page
    perform(str(job.pk))
    assert "all that belonged to it are deleted" in ann.get(f"/erasure/{job.pk}/").content.decode()
    assert Client().get(f"/erasure/{job.pk}/").status_code == 404
