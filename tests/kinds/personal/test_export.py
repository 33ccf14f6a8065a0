"""A copy of all that is kept of a person: its file is there once, and gone with its job."""

from io import BytesIO
from pathlib import Path

import pytest
from django.core.files import storage

from jobs.core import lifecycle
from jobs.kinds.personal.export import ExportKind, stored_as
from jobs.models import Job
from jobs.worker import sweep
from jobs.worker.execution import perform
from tests.kinds.personal.conftest import copy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_the_file_goes_with_its_job(ann):
    job = copy(ann)
    assert storage.default_storage.exists(stored_as(job.pk, 1))
    assert lifecycle.delete([job.pk]) == 1
    sweep.sweep()
    assert not storage.default_storage.exists(stored_as(job.pk, 1))
    assert not Path(storage.default_storage.path(f"export/{job.pk}")).exists()
    ExportKind().forget(job.pk, {}, None)


def test_a_repeated_attempt_leaves_one_file(ann, monkeypatch):
    ann.post("/export/")
    job = Job.objects.get(kind="export")
    running = lifecycle.start(job.pk, "w")
    assert running
    storage.default_storage.save(stored_as(job.pk, 1), BytesIO(b"cut sho"))
    lifecycle.lose(running, lapsed=False)
    perform(str(job.pk))
    assert storage.default_storage.listdir(f"export/{job.pk}") == ([], ["2.zip"])
