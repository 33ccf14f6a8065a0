"""The pages that delete jobs: their owners alone, only what is finished, and only after they were asked."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from jobs.web import delete_views
from tests.kind_app.kind import Echo, Strict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

JSON = {"headers": {"accept": "application/json"}}


def accept(owner: User | None, title: str = "A letter", kind: type[Echo] = Echo, resource: str = "") -> Job:
    return lifecycle.submit(kind(), [Submission({"text": "hi"}, title, resource)], owner=owner).jobs[0]


def done(owner: User | None, title: str = "A letter") -> Job:
    running = lifecycle.start(accept(owner, title).pk, "w")
    assert running
    lifecycle.succeed(running, {})
    return running


def address(job: Job) -> str:
    return f"/jobs/{job.pk}/delete/"


def test_the_page_of_a_finished_job_leads_to_a_page_that_asks(ann, user):
    job = done(user)
    assert address(job) in ann.get(job.get_absolute_url()).content.decode()
    answer = ann.get(address(job))
    assert "Delete this job?" in answer.content.decode()
    assert Job.objects.exists()


def test_a_deleted_job_is_gone_from_its_page_its_json_the_list_and_the_admin(ann, user, admin_client):
    job = done(user)
    answer = ann.post(address(job), follow=True)
    assert answer.redirect_chain == [("/jobs/", 303)]
    assert "“A letter” is deleted." in answer.content.decode()
    for path in (job.get_absolute_url(), f"/jobs/{job.pk}/status.json", address(job)):
        assert ann.get(path).status_code == 404
    assert "A letter" not in ann.get("/jobs/").content.decode()
    assert "A letter" not in admin_client.get("/admin/offload/job/").content.decode()
    assert ann.post(address(job)).status_code == 404


def test_a_job_that_is_not_finished_has_to_be_cancelled_first(ann, user):
    job = accept(user)
    assert "delete" not in ann.get(f"/jobs/{job.pk}/status.json").json()["links"]
    assert "Cancel it first" in ann.get(address(job)).content.decode()
    answer = ann.post(address(job))
    assert answer.status_code == 409
    assert "Cancel it first" in answer.content.decode()
    assert Job.objects.exists()
    ann.post(f"/jobs/{job.pk}/cancel/")
    assert ann.post(address(job)).status_code == 303
    assert not Job.objects.exists()


def test_a_program_deletes_with_the_link_in_the_status(ann, user):
    job, pending = done(user), accept(user)
    link = ann.get(f"/jobs/{job.pk}/status.json").json()["links"]["delete"]
    assert ann.post(link, **JSON).status_code == 204
    refused = ann.post(address(pending), **JSON)
    assert refused.status_code == 409
    assert "Cancel it first" in refused.json()["errors"]["__all__"][0]


def test_nobody_deletes_the_job_of_somebody_else(ann, other_user):
    job = done(other_user)
    for client in (ann, Client()):
        assert client.get(address(job)).status_code == 404
        assert client.post(address(job)).status_code == 404
    assert ann.post(f"/jobs/{uuid4()}/delete/").status_code == 404
    assert Job.objects.exists()


def test_all_finished_jobs_go_at_once_and_the_others_stay(ann, user, other_user):
    done(user, "one"), done(user, "two")
    pending, of_another = accept(user), done(other_user)
    holding = lifecycle.start(accept(user, kind=Strict, resource="r").pk, "w")
    assert holding
    lifecycle.fail(holding, "c")
    assert "Delete your 2 finished jobs?" in ann.get("/jobs/delete/").content.decode()
    answer = ann.post("/jobs/delete/", follow=True)
    assert "2 jobs are deleted." in answer.content.decode()
    assert set(Job.objects.all()) == {pending, of_another, holding}


def test_very_many_finished_jobs_go_in_parts(ann, user, monkeypatch):
    monkeypatch.setattr(delete_views, "AT_ONCE", 2)
    for _ in range(3):
        done(user)
    newest = Job.objects.order_by("created_at", "pk").last()
    assert "the 2 oldest" in ann.get("/jobs/delete/").content.decode()
    answer = ann.post("/jobs/delete/", follow=True)
    assert answer.redirect_chain == [("/jobs/delete/", 303)]
    assert Job.objects.get() == newest
    assert ann.post("/jobs/delete/", **JSON).json() == {"deleted": 1}
    assert ann.post("/jobs/delete/", **JSON).json() == {"deleted": 0}
    assert "There are none." in ann.get("/jobs/delete/").content.decode()


def test_visitors_have_no_list_to_delete(client):
    assert client.post("/jobs/delete/", **JSON).status_code == 401
    assert client.get("/jobs/delete/").status_code == 302
