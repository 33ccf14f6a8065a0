"""People with an address, and their copies and deletions as they ask for them."""

from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job, Status
from jobs.worker.execution import perform
from tests.kind_app.kind import Echo

PASSWORD = "a-long-password"


@pytest.fixture
def ann(client: Client, user: User) -> Client:
    cache.clear()
    client.force_login(user)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return client


def echo(owner: User, title: str = "Hello", **payload: Any) -> Job:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "hi", **payload}, title)], owner=owner).jobs
    perform(str(job.pk))
    job.refresh_from_db()
    return job


def copy(client: Client) -> Job:
    """Ask for a copy and have it made."""
    assert client.post("/export/").status_code == 302
    job = Job.objects.filter(kind="export").latest("created_at")
    perform(str(job.pk))
    job.refresh_from_db()
    assert job.status == Status.SUCCEEDED, job.traceback
    return job


def opened(client: Client, job: Job) -> ZipFile:
    answer = client.get(f"/export/{job.pk}/download/")
    assert answer.status_code == 200
    return ZipFile(BytesIO(answer.getvalue()))


def ask(client: Client, password: str = PASSWORD) -> Job:
    answer = client.post("/erasure/", {"password": password})
    assert answer.status_code == 302
    job = Job.objects.get(kind="erasure")
    assert answer["Location"] == f"/erasure/{job.pk}/"
    return job
