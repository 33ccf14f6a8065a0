"""From an upload to the outcome that its owner sees: the whole way, with real rows, files and workers."""

import json
import os
import re
import subprocess
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files import storage
from django.core.files.uploadedfile import SimpleUploadedFile
from imageio_ffmpeg import get_ffmpeg_exe

from jobs.conf import options
from jobs.kinds.media import files
from jobs.kinds.media.kind import MediaKind
from jobs.models import Job, Status
from jobs.sandbox.samples import sample_photo, sample_sound, sample_video
from jobs.worker import execution
from tests.environment import VAR
from tests.kinds.media.making import film, picture, recording
from tests.processes import wait_until


def upload(client, user, content: bytes, name: str = "holiday.jpg", **fields: str) -> Job:
    """Submit a file as a browser does."""
    client.force_login(user)
    answer = client.post("/jobs/new/media/", {"file": SimpleUploadedFile(name, content), **fields})
    assert answer.status_code == 303, answer.content.decode()
    return Job.objects.latest("created_at")


def perform(job: Job) -> Job:
    execution.perform(str(job.pk))
    job.refresh_from_db()
    return job


def result_of(job: Job) -> dict[str, Any]:
    assert job.status == Status.SUCCEEDED, (job.error_text, job.traceback)
    assert job.result is not None
    return dict(job.result)


def stored(folder: str) -> dict[str, list[str]]:
    """What is stored in the subfolders of a folder, by their names."""
    try:
        return {
            name: sorted(storage.default_storage.listdir(f"{folder}/{name}")[1])
            for name in storage.default_storage.listdir(folder)[0]
        }
    except FileNotFoundError:
        return {}


def test_a_photo_becomes_nine_files_that_its_result_names(client, user):
    job = perform(upload(client, user, sample_photo()))

    result = result_of(job)
    assert job.title == "holiday.jpg"
    assert result["type"] == "image"
    assert result["notes"] == []
    assert result["source"] == {"format": "JPEG", "bytes": len(sample_photo()), "width": 1500, "height": 2000}
    assert len(result["files"]) == 9
    first = result["files"][0]
    assert first == {
        "name": "picture-1500.avif",
        "path": f"media/{job.pk}/1/picture-1500.avif",
        "type": "image/avif",
        "role": "picture",
        "bytes": storage.default_storage.size(first["path"]),
        "width": 1500,
        "height": 2000,
    }
    assert stored(f"media/{job.pk}") == {"1": sorted(entry["name"] for entry in result["files"])}
    assert storage.default_storage.exists(job.payload["source"]), "the source is kept"


def test_the_result_holds_no_path_of_the_machine(client, user):
    job = perform(upload(client, user, sample_sound(), "tone.wav"))

    result = result_of(job)
    text = json.dumps(result)
    assert str(options.VAR_DIR) not in text
    assert "/tmp" not in text
    assert "source" not in {entry["name"] for entry in result["files"]}


def test_the_card_shows_a_photo_in_all_formats_and_its_downloads(client, user):
    job = perform(upload(client, user, sample_photo()))

    html = client.get(job.get_absolute_url()).content.decode()

    for mime in ("image/avif", "image/webp"):
        assert f'<source type="{mime}"' in html
    assert f"/media/files/{job.pk}/picture-480.avif 480w" in html
    assert 'alt="Your picture holiday.jpg, converted"' in html
    assert f'href="/media/files/{job.pk}/picture-1500.jpg?download=1"' in html


def test_the_card_shows_a_video_player_with_a_poster(client, user):
    job = perform(upload(client, user, recording("film.mp4"), "film.mp4"))

    html = client.get(job.get_absolute_url()).content.decode()

    assert re.search(
        rf'<video controls preload="metadata" src="/media/files/{job.pk}/video.mp4" poster="[^"]+poster', html
    )


def test_the_card_shows_a_sound_player_with_its_waveform(client, user):
    job = perform(upload(client, user, recording("sound.flac"), "sound.flac"))

    html = client.get(job.get_absolute_url()).content.decode()

    assert f'<source src="/media/files/{job.pk}/sound.opus" type="audio/ogg">' in html
    assert 'alt="Waveform of sound.flac: how loud it is over its 2 seconds"' in html


def test_a_hostile_file_name_is_escaped_on_the_card(client, user):
    job = perform(upload(client, user, picture("PNG"), '"><img src=x onerror=alert(1)>.png'))

    html = client.get(job.get_absolute_url()).content.decode()

    assert job.status == Status.SUCCEEDED
    assert "<img src=x" not in html


def test_damage_fails_with_its_sentence_and_leaves_nothing(client, user):
    job = perform(upload(client, user, sample_photo()[:20_000]))

    assert job.status == Status.FAILED
    assert job.error_code == "damaged"
    assert "damaged or incomplete" in job.error_text
    assert not job.can_retry
    assert stored(f"media/{job.pk}") == {}


def test_a_source_that_is_gone_gets_a_clear_sentence(client, user):
    job = upload(client, user, sample_photo())
    storage.default_storage.delete(job.payload["source"])

    perform(job)

    assert (job.status, job.error_code) == (Status.FAILED, "file_gone")
    assert job.error_text == "The file is not there any more. Please send it again."


def test_what_an_earlier_attempt_left_is_deleted_at_success(client, user, tmp_path):
    job = upload(client, user, picture("PNG"))
    leftover = tmp_path / "picture-1.avif"
    leftover.write_bytes(b"half made")
    files.store(leftover, f"media/{job.pk}/1")
    Job.objects.filter(pk=job.pk).update(attempt=1)

    perform(job)

    assert job.status == Status.SUCCEEDED
    assert list(stored(f"media/{job.pk}")) == ["2"]


def test_an_attempt_that_was_given_up_does_not_touch_the_files_of_a_later_one(client, user, tmp_path):
    job = upload(client, user, picture("PNG"))
    later = tmp_path / "picture-1.avif"
    later.write_bytes(b"of the second attempt")
    files.store(later, f"media/{job.pk}/2")

    perform(job)

    assert stored(f"media/{job.pk}")["2"] == ["picture-1.avif"]


def test_an_attempt_that_can_not_keep_its_files_leaves_none(client, user, settings):
    job = upload(client, user, picture("PNG"))
    folder = Path(storage.default_storage.path(f"media/{job.pk}"))
    folder.mkdir(parents=True)
    (folder / "1").write_text("in the way")

    perform(job)

    assert job.status == Status.FAILED
    assert job.error_code == "internal_error"
    assert stored(f"media/{job.pk}") == {}


def test_the_folder_in_which_an_attempt_worked_is_deleted_and_so_are_those_of_killed_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, running, other = (tmp_path / name for name in ("offload-media-old", "offload-media-running", "other"))
    for folder in (old, running, other):
        folder.mkdir()
        (folder / "source").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (0, 0))

    with files.working_folder() as folder:
        (folder / "source").write_bytes(b"x")
        assert folder.stat().st_mode & 0o077 == 0

    assert set(tmp_path.iterdir()) == {running, other}


def test_the_kind_runs_on_workers_that_can_be_killed():
    assert MediaKind.role == "media"


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_media_worker_brings_every_upload_to_its_outcome_and_lives(client, user, start_worker, tmp_path):
    worker = start_worker("--role", "media")
    sample_video(tmp_path / "v.mp4")
    jobs = [
        upload(client, user, content)
        for content in (
            sample_photo(),
            picture("PNG")[:400],
            (tmp_path / "v.mp4").read_bytes(),
            sample_sound(),
        )
    ]

    def finished() -> bool:
        for job in jobs:
            job.refresh_from_db()
        return all(job.is_finished for job in jobs)

    wait_until(finished, seconds=60, what="all jobs are done")
    assert [job.status for job in jobs] == ["succeeded", "failed", "succeeded", "succeeded"], worker.log
    assert worker.alive()


# --- Presets ---


def test_a_podcast_is_only_the_sound_equally_loud_also_of_a_film(client, user):
    quiet = film(VAR / "quiet.mp4", "-af", "volume=0.05", seconds=4)

    job = perform(upload(client, user, quiet.read_bytes(), "talk.mp4", preset="podcast"))

    result = result_of(job)
    assert (result["type"], [entry["name"] for entry in result["files"]]) == (
        "audio",
        ["sound.m4a", "sound.mp3", "waveform.png"],
    )
    assert loudness(VAR, result["files"][1]) == pytest.approx(-16, abs=1.5)
    html = client.get(job.get_absolute_url()).content.decode()
    assert f'<source src="/media/files/{job.pk}/sound.mp3" type="audio/mpeg">' in html


def loudness(folder: Path, entry: dict[str, Any]) -> float:
    """Integrated loudness (LUFS) of a stored sound."""
    path = folder / entry["name"]
    with storage.default_storage.open(entry["path"]) as stored_file:
        path.write_bytes(stored_file.read())
    command = [get_ffmpeg_exe(), "-hide_banner", "-i", str(path), "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])


def test_a_film_without_sound_is_no_podcast(client, user):
    silent = film(VAR / "silent.mp4", sound=False)

    job = perform(upload(client, user, silent.read_bytes(), "silent.mp4", preset="podcast"))

    assert (job.status, job.error_text) == (Status.FAILED, "There is no sound in this video.")


def test_a_podcast_made_of_a_film_is_cut_as_a_sound(client, user):
    job = perform(upload(client, user, recording("film.mp4"), "film.mp4", preset="podcast"))
    file = result_of(job)["file"]

    client.post("/jobs/new/edit/", {"file": file, "operation": "cut", "start": 0.5, "end": 1.5})
    edited = perform(Job.objects.get(kind="edit"))

    assert [entry["name"] for entry in result_of(edited)["files"]] == ["sound.m4a", "sound.opus", "waveform.png"]


def test_a_small_video_has_480_lines_and_fewer_bytes(client, user):
    content = film(VAR / "large.mp4", "-preset", "ultrafast", size="1280x720").read_bytes()

    usual = result_of(perform(upload(client, user, content, "large.mp4")))["files"][0]
    small = result_of(perform(upload(client, user, content, "large.mp4", preset="small_video")))["files"][0]

    assert (usual["width"], usual["height"]) == (1280, 720)
    assert (small["width"], small["height"]) == (852, 480)
    assert small["bytes"] < usual["bytes"] / 2


def test_finer_options_change_widths_and_sizes(client, user):
    photo = sample_photo()

    small = result_of(perform(upload(client, user, photo, quality="small", width="700")))["files"]
    best = result_of(perform(upload(client, user, photo, quality="best", width="700")))["files"]

    assert [entry["width"] for entry in small] == [700] * 3 + [480] * 3
    assert all(a["bytes"] < b["bytes"] for a, b in zip(small, best, strict=True))


# --- What the card hands out ---


def test_the_card_tells_how_much_smaller_the_file_became(client, user):
    job = perform(upload(client, user, sample_photo()))
    first = result_of(job)["files"][0]

    html = client.get(job.get_absolute_url()).content.decode()

    percent = round(100 - first["bytes"] * 100 / len(sample_photo()))
    assert re.search(
        rf'<p class="saving">67\.0.KB → {first["bytes"] / 1024:.1f}.KB as AVIF, {percent}\u00a0% smaller</p>', html
    )
    assert "The file as you sent it is kept for you alone" in html


def test_the_card_says_when_a_file_became_larger(client, user):
    job = perform(upload(client, user, film(VAR / "tiny.mp4", "-crf", "51").read_bytes(), "tiny.mp4", quality="best"))

    assert "\u00a0% larger" in client.get(job.get_absolute_url()).content.decode()


def test_the_html_of_a_picture_names_the_files_as_they_are_downloaded(client, user):
    job = perform(upload(client, user, sample_photo(), "Grüße vom Strand.jpg"))

    html = unescape(client.get(job.get_absolute_url()).content.decode())

    snippet = re.search(rf'<code id="html-{job.pk}">(<picture>.*?</picture>)</code>', html, re.DOTALL)
    assert snippet
    named = set(re.findall(r"[\w-]+\.(?:avif|webp|jpg)", snippet[1]))
    assert named == set(archived(client, f"/media/zip/{job.pk}/"))
    assert 'srcset="grüße-vom-strand-picture-1500.avif 1500w, ' in snippet[1]
    assert 'width="1500" height="2000"' in snippet[1]


def archived(client, address: str) -> dict[str, bytes]:
    """The files in a ZIP that the site sends, by their names."""
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    with ZipFile(BytesIO(b"".join(answer.streaming_content))) as zipped:
        assert zipped.testzip() is None
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_all_files_of_a_job_come_in_one_zip_to_their_owner_alone(client, user, other_user):
    job = perform(upload(client, user, sample_photo()))
    address = f"/media/zip/{job.pk}/"

    found = archived(client, address)

    assert found == {f"holiday-{entry['name']}": content_of(entry) for entry in result_of(job)["files"]}
    client.force_login(other_user)
    assert client.get(address).status_code == 404


def content_of(entry: dict[str, Any]) -> bytes:
    with storage.default_storage.open(entry["path"]) as stored_file:
        return bytes(stored_file.read())


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
