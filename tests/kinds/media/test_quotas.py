"""What an owner's files take of their quotas: uploads, what is made of them, and what outlives its job."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs.core import quotas
from jobs.core.lifecycle import cancel
from jobs.kinds.media.models import MediaFile
from jobs.models import Job, Status
from jobs.sandbox.samples import sample_photo
from tests.kinds.media.making import picture
from tests.kinds.media.test_forgetting import all_stored, delete
from tests.kinds.media.test_kind import perform, result_of, upload
from tests.kinds.media.test_operations import ask, edit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def kept(user) -> float:
    (standing,) = [one for one in quotas.standings(user.pk) if one.quota.name == "bytes"]
    return standing.used


def send(client, *contents: bytes, **headers: str):
    files = [SimpleUploadedFile(f"{number}.png", content) for number, content in enumerate(contents)]
    return client.post("/jobs/new/media/", {"file": files}, headers=headers)


def test_the_upload_counts_at_once_and_what_is_made_of_it_once_it_is_there(client, user):
    job = upload(client, user, sample_photo())
    assert kept(user) == len(sample_photo())
    made = result_of(perform(job))["files"]
    assert kept(user) == len(sample_photo()) + sum(entry["bytes"] for entry in made)
    delete(job)
    assert kept(user) == 0


def test_an_upload_that_can_not_be_converted_and_is_not_kept_counts_no_more(client, user):
    job = perform(upload(client, user, sample_photo()[:20_000]))
    assert job.status == Status.FAILED
    assert kept(user) == 0


def test_a_cancelled_upload_counts_as_long_as_it_is_there(client, user):
    job = upload(client, user, sample_photo())
    cancel(job.pk)
    assert kept(user) == len(sample_photo())


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}])
def test_what_does_not_fit_is_refused_at_its_field_before_it_is_stored(client, user, offload, headers):
    content = picture("PNG")
    offload(QUOTA_BYTES=3 * len(content))
    client.force_login(user)
    before = all_stored()
    answer = send(client, *[content] * 4, **headers)
    assert answer.status_code == 429
    assert "Retry-After" not in answer
    sentences = answer.json()["errors"]["file"] if headers else answer.context["form"].errors["file"]
    assert sentences[0].startswith("There is no room for ")
    assert (Job.objects.count(), all_stored()) == (0, before)
    assert send(client, *[content] * 3).status_code == 303


def test_an_edit_needs_room_for_a_version_like_the_newest(client, user, offload):
    perform(upload(client, user, picture("PNG"), "a.png"))
    file = MediaFile.objects.get()
    offload(QUOTA_BYTES=int(kept(user)) + 1)
    assert ask(client, file, "rotate", angle=90).status_code == 429
    offload(QUOTA_BYTES=int(kept(user)) + file.current.measures["bytes"])
    assert ask(client, file, "rotate", angle=90).status_code == 303


def test_what_an_edit_made_counts(client, user):
    perform(upload(client, user, picture("PNG"), "a.png"))
    before = kept(user)
    perform(edit(client, MediaFile.objects.get(), "rotate", angle=90))
    assert kept(user) == before + MediaFile.objects.get().current.stored_bytes


def test_a_version_that_outlives_its_job_counts_on(client, user):
    job = perform(upload(client, user, picture("PNG"), "a.png"))
    size = kept(user)
    waiting = edit(client, MediaFile.objects.get(), "rotate", angle=90)
    delete(job)
    assert kept(user) == size
    cancel(waiting.pk)
    delete(Job.objects.get(pk=waiting.pk))
    assert kept(user) == 0


def test_each_file_is_a_job_that_has_to_fit(client, user, offload):
    offload(QUOTA_JOBS=2)
    client.force_login(user)
    assert send(client, *[picture("PNG")] * 3).status_code == 429
    assert send(client, *[picture("PNG")] * 2).status_code == 303


def test_no_more_is_taken_when_the_day_s_time_of_work_is_used_up(client, user, offload):
    offload(QUOTA_COMPUTING=60)
    perform(upload(client, user, picture("PNG"), "a.png"))
    quotas.meter(user.pk, quotas.COMPUTING, 60)
    answer = send(client, picture("PNG"), Accept="application/json")
    assert answer.status_code == 429
    assert 86_000 < int(answer["Retry-After"]) <= 86_400
    assert json.loads(answer.content)["errors"]["__all__"][0].startswith("Your files may be worked on for 1 minute")
    assert ask(client, MediaFile.objects.get(), "rotate", angle=90).status_code == 429
