"""The lab's pages, and the views that only a run may visit."""

import re

import pytest
from django.test import Client

from jobs.core import lifecycle
from jobs.kinds.lab import passes
from jobs.models import Job
from tests.kinds.lab.conftest import accepted, succeeded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_the_lab_asks_for_a_sign_in(client):
    answer = client.get("/lab/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_the_lab_offers_its_experiments(ann):
    page = ann.get("/lab/").content.decode()
    assert re.findall(r'name="experiment" value="(\w+)"', page) == ["race", "locks", "offload"]


def test_without_the_sandbox_the_lab_offers_what_needs_no_network(ann, offload):
    offload(SANDBOX=False)
    assert re.findall(r'name="experiment" value="(\w+)"', ann.get("/lab/").content.decode()) == ["race", "locks"]


def test_a_button_of_the_lab_starts_a_run(ann):
    answer = ann.post("/jobs/new/lab/", {"experiment": "race", "size": "3"})
    assert answer.status_code == 303
    assert answer["Location"] == Job.objects.get().get_absolute_url()
    assert "Race: 3 repetitions" in ann.get("/lab/").content.decode()


def test_the_lab_shows_my_newest_run_and_leads_to_those_before(ann, user, other_user):
    earlier, newest, foreign = succeeded(user, "race"), succeeded(user, "locks"), succeeded(other_user, "race")
    page = ann.get("/lab/").content.decode()
    assert "The same work under three kinds of lock" in page
    assert earlier.get_absolute_url() in page
    assert newest.get_absolute_url() in page
    assert str(foreign.pk) not in page


def test_a_run_is_its_owners_alone(bob, user):
    job = succeeded(user, "race")
    assert bob.get(job.get_absolute_url()).status_code == 404
    assert bob.get(f"{job.get_absolute_url()}status.json").status_code == 404


def test_a_running_run_may_visit_a_plain_page_and_queue_a_call(user):
    job = accepted(user, "race", 3)
    lifecycle.start(job.pk, "a worker")
    headers = {passes.HEADER: passes.issue(job.pk, 5)}
    assert Client().get("/lab/try/page/", headers=headers).status_code == 200
    answer = Client().post("/lab/try/queues/", headers=headers)
    assert answer.status_code == 202
    call = Job.objects.get(pk=answer.json()["job"])
    assert (call.kind, call.payload, call.owner) == ("lab_call", {"ms": 5}, None)


def test_a_slow_api_that_is_away_gets_a_gateway_error(user, offload):
    offload(SANDBOX_URL="http://127.0.0.1:9")
    job = accepted(user, "race", 3)
    lifecycle.start(job.pk, "a worker")
    answer = Client().post("/lab/try/waits/", headers={passes.HEADER: passes.issue(job.pk, 5)})
    assert answer.status_code == 502
