"""What a copy holds: all of it, without secrets, and nothing of others."""

import json
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from jobs.models import Job
from jobs.worker.execution import perform
from tests.kinds.personal.conftest import copy, echo, opened

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


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
