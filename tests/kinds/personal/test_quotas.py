"""Copies of all data take as much room as all data: only so many are kept. And what is possible without any room."""

import pytest

from jobs.core import leftovers, lifecycle, quotas
from jobs.models import Job
from jobs.worker.execution import perform
from tests.kinds.personal.conftest import ask, copy, echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

NO_MORE = "There is no room: of at most 2 copies of your data, 2 are there already. Delete one of them first."


def test_only_so_many_copies_are_kept_and_deleting_one_makes_room(ann):
    first, _second = copy(ann), copy(ann)
    for _ in range(3):
        refused = ann.post("/export/")
        assert (refused.status_code, NO_MORE in refused.text) == (429, True)
    program = ann.post("/export/", headers={"Accept": "application/json"})
    assert (program.status_code, program.json()) == (429, {"errors": {"__all__": [NO_MORE]}})
    assert "Retry-After" not in program
    lifecycle.delete([first.pk])
    leftovers.forget(float("inf"))
    copy(ann)
    assert Job.objects.filter(kind="export").count() == 2


def test_a_copy_counts_as_stored_but_is_never_refused_for_its_size(ann, user, offload):
    echo(user)
    offload(QUOTA_BYTES=1)
    job = copy(ann)
    (standing,) = [one for one in quotas.standings(user.pk) if one.quota.name == "bytes"]
    assert standing.used == job.stored_bytes == (job.result or {})["bytes"]


def test_a_copy_that_failed_takes_no_place(ann):
    for _ in range(3):
        ann.post("/export/")
        job = Job.objects.filter(kind="export").latest("created_at")
        running = lifecycle.start(job.pk, "w")
        assert running
        lifecycle.fail(running, "internal_error")
    assert copy(ann).stored_bytes > 0


def test_asking_while_a_copy_is_made_leads_to_it_room_or_not(ann, offload):
    offload(QUOTA_EXPORTS=1, QUOTA_JOBS=1)
    first = ann.post("/export/")["Location"]
    assert ann.post("/export/")["Location"] == first


def test_making_a_copy_is_a_job_like_others(ann, user, offload):
    offload(QUOTA_COMPUTING=60)
    quotas.meter(user.pk, quotas.COMPUTING, 60)
    refused = ann.post("/export/")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 86_000


def test_leaving_is_always_possible(ann, user, offload):
    echo(user)
    echo(user)
    offload(**{f"QUOTA_{name}": 1 for name in ("JOBS", "PACE", "BYTES", "COMPUTING", "EXPORTS")})
    for quota in (quotas.PACE, quotas.COMPUTING):
        quotas.meter(user.pk, quota, 100)
    job = ask(ann)
    perform(str(job.pk))
    assert not type(user).objects.filter(pk=user.pk).exists()
