"""Who may use the views that only a run may visit."""

import pytest
from django.core import signing
from django.test import Client

from jobs.core import lifecycle
from jobs.kinds.lab import passes
from tests.kinds.lab.conftest import accepted, succeeded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


TRY = [("get", "page"), ("post", "waits"), ("post", "queues")]


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
