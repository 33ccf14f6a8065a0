"""A copy of all that is kept of a person: complete, without secrets, theirs alone, and gone with its job."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.files import storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.kinds.personal.export import ExportKind, stored_as
from jobs.models import Job, Status
from jobs.worker import sweep
from jobs.worker.execution import perform
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture
def ann(client: Client, user: User) -> Client:
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


def test_a_copy_holds_the_account_every_job_and_their_files(ann, user, tmp_path):
    log = tmp_path / "log"
    done, failed = echo(user, "Done", log=str(log)), echo(user, "Failed", outcome="fail")
    job = copy(ann)
    with opened(ann, job) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("account.json"))[0]["email"] == "ann@example.org"
        assert json.loads(archive.read("email/addresses.json"))[0]["verified"] is True
        first, second = json.loads(archive.read("jobs.json"))
        assert archive.read(f"files/echo/{done.pk}/log.txt") == log.read_bytes()
        assert b"ann@example.org" in archive.read("README.txt")
    assert (first["id"], first["result"], first["attempts"][0]["outcome"]) == (
        str(done.pk),
        {"text": "hi"},
        "succeeded",
    )
    assert (second["id"], second["error"]["code"], second["attempts"][0]["outcome"]) == (
        str(failed.pk),
        "told_to_fail",
        "failed",
    )
    assert (job.result or {})["jobs"] == 2
    assert (job.result or {})["files"] == 1


def test_a_copy_tells_outcomes_and_errors_in_words(ann, user):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    film = BytesIO()
    frames[0].save(film, "GIF", save_all=True, append_images=frames[1:])
    ann.post("/jobs/new/media/", {"file": SimpleUploadedFile("two.gif", film.getvalue())})
    perform(str(Job.objects.get().pk))
    failed = echo(user, outcome="fail")
    with opened(ann, copy(ann)) as archive:
        converted, other = json.loads(archive.read("jobs.json"))
        (file,) = json.loads(archive.read("media/files.json"))
    (note,) = converted["result"]["notes"]
    assert note.startswith("The file holds more than one picture")
    assert file["change"] == "upload"
    assert failed.error_text
    assert other["error"]["text"] == other["attempts"][0]["error"]["text"] == failed.error_text


def test_a_copy_holds_nothing_of_anybody_else_and_no_secrets(ann, user, other_user):
    echo(other_user, "Of somebody else")
    echo(user, token="payload-secret")
    with opened(ann, copy(ann)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Of somebody else" not in everything
    assert b"payload-secret" not in everything
    assert user.password.encode() not in everything


def test_a_copy_of_nothing_is_valid_json(ann):
    with opened(ann, copy(ann)) as archive:
        assert json.loads(archive.read("jobs.json")) == []
        assert json.loads(archive.read("arithmetic/values.json")) == []


def test_a_file_that_is_gone_is_passed_over(ann, user, tmp_path):
    echo(user, log=str(tmp_path / "log"))
    (tmp_path / "log").unlink()
    assert (copy(ann).result or {})["files"] == 0


def test_only_their_owner_may_fetch_a_copy(ann, other_user):
    job = copy(ann)
    stranger = Client()
    assert stranger.get(f"/export/{job.pk}/download/").status_code == 404
    stranger.force_login(other_user)
    assert stranger.get(f"/export/{job.pk}/download/").status_code == 404
    answer = ann.get(f"/export/{job.pk}/download/")
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Disposition"].startswith("attachment")
    assert int(answer["Content-Length"]) == len(answer.getvalue()) == (job.result or {})["bytes"]


def test_asking_twice_makes_one_copy_at_a_time(ann):
    first = ann.post("/export/")["Location"]
    assert ann.post("/export/")["Location"] == first
    assert Job.objects.filter(kind="export").count() == 1


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


def test_the_page_of_my_data_shows_the_latest_copy(ann):
    job = copy(ann)
    text = ann.get("/export/").content.decode()
    assert f"/export/{job.pk}/download/" in text
    assert "/erasure/" in text
    assert Client().get("/export/").status_code == 302
