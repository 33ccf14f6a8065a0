"""The lab's pages, and the views that only a run may visit."""

import re
from xml.etree import ElementTree

import pytest
from django.core import signing
from django.test import Client

from jobs.core import lifecycle
from jobs.kinds.lab import passes
from jobs.models import Job
from tests.kinds.lab.conftest import FOUND, accepted, succeeded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

SVG = "{http://www.w3.org/2000/svg}"
TRY = [("get", "page"), ("post", "waits"), ("post", "queues")]


def drawings(html: str) -> list[ElementTree.Element]:
    """The SVG elements of a page, read as XML."""
    found = re.findall(r"<svg role.*?</svg>", html, re.DOTALL)
    return [ElementTree.fromstring(one.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')) for one in found]


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


@pytest.mark.parametrize("experiment", FOUND)
def test_a_run_is_drawn_with_a_title_and_told_in_a_table(ann, user, experiment):
    job = succeeded(user, experiment)
    page = ann.get(job.get_absolute_url()).content.decode()
    charts = drawings(page)
    assert charts
    named = set()
    for chart in charts:
        title, description = chart.find(f"{SVG}title"), chart.find(f"{SVG}desc")
        assert title is not None
        assert title.text
        assert description is not None
        assert description.text
        assert chart.attrib["role"] == "img"
        assert chart.attrib["aria-labelledby"] == title.attrib["id"]
        assert chart.attrib["aria-describedby"] == description.attrib["id"]
        named |= {title.attrib["id"], description.attrib["id"]}
        assert chart.findall(f"{SVG}rect")
    assert len(named) == 2 * len(charts)
    assert "<table" in page
    assert "style=" not in page


def test_the_race_says_how_often_what_came_out(ann, user):
    page = ann.get(succeeded(user, "race").get_absolute_url()).content.decode()
    assert "Without protection 2 of 3 runs ended with another number" in page
    assert "With both tasks on one resource, 0 of 3 did." in page
    assert "×5 reads 4" in page


@pytest.mark.parametrize(("wall", "said"), [(1.0, False), (2.0, True)])
def test_a_run_that_other_work_disturbed_says_so(ann, user, monkeypatch, wall, said):
    monkeypatch.setitem(FOUND["locks"]["comparison"], "sequence", {"wall": wall, "cpu": 1.0})
    page = ann.get(succeeded(user, "locks").get_absolute_url()).content.decode()
    assert ("the machine was busy with other work" in page) is said


def test_figures_that_are_missing_are_no_fault(ann, user):
    page = ann.get(succeeded(user, "offload").get_absolute_url()).content.decode()
    assert "9 of 10" in page
    assert "none" in page


def test_a_run_is_its_owners_alone(bob, user):
    job = succeeded(user, "race")
    assert bob.get(job.get_absolute_url()).status_code == 404
    assert bob.get(f"{job.get_absolute_url()}status.json").status_code == 404


@pytest.mark.parametrize(("method", "view"), TRY)
def test_nobody_visits_the_experiments_views_without_a_pass(ann, method, view):
    assert getattr(ann, method)(f"/lab/try/{view}/").status_code == 404


@pytest.mark.parametrize(("method", "view"), TRY)
@pytest.mark.parametrize("kind", ["waiting", "over", "forged", "another salt", "too old"])
def test_only_the_pass_of_a_run_that_goes_on_is_good(user, method, view, kind, settings, monkeypatch):
    job = succeeded(user, "race") if kind == "over" else accepted(user, "race", 3)
    if kind in {"forged", "another salt", "too old"}:
        lifecycle.start(job.pk, "a worker")
    ticket = passes.issue(job.pk, 5)
    if kind == "forged":
        ticket = f"{ticket[:-1]}{'A' if ticket[-1] != 'A' else 'B'}"
    elif kind == "another salt":
        ticket = signing.dumps({"run": str(job.pk), "ms": 5}, salt="something else")
    elif kind == "too old":
        monkeypatch.setattr(passes, "SECONDS", -1)
    answer = getattr(Client(), method)(f"/lab/try/{view}/", headers={passes.HEADER: ticket})
    assert answer.status_code == 404


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
