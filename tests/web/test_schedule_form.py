"""Jobs for later: the moment in a form and in JSON, its time zone, and its change."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from jobs.core import lifecycle
from jobs.models import Job, Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

NEW = "/jobs/new/echo/"
JSON = {"Accept": "application/json"}
TOKYO = ZoneInfo("Asia/Tokyo")


def tomorrow(zone: ZoneInfo | None = None) -> datetime:
    return (timezone.localtime(timezone=zone or UTC) + timedelta(days=1)).replace(second=0, microsecond=0)


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def send(client: Client, address: str = NEW, **fields):
    return client.post(address, json.dumps({"text": "Hello", **fields}), content_type="application/json", headers=JSON)


def test_a_job_for_later_waits_until_then(ann):
    moment = tomorrow()
    body = send(ann, run_at=moment.isoformat()).json()
    assert datetime.fromisoformat(body["run_at"]) == moment
    assert body["wait"]["reason"] == "scheduled"
    assert lifecycle.start(body["id"], "w") is None


def test_a_time_without_an_offset_is_meant_in_the_zone_of_the_cookie(ann):
    ann.cookies["time_zone"] = "Asia/Tokyo"
    moment = tomorrow(TOKYO)
    send(ann, run_at=written(moment))
    assert Job.objects.get().run_at == moment


def test_a_form_keeps_the_zone_in_which_it_was_shown(ann):
    page = ann.get(NEW).content.decode()
    assert 'type="datetime-local"' in page
    assert '<input type="hidden" name="time_zone" value="UTC"' in page
    ann.cookies["time_zone"] = "Asia/Tokyo"
    ann.post(NEW, {"text": "Hello", "run_at": written(tomorrow()), "time_zone": "UTC"})
    assert Job.objects.get().run_at == tomorrow()


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        ("2020-01-01T10:00", "This time is over."),
        ("2999-01-01T10:00", "more than a year ahead"),
        ("soon", "Enter a day and a time"),
        ("0001-01-01T00:00+14:00", "This time is over."),
        ("9999-12-31T23:59-14:00", "more than a year ahead"),
    ],
)
def test_a_time_that_can_not_be_gets_a_sentence_at_its_field(ann, moment, sentence):
    response = send(ann, run_at=moment)
    assert response.status_code == 400
    assert sentence in response.json()["errors"]["run_at"][0]
    page = ann.post(NEW, {"text": "Hello", "run_at": moment})
    assert page.status_code == 400
    assert sentence in page.content.decode()
    assert "<details open>" in page.content.decode()
    assert not Job.objects.exists()


def test_an_hour_that_the_clocks_skip_is_refused(ann):
    now = timezone.now()
    year = now.year + (now.month > 3)
    last_sunday = max(day for day in (datetime(year, 3, day) for day in range(25, 32)) if day.weekday() == 6)
    response = send(ann, run_at=written(last_sunday.replace(hour=2, minute=30)), time_zone="Europe/Berlin")
    assert response.status_code == 400
    assert "Europe/Berlin" in response.json()["errors"]["run_at"][0]


def scheduled(client: Client) -> Job:
    return Job.objects.get(pk=send(client, run_at=tomorrow().isoformat()).json()["id"])


def test_a_scheduled_job_can_be_moved_and_started_at_once(ann):
    job = scheduled(ann)
    address = f"/jobs/{job.pk}/reschedule/"
    assert f'action="{address}"' in ann.get(job.get_absolute_url()).content.decode()
    later = tomorrow() + timedelta(days=1)
    assert send(ann, address, run_at=later.isoformat()).json()["run_at"] == later.isoformat()
    assert ann.post(address, {"run_at": ""}).status_code == 303
    assert lifecycle.start(job.pk, "w")


def test_a_job_that_has_started_can_not_be_moved_any_more(ann):
    job = scheduled(ann)
    address = f"/jobs/{job.pk}/reschedule/"
    lifecycle.reschedule(job.pk, None)
    assert lifecycle.start(job.pk, "w")
    assert address not in ann.get(job.get_absolute_url()).content.decode()
    assert send(ann, address, run_at=tomorrow().isoformat()).status_code == 409
    page = ann.post(address, {"run_at": written(tomorrow())}, follow=True).content.decode()
    assert "It was too late to change the start" in page


def test_a_new_start_that_can_not_be_is_refused_on_the_jobs_page(ann):
    job = scheduled(ann)
    response = ann.post(f"/jobs/{job.pk}/reschedule/", {"run_at": "2020-01-01T10:00"})
    assert response.status_code == 400
    assert "This time is over." in response.content.decode()
    assert send(ann, f"/jobs/{job.pk}/reschedule/", run_at="soon").status_code == 400
    job.refresh_from_db()
    assert job.run_at == tomorrow()


def test_a_scheduled_job_can_be_cancelled(ann):
    job = scheduled(ann)
    ann.post(f"/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.status == Status.CANCELLED


def test_nobody_elses_job_can_be_moved(ann, other_user):
    job = scheduled(ann)
    bob = Client()
    bob.force_login(other_user)
    assert bob.post(f"/jobs/{job.pk}/reschedule/", {"run_at": ""}).status_code == 404


def test_a_job_that_is_moved_to_now_is_handed_to_rq(ann, redis, django_capture_on_commit_callbacks):
    job = scheduled(ann)
    with django_capture_on_commit_callbacks(execute=True):
        assert lifecycle.reschedule(job.pk, None)
    assert redis.lrange("rq:queue:network", 0, -1) == [str(job.pk).encode()]
