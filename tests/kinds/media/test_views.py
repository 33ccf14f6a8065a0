"""A job's files: for its owner alone, whole or in parts, and never as something that runs."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.files import storage
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from jobs.kinds.media import views
from jobs.models import Job, Status
from jobs.sandbox.samples import sample_photo, sample_sound
from jobs.web.access import SESSION_KEY
from jobs.worker import execution
from tests.kinds.media.making import picture, recording
from tests.kinds.media.test_kind import archived, perform, result_of, upload


@pytest.fixture
def job(client, user) -> Job:
    job = upload(client, user, sample_sound(1), "Grüße aus.wav")
    execution.perform(str(job.pk))
    job.refresh_from_db()
    assert job.status == Status.SUCCEEDED
    return job


@pytest.fixture
def url(job) -> str:
    return f"/media/files/{job.pk}/sound.m4a"


@pytest.fixture
def content(job) -> bytes:
    with storage.default_storage.open(f"media/{job.pk}/1/sound.m4a") as stored:
        return bytes(stored.read())


def test_the_owner_gets_every_file_of_the_result(client, job):
    for entry in job.result["files"]:
        answer = client.get(f"/media/files/{job.pk}/{entry['name']}")

        assert answer.status_code == 200
        assert answer["Content-Type"] == entry["type"]
        assert answer["Content-Length"] == str(entry["bytes"])
        assert len(answer.getvalue()) == entry["bytes"]


def test_a_file_is_shown_in_place_and_can_run_nothing(client, url, content):
    answer = client.get(url)

    assert answer.getvalue() == content
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
    assert "private" in answer["Cache-Control"]
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Content-Disposition"].startswith("inline")


def test_a_download_is_named_after_what_was_sent_as_addresses_can_hold_it(client, url):
    answer = client.get(url, {"download": "1"})

    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''gr%C3%BC%C3%9Fe-aus-sound.m4a"
    answer.getvalue()


def test_somebody_else_and_nobody_get_404(client, other_user, url):
    client.logout()
    assert client.get(url).status_code == 404

    client.force_login(other_user)
    assert client.get(url).status_code == 404
    assert client.get(url, headers={"If-None-Match": '"1"'}).status_code == 404
    assert client.get(url, headers={"Range": "bytes=0-1"}).status_code == 404


def test_the_session_that_started_a_job_gets_its_files(client, job, url):
    client.logout()
    session = client.session
    session[SESSION_KEY] = "f" * 32
    session.save()
    Job.objects.filter(pk=job.pk).update(visitor="f" * 32)

    answer = client.get(url)

    assert answer.status_code == 200
    answer.getvalue()


@pytest.mark.parametrize("name", ["source", "other.jpg", "..", "%2e%2e%2fsource", "sound.m4a%00", "SOUND.M4A"])
def test_names_that_the_result_does_not_list_get_404(client, job, name):
    assert client.get(f"/media/files/{job.pk}/{name}").status_code == 404


def test_a_job_that_has_no_result_yet_gets_404(client, user):
    job = upload(client, user, sample_sound())

    assert client.get(f"/media/files/{job.pk}/sound.m4a").status_code == 404
    assert client.get(f"/media/files/{uuid4()}/sound.m4a").status_code == 404


def test_a_file_that_is_gone_from_the_storage_gets_404(client, job, url):
    storage.default_storage.delete(f"media/{job.pk}/1/sound.m4a")

    assert client.get(url).status_code == 404


def test_a_type_that_could_run_is_never_served(client, job):
    path = storage.default_storage.save(f"media/{job.pk}/1/page.html", ContentFile(b"<script>alert(1)</script>"))
    entry = {"name": "page.html", "path": path, "type": "text/html", "role": "picture", "bytes": 25}
    Job.objects.filter(pk=job.pk).update(result={**job.result, "files": [entry]})

    assert client.get(f"/media/files/{job.pk}/page.html").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_files_can_only_be_read(client, url, method):
    assert getattr(client, method)(url).status_code == 405


def test_a_head_request_tells_the_size_alone(client, url, content):
    answer = client.head(url, headers={"Range": "bytes=0-1"})

    assert answer.status_code == 200
    assert answer["Content-Length"] == str(len(content))
    assert "Content-Range" not in answer
    assert answer.getvalue() == b""


def test_a_known_version_is_not_sent_again(client, url):
    first = client.get(url)
    first.getvalue()

    answer = client.get(url, headers={"If-None-Match": first["ETag"]})

    assert answer.status_code == 304
    assert answer["ETag"] == first["ETag"]
    assert "private" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-199", 100, 199),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=-999999999", 0, None),
        ("bytes=100-999999999", 100, None),
        ("BYTES=0-9", 0, 9),
    ],
)
def test_a_range_gets_its_part(client, url, content, header, first, last):
    size = len(content)
    first = first if first >= 0 else size + first
    last = size - 1 if last is None else last

    answer = client.get(url, headers={"Range": header})

    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/{size}"
    assert answer["Content-Length"] == str(last - first + 1)
    assert answer["Content-Type"] == "audio/mp4"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.getvalue() == content[first : last + 1]


@pytest.mark.parametrize("header", ["bytes=999999999-", "bytes=999999999-1000000000", "bytes=-0"])
def test_a_range_behind_the_end_gets_416(client, url, content, header):
    answer = client.get(url, headers={"Range": header})

    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(content)}"
    assert answer.content == b""


@pytest.mark.parametrize(
    "header", ["bytes=-", "bytes=", "bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=١-٢", "bytes=0-1-2"]
)
def test_a_range_that_can_not_be_understood_gets_the_whole_file(client, url, content, header):
    answer = client.get(url, headers={"Range": header})

    assert answer.status_code == 200
    assert answer.getvalue() == content


def test_a_range_of_another_version_gets_the_whole_file(client, url, content):
    answer = client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert answer.status_code == 200
    assert answer.getvalue() == content

    answer = client.get(url, headers={"Range": "bytes=0-9", "If-Range": answer["ETag"]})
    assert answer.status_code == 206
    answer.getvalue()


@given(header=st.one_of(st.text(), st.from_regex(r"bytes=\d{0,22}-\d{0,22}")), size=st.integers(1, 10_000))
def test_any_range_header_names_bytes_of_the_file_or_none(header, size):
    try:
        found = views.byte_range(header, size)
    except ValueError:
        return
    assert found is None or 0 <= found[0] <= found[1] < size


def content_of(entry: dict[str, Any]) -> bytes:
    with storage.default_storage.open(entry["path"]) as stored_file:
        return bytes(stored_file.read())


def test_all_files_of_a_job_come_in_one_zip_to_their_owner_alone(client, user, other_user):
    job = perform(upload(client, user, sample_photo()))
    address = f"/media/zip/{job.pk}/"

    found = archived(client, address)

    assert found == {f"holiday-{entry['name']}": content_of(entry) for entry in result_of(job)["files"]}
    client.force_login(other_user)
    assert client.get(address).status_code == 404


def test_all_outcomes_of_one_submit_come_in_one_zip(client, user, other_user):
    client.force_login(user)
    uploads = [SimpleUploadedFile(name, picture("PNG")) for name in ("a.png", "a.png", "b c.png", "never.png")]
    page = client.post("/jobs/new/media/", {"file": uploads, "form_key": "k"})["Location"]
    address = f"/media/zip/submit/{page.split('/')[-2]}/"

    assert "Nothing is converted yet." in client.get(address, follow=True).content.decode()
    for job in Job.objects.exclude(title="never.png"):
        perform(job)
    found = archived(client, address)

    assert sorted({name.partition("/")[0] for name in found}) == ["a", "a-2", "b-c"]
    assert "b-c/b-c-picture-600.avif" in found
    assert address in client.get(page).content.decode()
    client.force_login(other_user)
    assert client.get(address).status_code == 404


def test_a_file_that_is_gone_is_left_out_of_the_zip(client, user):
    job = perform(upload(client, user, picture("PNG")))
    first, *others = result_of(job)["files"]
    storage.default_storage.delete(first["path"])

    assert list(archived(client, f"/media/zip/{job.pk}/")) == [f"holiday-{entry['name']}" for entry in others]


def test_my_files_are_shown_by_small_pictures_of_them(client, user):
    photo = perform(upload(client, user, sample_photo()))
    sound = perform(upload(client, user, sample_sound(), "tone.wav"))
    film_job = perform(upload(client, user, recording("film.mp4"), "film.mp4"))

    html = client.get("/media/").content.decode()

    assert re.findall(r'<img class="(\w+)" src="([^"]+)"', html) == [
        ("video", f"/media/files/{film_job.pk}/poster.jpg"),
        ("audio", f"/media/files/{sound.pk}/waveform.png"),
        ("image", f"/media/files/{photo.pk}/picture-480.avif"),
    ]
