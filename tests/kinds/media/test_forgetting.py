"""What goes when a job is deleted, what stays for the edits that still need it, and what a person's export holds."""

from typing import Any

import pytest
from django.core.files import storage

from jobs.contract import Kind
from jobs.core import leftovers
from jobs.core.lifecycle import cancel
from jobs.kinds.media.kind import EditKind, MediaKind
from jobs.kinds.media.models import MediaFile, Version
from jobs.models import Job, Status
from jobs.sandbox.samples import sample_photo
from tests.kinds.media.making import drawing, picture
from tests.kinds.media.test_kind import perform, stored, upload
from tests.kinds.media.test_operations import edit, uploaded


def delete(job: Job) -> None:
    """Delete a job as its owner does, and let a worker forget it, twice."""
    kept = (job.pk, job.payload, job.result)
    kind = job.the_kind
    assert isinstance(kind, Kind)
    job.delete()
    leftovers.forget(float("inf"))
    kind.forget(*kept)


def all_stored() -> set[str]:
    """The names of all stored files."""
    found: set[str] = set()

    def walk(folder: str) -> None:
        try:
            folders, names = storage.default_storage.listdir(folder)
        except FileNotFoundError:
            return
        found.update(f"{folder}/{name}" for name in names)
        for name in folders:
            walk(f"{folder}/{name}")

    walk("media")
    return found


@pytest.fixture
def others(client, other_user) -> set[str]:
    """Files of somebody else, which have to stay."""
    before = all_stored()
    uploaded(client, other_user, picture("PNG"), "of bob.png")
    return before | all_stored()


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "cancelled"])
def test_with_an_upload_s_job_all_its_files_go(client, user, others, outcome):
    content = sample_photo()[:20_000] if outcome == "failed" else sample_photo()
    job = upload(client, user, content)
    if outcome == "cancelled":
        cancel(job.pk)
        job.refresh_from_db()
    else:
        perform(job)
    assert job.status == outcome

    delete(job)

    assert all_stored() == others
    assert not MediaFile.objects.filter(owner=user).exists()


def test_an_upload_that_can_not_be_converted_is_not_kept(client, user, others):
    job = perform(upload(client, user, sample_photo()[:20_000]))

    assert (job.status, job.can_retry) == (Status.FAILED, False)
    assert all_stored() == others


def test_with_an_edit_s_job_its_version_goes_and_the_others_stay(client, user, others):
    file = uploaded(client, user, picture("PNG"))
    before = all_stored()
    job = perform(edit(client, file, "rotate", angle=90))

    delete(job)

    assert [version.number for version in file.versions.all()] == [1]
    assert all_stored() == before
    assert client.get(file.get_absolute_url()).status_code == 200


def test_with_the_upload_s_job_the_file_as_it_was_sent_goes_and_edits_stay(client, user, others):
    upload_job = perform(upload(client, user, sample_photo()))
    file = MediaFile.objects.get(owner=user)
    edited = perform(edit(client, file, "rotate", angle=90))
    source = upload_job.payload["source"]

    delete(upload_job)

    assert not storage.default_storage.exists(source)
    assert stored(f"media/{upload_job.pk}") == {}
    assert [version.number for version in file.versions.all()] == [2]
    assert client.get(file.get_absolute_url()).status_code == 200
    again = perform(edit(client, file, "rotate", angle=90))
    assert again.status == Status.SUCCEEDED
    for job in (again, edited):
        delete(job)
    assert all_stored() == others
    assert not MediaFile.objects.filter(owner=user).exists()


def test_what_an_edit_in_line_starts_from_stays_until_the_edit_is_made(client, user, others):
    upload_job = perform(upload(client, user, picture("PNG", drawing((60, 40)))))
    file = MediaFile.objects.get(owner=user)
    waiting = edit(client, file, "rotate", angle=90)

    delete(upload_job)

    assert file.current.number == 1
    assert client.get(file.get_absolute_url()).status_code == 200
    assert client.get("/jobs/new/edit/", {"file": file.pk}).status_code == 200
    perform(waiting)
    assert waiting.status == Status.SUCCEEDED
    assert (file.current.measures["width"], file.current.number) == (40, 2)
    assert [version.number for version in file.versions.all()] == [2]
    assert {name for name in all_stored() - others if f"/{waiting.pk}/" not in name} == set()


def test_what_a_cancelled_edit_needed_goes_with_it(client, user, others):
    upload_job = perform(upload(client, user, picture("PNG")))
    waiting = edit(client, MediaFile.objects.get(owner=user), "rotate", angle=90)
    delete(upload_job)
    cancel(waiting.pk)
    waiting.refresh_from_db()

    delete(waiting)

    assert all_stored() == others
    assert not MediaFile.objects.filter(owner=user).exists()


def test_an_edit_whose_file_is_gone_gets_a_clear_sentence(client, user):
    file = uploaded(client, user, picture("PNG"))
    waiting = edit(client, file, "rotate", angle=90)
    file.delete()

    perform(waiting)

    assert (waiting.status, waiting.error_code, waiting.can_retry) == (Status.FAILED, "file_gone", False)
    assert waiting.error_text == "The file was deleted meanwhile. Please send it again."


def test_a_job_whose_rows_went_with_its_owner_leaves_no_files(client, user, others):
    file = uploaded(client, user, picture("PNG"))
    perform(edit(client, file, "rotate", angle=90))

    user.delete()
    leftovers.forget(float("inf"))

    assert all_stored() == others


def test_a_version_without_an_outcome_is_found_by_what_was_sent(client, user, others):
    job = perform(upload(client, user, picture("PNG")))
    kept = (job.pk, job.payload, None)
    job.delete()

    MediaKind().forget(*kept)

    assert not Version.objects.filter(file__owner=user).exists()
    assert all_stored() == others


def test_a_payload_that_can_not_be_read_any_more_is_no_hindrance(client, user, others):
    job = perform(upload(client, user, picture("PNG")))
    job_id, result = job.pk, job.result
    job.delete()

    MediaKind().forget(job_id, {}, result)

    assert all_stored() == others


# --- Export ---


def exported(kind: Kind, job: Job) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, opened in kind.files(job.pk, job.payload, job.result):
        with opened() as file:
            found[name] = file.read()
    return found


def test_an_export_holds_what_was_sent_and_what_was_made(client, user):
    job = perform(upload(client, user, sample_photo()))
    edited = perform(edit(client, MediaFile.objects.get(), "rotate", angle=90))

    found = exported(MediaKind(), job)

    names = {entry["name"] for entry in (job.result or {})["files"]}
    assert set(found) == {"original.jpg", *names}
    assert found["original.jpg"] == sample_photo()
    assert set(exported(EditKind(), edited)) == {entry["name"] for entry in (edited.result or {})["files"]}


def test_an_export_of_a_failed_job_opens_nothing_that_is_gone(client, user):
    job = perform(upload(client, user, sample_photo()[:20_000]))

    with pytest.raises(FileNotFoundError):
        exported(MediaKind(), job)


def test_an_export_tells_the_history_of_each_file(client, user, other_user):
    uploaded(client, other_user, picture("PNG"), "of bob.png")
    file = uploaded(client, user, picture("PNG"), "mine.png")
    perform(edit(client, file, "rotate", angle=90))

    told: dict[str, Any] = {name: list(rows) for name, rows in MediaKind().belongings(user.pk)}

    assert [(row["file"], row["version"], row["change"]) for row in told["files"]] == [
        ("mine.png", 1, "upload"),
        ("mine.png", 2, "rotate by 90°"),
    ]
