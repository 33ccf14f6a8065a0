"""The time zone of whoever looks."""

import pytest

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.mark.parametrize(
    ("zone", "shown"), [("Asia/Tokyo", "09:30:00 JST"), ("UTC", "00:30:00 UTC"), ("Mars/Olympus", "00:30:00 UTC")]
)
def test_times_are_told_in_the_zone_of_the_cookie(ann, user, zone, shown):
    (job,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=user).jobs
    Job.objects.filter(pk=job.pk).update(created_at="2026-11-22T00:30:00Z")
    ann.cookies["time_zone"] = zone
    assert shown in ann.get(job.get_absolute_url()).content.decode()
    body = ann.get(f"/jobs/{job.pk}/status.json?as=card").json()
    assert shown in body["html"]
    assert body["created_at"] == "2026-11-22T00:30:00+00:00"


def test_one_request_does_not_leave_its_zone_to_the_next(ann, client):
    ann.cookies["time_zone"] = "Asia/Tokyo"
    assert "Times: Asia/Tokyo" in ann.get("/").content.decode()
    assert "Times: UTC" in client.get("/").content.decode()


def test_a_zone_can_be_chosen_and_leads_back_to_the_page(client):
    assert 'value="/jobs/"' in client.get("/time-zone/?next=/jobs/").content.decode()
    response = client.post("/time-zone/", {"zone": "Europe/Berlin", "next": "/jobs/"})
    assert (response.status_code, response["Location"]) == (303, "/jobs/")
    assert client.cookies["time_zone"].value == "Europe/Berlin"
    assert "Times: Europe/Berlin" in client.get("/").content.decode()


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_choosing_a_zone_leads_to_no_other_site(client, address):
    assert client.post("/time-zone/", {"zone": "UTC", "next": address})["Location"] == "/"


def test_a_zone_that_does_not_exist_is_refused(client):
    response = client.post("/time-zone/", {"zone": "Mars/Olympus"})
    assert response.status_code == 400
    assert "time_zone" not in response.cookies
