"""The mail that tells of a deletion is a job of the account that goes: it is sent first."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.kinds.personal import erasure
from jobs.models import Job, Status
from tests.kinds.email.conftest import _real_backend, attempt, mail_server  # noqa: F401 (fixtures)
from tests.kinds.personal.conftest import ask

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_it_is_sent_before_the_account_goes(ann: Client, user: User, attempt, mail_server):  # noqa: F811 (fixtures)
    job = ask(ann)
    mail = Job.objects.get(kind="email")
    mail_server.answers["RCPT"] = ["450 4.2.1 later"]
    for one in (mail, job, mail):
        attempt(one)
        assert User.objects.get().is_active
    assert [(one.recipient, one.message["Subject"]) for one in mail_server.mails] == [
        (user.email, "Your account is being deleted")
    ]
    assert attempt(job).status == Status.SUCCEEDED
    assert list(Job.objects.all()) == [job]


def test_the_page_says_so_and_it_can_still_be_cancelled(ann: Client, user: User, attempt):  # noqa: F811 (fixtures)
    job = attempt(ask(ann))
    assert "Mails to you that are on their way are sent first." in ann.get(f"/erasure/{job.pk}/").text
    ann.post(f"/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert User.objects.get().is_active


def test_one_that_can_not_be_sent_keeps_no_account_for_ever(ann: Client, user: User, attempt):  # noqa: F811 (fixtures)
    job = ask(ann)
    for _ in range(erasure.ATTEMPTS_TO_WAIT):
        assert attempt(job).status == Status.PENDING
    assert attempt(job).status == Status.SUCCEEDED
    assert not User.objects.exists()
