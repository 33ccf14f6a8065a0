"""Edits of an uploaded file: what may be asked for, what comes out, who sees it, and in which order they are made."""

import json
from io import BytesIO
from typing import Any

import pytest
from django.core.files import storage
from PIL import Image

from jobs.contract import Submission
from jobs.core.lifecycle import submit
from jobs.kinds.media.models import MediaFile, Version
from jobs.kinds.media.operations import Rotate, payload_of
from jobs.models import Job, Status
from jobs.sandbox.samples import sample_photo
from tests.kinds.media.killed import KilledEdit
from tests.kinds.media.making import drawing, picture, recording
from tests.kinds.media.test_kind import perform, result_of, stored, upload
from tests.kinds.media.test_pictures import assert_bare, is_near
from tests.processes import wait_until

FORM = "/jobs/new/edit/"


def uploaded(client, user, content: bytes, name: str = "holiday.png") -> MediaFile:
    """A file that is sent and converted."""
    return MediaFile.objects.get(pk=result_of(perform(upload(client, user, content, name)))["file"])


def ask(client, file: MediaFile, operation: str, **fields: Any) -> Any:
    return client.post(FORM, {"file": file.pk, "operation": operation, **fields})


def edit(client, file: MediaFile, operation: str, **fields: Any) -> Job:
    """Submit an edit as a browser does."""
    answer = ask(client, file, operation, **fields)
    assert answer.status_code == 303, answer.content.decode()
    return Job.objects.get(pk=answer["Location"].split("/")[-2])


def made(version: Version) -> Image.Image:
    """The picture from which further edits of a version start."""
    with storage.default_storage.open(version.path) as file:
        return Image.open(BytesIO(file.read())).convert("RGBA")


def pattern(width: int = 60, height: int = 40) -> Image.Image:
    """A picture no two pixels of which are the same."""
    image = Image.new("RGB", (width, height))
    image.putdata([(x * 4, y * 6, (x + y) % 256) for y in range(height) for x in range(width)])
    return image


def errors(client, file: MediaFile | int | str, operation: str, **fields: Any) -> dict[str, list[str]]:
    """What a program is told about an edit that is refused."""
    body = {"file": file.pk if isinstance(file, MediaFile) else file, "operation": operation, **fields}
    answer = client.post(FORM, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    found: dict[str, list[str]] = answer.json()["errors"]
    return found


# --- What comes out ---


@pytest.fixture
def file(client, user) -> MediaFile:
    return uploaded(client, user, picture("PNG", pattern()))


@pytest.mark.parametrize(
    ("fields", "expected", "title"),
    [
        ({"operation": "rotate", "angle": 90}, pattern().rotate(-90, expand=True), "rotate by 90°"),
        ({"operation": "rotate", "angle": 180}, pattern().rotate(180), "rotate by 180°"),
        ({"operation": "rotate", "angle": 270}, pattern().rotate(90, expand=True), "rotate by 270°"),
        (
            {"operation": "crop", "left": 10, "top": 5, "width": 20, "height": 30},
            pattern().crop((10, 5, 30, 35)),
            "crop to 20 × 30 pixels at 10, 5",
        ),
        ({"operation": "convert", "format": "WEBP"}, pattern(), "convert to WebP"),
        (
            {"operation": "convert", "format": "JPEG", "new_width": 30},
            pattern().resize((30, 20), Image.Resampling.LANCZOS),
            "convert to JPEG, 30 pixels wide",
        ),
    ],
)
def test_each_operation_makes_a_version_of_the_picture(client, file, fields, expected, title):
    job = perform(edit(client, file, **fields))

    result, version = result_of(job), file.current
    assert job.title == f"holiday.png: {title}"
    assert (version.number, version.job, version.change_text) == (2, job, title)
    assert made(version).tobytes() == expected.convert("RGBA").tobytes()
    assert (result["version"], result["source"]["format"]) == (2, "PNG")
    assert (result["source"]["width"], result["source"]["height"]) == expected.size
    assert version.path == f"media/{job.pk}/1/edited.png"
    assert stored(f"media/{job.pk}") == {"1": sorted(["edited.png", *(entry["name"] for entry in result["files"])])}
    for entry in result["files"]:
        assert (entry["width"], entry["height"]) == expected.size
        answer = client.get(f"/media/files/{job.pk}/{entry['name']}?download=1")
        assert f'filename="holiday-{entry["name"]}"' in answer["Content-Disposition"]
        with Image.open(BytesIO(answer.getvalue())) as image:
            assert image.size == expected.size
            corner = image.convert("RGB").getpixel((0, 0))
        assert is_near(corner, expected.getpixel((0, 0)))


@pytest.mark.parametrize(("format", "mime"), [("AVIF", "image/avif"), ("WEBP", "image/webp"), ("JPEG", "image/jpeg")])
def test_a_conversion_hands_out_one_file_at_the_size_that_was_asked_for(client, user, format, mime):
    file = uploaded(client, user, picture("JPEG", drawing((2400, 1200))))

    whole = result_of(perform(edit(client, file, "convert", format=format)))
    small = result_of(perform(edit(client, file, "convert", format=format, new_width=700)))

    assert [(one["type"], one["width"], one["height"]) for one in whole["files"]] == [(mime, 2400, 1200)]
    assert [(one["type"], one["width"], one["height"]) for one in small["files"]] == [(mime, 700, 350)]
    assert (
        f"picture-700.{small['files'][0]['name'].split('.')[1]}" in client.get(FORM, {"file": file.pk}).content.decode()
    )


def test_edits_build_on_each_other_and_keep_every_version(client, file):
    perform(edit(client, file, "rotate", angle=90))
    perform(edit(client, file, "crop", left=5, top=10, width=30, height=40))
    perform(edit(client, file, "rotate", angle=270))

    versions = list(file.versions.all())
    expected = [pattern(), pattern().rotate(-90, expand=True)]
    expected.append(expected[1].crop((5, 10, 35, 50)))
    expected.append(expected[2].rotate(90, expand=True))
    assert [version.number for version in versions] == [1, 2, 3, 4]
    assert [made(version).tobytes() for version in versions] == [image.convert("RGBA").tobytes() for image in expected]


def test_a_photo_that_lies_on_its_side_is_edited_as_it_is_seen_and_keeps_no_metadata(client, user, tmp_path):
    file = uploaded(client, user, sample_photo(), "holiday.jpg")

    perform(edit(client, file, "crop", left=0, top=1990, width=1500, height=10))

    local = tmp_path / "edited.png"
    with storage.default_storage.open(file.current.path) as edited:
        local.write_bytes(edited.read())
    assert_bare(local)
    assert made(file.current).size == (1500, 10)


def test_a_transparent_picture_stays_transparent(client, user):
    file = uploaded(client, user, picture("PNG", drawing((40, 40), "RGBA")))

    perform(edit(client, file, "rotate", angle=180))

    transparency = made(file.current).getchannel("A")
    assert transparency.getpixel((5, 5)) == 0
    assert transparency.getpixel((5, 35)) == 255


@pytest.mark.parametrize(
    ("name", "output"), [("film.mp4", "video.mp4"), ("film.mkv", "video.mp4"), ("sound.mp3", "sound.m4a")]
)
def test_a_recording_is_cut(client, user, name, output):
    file = uploaded(client, user, recording(name), name)

    first = perform(edit(client, file, "cut", start=0.5, end=1.75))
    second = perform(edit(client, file, "cut", start=0, end=0.5))

    assert first.title == f"{name}: cut from 0.5 to 1.75 seconds"
    assert result_of(first)["source"]["seconds"] == pytest.approx(1.25, abs=0.1)
    assert result_of(second)["source"]["seconds"] == pytest.approx(0.5, abs=0.1)
    assert file.current.path == f"media/{second.pk}/1/{output}"
    assert output in {entry["name"] for entry in result_of(second)["files"]}


# --- What is refused ---


@pytest.mark.parametrize(
    ("box", "field", "sentence"),
    [
        (
            {"left": 50, "top": 0, "width": 11, "height": 10},
            "__all__",
            "The box reaches to pixel 61 across and 10 down",
        ),
        ({"left": 0, "top": 0, "width": 60, "height": 41}, "__all__", "the picture has 60 × 40 pixels"),
        ({"left": 0, "top": 0, "width": 0, "height": 10}, "width", "greater than or equal to 1"),
        ({"left": -1, "top": 0, "width": 10, "height": 10}, "left", "greater than or equal to 0"),
        ({"left": 0, "top": 0, "width": 10}, "height", "required"),
        ({"left": "a", "top": 0, "width": 10, "height": 10}, "left", "whole number"),
        ({"left": 0, "top": 0, "width": 10**30, "height": 10}, "width", "less than or equal to"),
    ],
)
def test_a_box_that_is_not_in_the_picture_is_refused_with_a_sentence(client, file, box, field, sentence):
    found = errors(client, file, "crop", **box)

    assert list(found) == [field]
    assert sentence in found[field][0]
    assert file.versions.count() == Job.objects.count() == 1


def test_what_makes_no_sense_is_refused_with_a_sentence(client, file):
    assert "is not one of the available" in errors(client, file, "rotate", angle=45)["angle"][0]
    assert "is not one of the available" in errors(client, file, "convert", format="SVG")["format"][0]
    assert (
        "60 pixels wide, and is not enlarged"
        in errors(client, file, "convert", format="JPEG", new_width=61)["__all__"][0]
    )
    assert errors(client, file, "cut", start=0, end=1) == {"operation": ["“Cut” can't be done with a picture."]}
    assert "is not one of the available" in errors(client, file, "melt")["operation"][0]
    assert errors(client, file, "")["operation"] == ["Please choose what to do with the file."]


def test_a_picture_too_long_for_the_format_is_refused_with_a_sentence(client, user):
    file = uploaded(client, user, picture("PNG", Image.new("L", (20_000, 2))))

    assert "up to 16,383 pixels" in errors(client, file, "convert", format="WEBP")["__all__"][0]


@pytest.mark.parametrize(
    ("part", "field", "sentence"),
    [
        ({"start": 0, "end": 99}, "__all__", "The recording ends after 2"),
        ({"start": 1.5, "end": 1.5}, "__all__", "The end must lie at least 0.1 seconds behind the start."),
        ({"start": 1.5, "end": 1}, "__all__", "The end must lie at least 0.1 seconds behind the start."),
        ({"start": -1, "end": 1}, "start", "greater than or equal to 0"),
        ({"start": "nan", "end": 1}, "start", "number"),
        ({"start": 0}, "end", "required"),
    ],
)
def test_a_part_that_is_not_in_the_recording_is_refused_with_a_sentence(client, user, part, field, sentence):
    file = uploaded(client, user, recording("sound.wav"), "sound.wav")

    assert sentence in errors(client, file, "cut", **part)[field][0]
    assert errors(client, file, "rotate", angle=90) == {"operation": ["“Rotate” can't be done with a sound."]}


def test_a_file_of_somebody_else_can_not_be_edited_or_seen(client, file, other_user):
    client.force_login(other_user)

    for pk in (file.pk, file.pk + 1, "x", 10**30):
        assert errors(client, pk, "rotate", angle=90)["file"] == ["Please choose one of your files."]
    assert client.get(file.get_absolute_url()).status_code == 404
    assert "holiday" not in client.get("/media/").content.decode()
    for method in (client.get, client.post):
        html = method(FORM + f"?file={file.pk}", {"file": file.pk}).content.decode()
        assert "holiday" not in html
        assert 'href="/media/"' in html
    client.logout()
    assert client.get(file.get_absolute_url()).status_code == 302
    assert client.get("/media/").status_code == 302


def test_a_box_that_an_earlier_edit_put_outside_fails_when_its_turn_comes(client, file):
    turn = edit(client, file, "rotate", angle=90)
    crop = edit(client, file, "crop", left=0, top=0, width=60, height=40)

    perform(turn)
    perform(crop)

    assert (crop.status, crop.error_code, crop.can_retry) == (Status.FAILED, "outside", False)
    assert "the picture has 40 × 60 pixels" in crop.error_text
    assert file.current.number == 2


def test_a_version_that_is_gone_from_the_storage_gets_a_clear_sentence(client, file):
    storage.default_storage.delete(file.current.path)

    job = perform(edit(client, file, "rotate", angle=90))

    assert (job.status, job.error_code) == (Status.FAILED, "file_gone")
    assert stored(f"media/{job.pk}") == {}


# --- Pages ---


def test_a_job_of_a_file_links_to_its_edits(client, file):
    html = client.get(file.current.job.get_absolute_url()).content.decode()

    assert f'href="{FORM}?file={file.pk}"' in html
    assert f'href="{file.get_absolute_url()}"' in html


def test_the_form_shows_the_current_version_and_a_section_for_each_operation(client, file):
    perform(edit(client, file, "rotate", angle=90))

    html = client.get(FORM, {"file": file.pk}).content.decode()

    assert f"/media/files/{file.current.job_id}/picture-40.jpg" in html
    assert "Version 2: PNG" in html
    assert "40 × 60 pixels" in html
    for name in ("rotate", "crop", "convert"):
        assert f'name="operation" value="{name}"' in html
    assert 'value="cut"' not in html
    assert 'name="width" value="40" min="1"' in html
    assert "in line" not in html


def test_a_refused_edit_shows_its_section_with_the_sentence_and_what_was_typed(client, file):
    answer = ask(client, file, "crop", left=55, top=0, width=10, height=10)

    html = answer.content.decode()
    assert answer.status_code == 400
    assert "The box reaches to pixel 65 across" in html
    assert 'name="left" value="55"' in html
    assert html.count("<form") == 4  # three sections, and the one of the navigation


def test_the_form_tells_how_many_edits_are_in_line(client, file):
    for _ in range(2):
        edit(client, file, "rotate", angle=90)

    assert "2 edits of this file are in line" in client.get(FORM, {"file": file.pk}).content.decode()


def test_the_page_of_a_file_shows_its_history_and_the_edits_in_line(client, file):
    done = perform(edit(client, file, "rotate", angle=90))
    waiting = edit(client, file, "rotate", angle=180)

    html = client.get(file.get_absolute_url()).content.decode()

    assert f"/media/files/{done.pk}/picture-40.jpg" in html
    assert f'href="{done.get_absolute_url()}">rotate by 90°</a>' in html
    assert "<strong>Version 2</strong>, from version 1:" in html
    assert f'href="{waiting.get_absolute_url()}"' in html
    assert file.get_absolute_url() in client.get("/media/").content.decode()


def test_a_file_whose_jobs_are_gone_still_has_its_page(client, file):
    Job.objects.all().delete()

    for address in (file.get_absolute_url(), f"{FORM}?file={file.pk}"):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("value", ["", "0", "x", "\0", "9" * 5000, "\U0001f600"])
@pytest.mark.parametrize("kind", ["media", "social", "arithmetic", "edit"])
def test_an_address_may_fill_in_fields_with_anything(client, user, kind, value):
    client.force_login(user)
    page = client.get(f"/jobs/new/{kind}/").context["form"]

    answer = client.get(f"/jobs/new/{kind}/", {**dict.fromkeys(page.fields, value), "angle": value})

    assert answer.status_code == 200


# --- In order, with real workers ---


def finished(jobs: list[Job]) -> bool:
    for job in jobs:
        job.refresh_from_db()
    return all(job.is_finished for job in jobs)


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_edits_submitted_at_once_are_made_in_order_by_four_workers(client, user, start_worker):
    file = uploaded(client, user, picture("PNG", pattern()))
    for _ in range(4):
        start_worker("--role", "media", env={"MEDIA_CONCURRENCY": "4"})

    jobs = [
        edit(client, file, "rotate", angle=90),
        edit(client, file, "crop", left=5, top=10, width=30, height=40),
        edit(client, file, "rotate", angle=90),
        edit(client, file, "convert", format="WEBP", new_width=20),
        edit(client, file, "crop", left=1, top=1, width=15, height=10),
    ]

    wait_until(lambda: finished(jobs), seconds=60, what="all edits are made")
    expected = pattern().rotate(-90, expand=True).crop((5, 10, 35, 50)).rotate(-90, expand=True)
    expected = expected.resize((20, 15), Image.Resampling.LANCZOS).crop((1, 1, 16, 11))
    assert [job.status for job in jobs] == ["succeeded"] * 5
    assert [version.job for version in file.versions.all()][1:] == jobs
    assert made(file.current).tobytes() == expected.convert("RGBA").tobytes()


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_failed_edit_holds_the_others_until_it_is_skipped(client, user, start_worker):
    file = uploaded(client, user, picture("PNG", pattern()))
    first, bad, last = (
        edit(client, file, "rotate", angle=90),
        edit(client, file, "crop", left=0, top=0, width=60, height=10),
        edit(client, file, "rotate", angle=90),
    )
    start_worker("--role", "media")

    wait_until(lambda: finished([first, bad]), seconds=30, what="the second edit fails")

    assert (first.status, bad.status) == (Status.SUCCEEDED, Status.FAILED)
    waiting = client.get(last.get_absolute_url() + "status.json").json()
    assert (waiting["status"], waiting["wait"]["reason"]) == ("pending", "held")
    assert file.current.number == 2
    page = client.get(file.get_absolute_url()).content.decode()
    assert f'formaction="/jobs/{bad.pk}/skip/"' in page

    assert client.post(f"/jobs/{bad.pk}/skip/").status_code == 303

    wait_until(lambda: finished([last]), seconds=30, what="the third edit is made")
    assert [version.job for version in file.versions.all()][1:] == [first, last]
    assert made(file.current).tobytes() == pattern().rotate(180).convert("RGBA").tobytes()


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_an_edit_whose_worker_is_killed_after_its_version_was_written_is_made_once(client, user, start_worker):
    file = uploaded(client, user, picture("PNG", pattern()))
    payload = {"file": file.pk, **payload_of(Rotate(90))}
    (job,) = submit(KilledEdit(), [Submission(payload, "holiday.png", file.resource)], owner=user).jobs
    behind = edit(client, file, "rotate", angle=90)

    start_worker("--role", "media")

    wait_until(lambda: finished([job, behind]), seconds=30, what="both edits end")
    assert [(one.status, one.attempt) for one in (job, behind)] == [(Status.SUCCEEDED, 2), (Status.SUCCEEDED, 1)]
    assert [version.job for version in file.versions.all()][1:] == [job, behind]
    assert job.result == file.versions.get(number=2).result
    assert made(file.current).tobytes() == pattern().rotate(180).convert("RGBA").tobytes()
    assert list(stored(f"media/{job.pk}")) == ["1"]
