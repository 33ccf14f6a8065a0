"""What a card says about how long it usually takes."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jobs.core import estimates, lifecycle
from jobs.kind import Submission
from jobs.models import Job, Status
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def done(*seconds: float, kind: str = "echo", status: str = Status.SUCCEEDED) -> None:
    """Jobs that took so long."""
    now = timezone.now()
    for took in seconds:
        job = Job(kind=kind, queue="network", title="t", payload_text="{}", status=status, has_turn=False)
        job.started_at, job.finished_at = now - timedelta(seconds=took), now
        job.save()


def test_the_range_leaves_out_the_quickest_and_the_slowest():
    done(1, 21, 22, 30, 38, 39, 500)
    assert estimates.usual() == {"echo": (20, 40)}


def test_nothing_is_said_about_a_kind_with_too_little_history():
    done(20, 20, 20, 20)
    done(20, 20, 20, 20, 20, status=Status.FAILED)
    assert estimates.usual() == {}


def test_nothing_is_said_where_the_times_differ_too_much():
    done(2, 2, 10, 100, 100, 100, 200)
    assert estimates.usual() == {}


def test_nothing_is_said_about_what_is_done_at_once():
    done(*[0.1] * 10)
    assert estimates.usual() == {}


def test_many_jobs_of_one_kind_do_not_hide_another():
    done(*[0.1] * 10, kind="crunch")
    done(*[30] * 5)
    assert estimates.usual() == {"echo": (30, 30)}


@pytest.mark.parametrize(
    ("span", "text"), [((20, 40), "20–40 s"), ((30, 30), "about 30 s"), ((60, 240), "1–4 min"), ((50, 120), "1–2 min")]
)
def test_a_range_is_told_in_words(span, text):
    assert estimates.words(span) == text


def test_a_card_says_how_long_it_usually_takes_until_it_is_done(user):
    done(*[30] * 5)
    (job,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=user).jobs
    client = Client()
    client.force_login(user)
    body = client.get(f"/jobs/{job.pk}/status.json?as=card").json()
    assert "Usually takes about 30 s." in body["html"]
    assert body["usual_seconds"] == [30, 30]
    running = lifecycle.start(job.pk, "w")
    assert running
    lifecycle.succeed(running, {})
    body = client.get(f"/jobs/{job.pk}/status.json?as=card").json()
    assert "Usually" not in body["html"]
    assert body["usual_seconds"] is None
