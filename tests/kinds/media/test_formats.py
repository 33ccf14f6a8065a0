"""Recognising files by content."""

import pytest

from jobs.kinds.media import formats
from tests.kinds.media.making import FILMS, PICTURES, SOUNDS, film, picture, recording

pytestmark = pytest.mark.apart


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_recognised(name):
    found = formats.recognise(picture(name)[: formats.HEAD_BYTES])

    assert found is not None
    assert found.is_picture
    assert found.reader == name


@pytest.mark.parametrize(
    ("name", "label", "reader"),
    [
        ("film.mp4", "MP4", "mov"),
        ("film.mov", "QuickTime", "mov"),
        ("film.webm", "WebM", "matroska"),
        ("film.mkv", "Matroska", "matroska"),
        ("sound.mp3", "MP3", "mp3"),
        ("sound.wav", "WAV", "wav"),
        ("sound.flac", "FLAC", "flac"),
        ("sound.vorbis.ogg", "Ogg", "ogg"),
        ("sound.opus.ogg", "Ogg", "ogg"),
        ("sound.m4a", "M4A", "mov"),
    ],
)
def test_every_recording_is_recognised(name, label, reader):
    assert name in {**FILMS, **SOUNDS}

    assert formats.recognise(recording(name)[: formats.HEAD_BYTES]) == formats.Format(label, reader)


def test_an_mp3_without_an_id3_tag_is_recognised(tmp_path):
    path = film(tmp_path / "a.mp3", "-map", "1:a", "-id3v2_version", "0", "-write_id3v2", "0", "-write_xing", "0")

    assert not path.read_bytes().startswith(b"ID3")
    assert formats.recognise(path.read_bytes()[: formats.HEAD_BYTES]) is formats.MP3


@pytest.mark.parametrize(
    "head",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n",
        "\ufeffHello".encode(),
        b"Hello",
    ],
)
def test_text_is_recognised_as_text_and_never_as_media(head):
    assert formats.recognise(head) is None
    assert formats.is_text(head)


@pytest.mark.parametrize(
    "head",
    [
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"\x7fELF\x02\x01\x01\0",
        b"BM\x36\0\0\0",
        b"RIFF\0\0\0\0AVI LIST",
        b"\xff\xf1\x50\x80",  # raw AAC
        b"\xff\xff\xff\xff",
        b"\xff",
        b"",
        b"\0\0\0",
    ],
)
def test_other_files_are_not_recognised(head):
    assert formats.recognise(head) is None
