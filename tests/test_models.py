"""What must never be true of a job's row: the database refuses it, whoever writes."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job, Status
from tests.kind_app.kind import Echo

pytestmark = pytest.mark.django_db


def accept(resource: str = "") -> Job:
    return lifecycle.submit(Echo(), [Submission({}, "t", resource)], owner=None).jobs[0]


def test_the_database_refuses_two_turns_on_one_resource():
    accept("r")
    second = accept("r")
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=second.pk).update(has_turn=True)


def test_the_database_refuses_a_running_job_without_the_turn():
    accept("r")
    second = accept("r")
    moment = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=second.pk).update(status=Status.RUNNING, lease_until=moment, deadline=moment)


@pytest.mark.parametrize(
    "values",
    [
        {"status": "strange"},
        {"status": Status.RUNNING},
        {"status": Status.SUCCEEDED},
        {"finished_at": timezone.now()},
        {"lease_until": timezone.now()},
        {"position": 1},
        {"progress_percent": 101},
    ],
)
def test_the_database_refuses_rows_that_contradict_themselves(values):
    job = accept()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**values)


def test_a_row_of_before_a_new_secret_key_is_read_and_saved_with_the_new_one(settings, monkeypatch):
    """A process keeps the keys that it has derived; here it is told to derive them again."""
    field = Job._meta.get_field("payload_text")

    def keys(now: str, former: list[str]) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = now, former
        for derived in ("keys", "f"):
            monkeypatch.delitem(vars(field), derived, raising=False)

    old, new = settings.SECRET_KEY, "new-" * 20
    job = accept()
    payload = job.payload_text
    keys(new, [old])
    row = Job.objects.get(pk=job.pk)
    assert row.payload_text == payload
    row.save(update_fields=["payload_text"])
    keys(new, [])
    assert Job.objects.get(pk=job.pk).payload_text == payload
    assert Job.objects.get(pk=accept().pk).payload_text == payload
    keys(old, [])
    assert Job.objects.get(pk=job.pk).payload_text != payload
