"""What can be said about an upload before any work is done."""

import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files import storage
from django.core.files.uploadedfile import TemporaryUploadedFile

from jobs.kinds.media.forms import MediaForm
from jobs.samples import sample_photo
from tests.kinds.media.making import FILMS, PICTURES, SOUNDS, picture, recording


class OneChunkAtATime(TemporaryUploadedFile):
    """An upload on disk, as Django makes them of large files, that refuses to be read whole."""

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= 1 << 20
        assert self.file is not None
        return bytes(self.file.read(size))


_uploads: list[OneChunkAtATime] = []


@pytest.fixture(autouse=True)
def _close_uploads() -> Iterator[None]:
    yield
    while _uploads:
        _uploads.pop().close()


def form_with(content: bytes, name: str = "holiday.jpg", content_type: str = "image/jpeg") -> MediaForm:
    upload = OneChunkAtATime(name, content_type, len(content), None)
    _uploads.append(upload)
    assert upload.file is not None
    upload.file.write(content)
    upload.file.flush()
    return MediaForm({}, {"file": upload}, owner=AnonymousUser())


def errors(content: bytes, name: str = "holiday.jpg") -> list[str]:
    form = form_with(content, name)
    assert not form.is_valid()
    assert list(form.errors) == ["file"]
    return [str(error) for error in form.errors["file"]]


def stored_folders() -> list[str]:
    try:
        return storage.default_storage.listdir("media")[0]
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("name", [*PICTURES, *FILMS, *SOUNDS])
def test_every_format_is_taken_whatever_its_name_says(name):
    content = picture(name) if name in PICTURES else recording(name)

    assert form_with(content, "report.pdf", "application/pdf").is_valid()


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><script>alert(1)</script>",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"Just words",
    ],
)
def test_text_named_jpg_gets_a_clear_sentence(content):
    (sentence,) = errors(content)

    assert sentence.startswith("This is a text file (SVG drawings, web pages and playlists are text too). Please send ")
    assert "JPEG, PNG, WebP, AVIF, GIF or HEIC" in sentence


def test_an_unknown_type_gets_a_clear_sentence():
    (sentence,) = errors(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    assert sentence.startswith("This is no file that we can convert. Please send a picture (JPEG")


def test_zero_bytes_get_a_clear_sentence():
    assert errors(b"") == ["This file is empty (0 bytes). Please choose another, or save it again where it comes from."]


def test_no_file_gets_a_clear_sentence(user):
    form = MediaForm({}, {}, owner=user)

    assert form.errors["file"] == ["Please choose a file."]


def test_a_file_over_the_limit_gets_a_clear_sentence(settings):
    settings.MEDIA_MAX_BYTES = 2048

    (sentence,) = errors(picture("JPEG"))

    assert sentence.startswith("This file has ")
    assert sentence.endswith("The largest that can be converted has 2.0\xa0KB.")


def test_the_upload_is_kept_in_a_folder_of_its_own(settings, tmp_path):
    form = form_with(sample_photo())
    assert form.is_valid()

    (submission,) = form.submissions()

    assert submission.title == "holiday.jpg"
    assert submission.resource == ""
    assert json.loads(json.dumps(submission.payload)) == submission.payload
    assert submission.payload["name"] == "holiday.jpg"
    media, folder, source = submission.payload["source"].split("/")
    assert (media, len(folder), source) == ("media", 36, "source")
    with storage.default_storage.open(submission.payload["source"]) as stored:
        assert stored.read() == sample_photo()
    form.discard()


def test_discard_removes_the_file_and_its_folder():
    before = stored_folders()
    form = form_with(sample_photo())
    assert form.is_valid()
    (submission,) = form.submissions()
    assert len(stored_folders()) == len(before) + 1

    form.discard()
    form.discard()

    assert not storage.default_storage.exists(submission.payload["source"])
    assert stored_folders() == before


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../etc/passwd", "passwd"),
        ("a\u202egpj.exe", "a gpj.exe"),
        ("two\nlines\t.jpg", "two lines .jpg"),
        ("<b>bold</b>.jpg", "b>.jpg"),
        ("x" * 300 + ".jpg", "x" * 150),
        ("Grüße 🎉.jpg", "Grüße 🎉.jpg"),
        ("\u200b.jpg", ".jpg"),
    ],
)
def test_a_hostile_name_becomes_a_harmless_title(name, title):
    form = form_with(picture("JPEG"), name)
    assert form.is_valid()

    (submission,) = form.submissions()

    form.discard()
    assert submission.title == title


def test_the_field_offers_the_right_files_to_choose(user):
    html = str(MediaForm(owner=user))

    assert 'accept="image/*,video/*,audio/*,' in html
    assert "Send a picture (JPEG, PNG" in html
