"""What can be said about an upload before any work is done."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files import storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.utils.datastructures import MultiValueDict

from jobs.kinds.media.forms import MediaForm
from jobs.kinds.media.presets import PRESETS, recipe_of
from jobs.sandbox.samples import sample_photo
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


def sent(content: bytes, name: str = "holiday.jpg", content_type: str = "image/jpeg") -> OneChunkAtATime:
    upload = OneChunkAtATime(name, content_type, len(content), None)
    _uploads.append(upload)
    assert upload.file is not None
    upload.file.write(content)
    upload.file.flush()
    return upload


def form_with(content: bytes, name: str = "holiday.jpg", content_type: str = "image/jpeg") -> MediaForm:
    return MediaForm({}, {"file": sent(content, name, content_type)}, owner=AnonymousUser())


def form_of(*files: tuple[bytes, str], **fields: Any) -> MediaForm:
    """A form with several files."""
    uploads = MultiValueDict({"file": [sent(*file) for file in files]})
    return MediaForm(fields, uploads, owner=AnonymousUser())


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


def test_a_file_over_the_limit_gets_a_clear_sentence(offload):
    offload(MEDIA_MAX_BYTES=2048)

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
    assert " multiple" in html
    assert "A picture (JPEG, PNG" in html
    assert "Up to 20 files of up to 200.0\xa0MB each, 500.0\xa0MB together." in html


# --- Several files ---


def test_several_files_become_a_job_each_in_a_folder_each():
    form = form_of((sample_photo(), "one.jpg"), (picture("PNG"), "two.png"), (picture("PNG"), "two.png"))
    assert form.is_valid()

    submissions = form.submissions()

    assert [submission.title for submission in submissions] == ["one.jpg", "two.png", "two.png"]
    paths = [submission.payload["source"] for submission in submissions]
    assert len({path.split("/")[1] for path in paths}) == 3
    assert all(storage.default_storage.exists(path) for path in paths)
    form.discard()
    assert not any(storage.default_storage.exists(path) for path in paths)


def test_what_is_wrong_with_one_of_several_files_is_told_by_its_name():
    form = form_of((picture("PNG"), "good.png"), (b"Just words", "notes.txt"), (b"", "nothing.jpg"))

    assert [str(sentence).partition(". ")[0] for sentence in form.errors["file"]] == [
        "nothing.jpg: This file is empty (0 bytes)"
    ]
    form = form_of((picture("PNG"), "good.png"), (b"Just words", "notes.txt"), (b"%PDF", "report.pdf"))
    assert [str(sentence).partition(" (")[0] for sentence in form.errors["file"]] == [
        "notes.txt: This is a text file",
        "report.pdf: This is a text file",
    ]


def test_too_many_files_get_a_clear_sentence(offload):
    offload(MEDIA_MAX_FILES=2)

    form = form_of(*[(picture("PNG"), "a.png")] * 3)

    assert form.errors["file"] == ["These are 3 files. Please send up to 2 at once."]


def test_files_that_are_too_large_together_get_a_clear_sentence(offload):
    offload(MEDIA_MAX_TOTAL_BYTES=1024)

    form = form_of(*[(picture("JPEG"), "a.jpg")] * 2)

    (sentence,) = form.errors["file"]
    assert str(sentence).endswith("together. Please send up to 1.0\xa0KB at once.")


def test_a_file_alone_may_have_what_one_file_may_have(offload):
    offload(MEDIA_MAX_TOTAL_BYTES=1024)

    assert form_of((picture("JPEG"), "a.jpg")).is_valid()


# --- Presets ---


def test_a_preset_goes_to_each_job_and_so_do_the_finer_options():
    form = form_of((picture("PNG"), "a.png"), preset="web", quality="small", width="800")
    assert form.is_valid(), form.errors

    (submission,) = form.submissions()

    form.discard()
    asked = {name: submission.payload[name] for name in ("preset", "quality", "width")}
    assert asked == {"preset": "web", "quality": "small", "width": 800}
    recipe = recipe_of(submission.payload)
    assert (recipe.quality, recipe.widths) == ("small", (800, 480))
    assert json.loads(json.dumps(submission.payload)) == submission.payload


def test_finer_options_win_over_the_preset():
    assert recipe_of({"preset": "small_video"}) == PRESETS["small_video"].recipe
    recipe = recipe_of({"preset": "small_video", "height": 360, "quality": "best"})
    assert (recipe.lines, recipe.quality) == (360, "best")


@pytest.mark.parametrize(
    ("preset", "name", "sentence"),
    [
        ("web", "sound.mp3", "“Web pictures” is for pictures, and sound.mp3 is none."),
        ("podcast", "a.png", "“Podcast audio” is for videos and sounds, and a.png is none."),
        ("small_video", "a.png", "“Small video” is for videos and sounds, and a.png is none."),
    ],
)
def test_a_file_that_a_preset_is_not_for_gets_a_clear_sentence(preset, name, sentence):
    content = recording(name) if name in SOUNDS else picture("PNG")

    form = form_of((content, name), preset=preset)

    assert form.errors["preset"] == [f"{sentence} “What suits each file” takes every file."]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"preset": "magic"}, "preset"),
        ({"quality": "11"}, "quality"),
        ({"width": "9"}, "width"),
        ({"height": "481"}, "height"),
    ],
)
def test_options_that_do_not_exist_are_refused_at_their_field(fields, name):
    form = form_of((picture("PNG"), "a.png"), **fields)

    assert list(form.errors) == [name]
    assert form.has_finer_options or name == "preset"
