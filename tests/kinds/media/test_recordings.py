"""Videos and sounds in, MP4, M4A, Opus and their pictures out."""

import io
import re
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from PIL import Image

from jobs.contract import ClaimLost
from jobs.kinds.media import bounds, formats, recordings
from jobs.kinds.media.conversion import Limits, Recipe
from jobs.kinds.media.decoding import untold
from jobs.sandbox.samples import MAKER, PLACE, sample_sound, sample_video
from tests.kinds.media.conftest import LIMITS, refused
from tests.kinds.media.making import FILMS, SECRET, SOUNDS, ffmpeg, film, grain, picture, recording

pytestmark = [pytest.mark.apart, pytest.mark.stack]

HARMLESS = {"major_brand", "minor_version", "compatible_brands", "handler_name", "language", "encoder", "vendor_id"}


def tags(source: Path | bytes) -> dict[str, str]:
    """All tags of a recording and of its streams."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as container:
        found = dict(container.metadata)
        for stream in container.streams:
            found |= stream.metadata
    return found


def assert_bare(path: Path) -> None:
    """No tag is left that says who, where or when, in words of the file's bytes or as FFmpeg reads them."""
    data = path.read_bytes()
    for word in (SECRET, MAKER, PLACE, PLACE[:8], "ISO6709", "\xa9xyz"):
        assert word.encode("latin-1") not in data, (path.name, word)
    left = tags(path)
    assert set(left) <= HARMLESS
    assert left.get("handler_name", "") in {"", "VideoHandler", "SoundHandler"}


def codecs(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def frame(path: Path) -> Image.Image:
    """The first frame of a film."""
    with av.open(str(path)) as container:
        image: Image.Image = next(container.decode(video=0)).to_image()
        return image


@pytest.mark.parametrize("name", FILMS)
def test_every_video_comes_out_as_mp4_with_a_poster_and_bare(convert, name):
    before = recording(name)
    assert SECRET in tags(before).values()

    done = convert(before)

    video, poster = done.outputs
    assert done.converted.type == "video"
    assert done.converted.source["width"] == 640
    assert done.converted.source["height"] == 360
    assert done.converted.source["seconds"] == pytest.approx(2, abs=0.1)
    assert done.notes == []
    assert (video.path.name, video.type, video.role) == ("video.mp4", "video/mp4", "video")
    assert (video.width, video.height) == (640, 360)
    assert video.seconds == pytest.approx(2, abs=0.1)
    assert codecs(video.path) == ["h264", "aac"]
    with av.open(str(video.path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    data = video.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index comes first, so that it plays while it loads"
    assert_bare(video.path)
    assert (poster.path.name, poster.type, poster.width, poster.height) == ("poster.jpg", "image/jpeg", 640, 360)
    with Image.open(poster.path) as image:
        assert image.size == (640, 360)
        assert not image.getexif()
        assert not {"comment", "exif", "icc_profile"} & set(image.info)


@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_comes_out_as_aac_and_opus_with_a_waveform_and_bare(convert, name):
    before = recording(name)
    assert SECRET in tags(before).values()

    done = convert(before)

    aac, opus, waveform = done.outputs
    assert done.converted.type == "audio"
    assert set(done.converted.source) == {"seconds"}
    assert done.converted.source["seconds"] == pytest.approx(2, abs=0.1)
    assert (aac.path.name, aac.type, codecs(aac.path)) == ("sound.m4a", "audio/mp4", ["aac"])
    assert (opus.path.name, opus.type, codecs(opus.path)) == ("sound.opus", "audio/ogg", ["opus"])
    for output in (aac, opus):
        assert output.role == "audio"
        assert output.seconds == pytest.approx(2, abs=0.1)
        assert_bare(output.path)
    assert (waveform.path.name, waveform.type, waveform.role) == ("waveform.png", "image/png", "waveform")
    with Image.open(waveform.path) as image:
        assert image.size == (waveform.width, waveform.height) == recordings.WAVEFORM
        assert len(image.getcolors() or ()) > 1, "a wave is drawn"
        assert not {"comment", "exif", "Software"} & set(image.info)


def test_the_place_and_the_maker_in_a_phone_video_are_gone(convert, tmp_path):
    path = tmp_path / "phone.mp4"
    sample_video(path)
    assert PLACE in tags(path).values()
    assert PLACE.encode() in path.read_bytes()

    done = convert(path)

    assert_bare(done.output("video.mp4").path)


def test_the_names_in_a_wav_file_are_gone(convert):
    assert tags(sample_sound())["artist"] == MAKER

    done = convert(sample_sound())

    for name in ("sound.m4a", "sound.opus"):
        assert_bare(done.output(name).path)


def test_chapters_subtitles_and_cover_pictures_are_gone(convert, tmp_path):
    cover, chapters, words = tmp_path / "cover.jpg", tmp_path / "chapters.txt", tmp_path / "words.srt"
    cover.write_bytes(picture("JPEG"))
    chapters.write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle={SECRET}\n")
    words.write_text(f"1\n00:00:00,000 --> 00:00:01,000\n{SECRET}\n")
    path = film(tmp_path / "plain.mkv", "-c:a", "aac")
    rich = tmp_path / "rich.mkv"
    ffmpeg("-i", path, "-i", words, "-i", chapters, "-map", "0", "-map", "1", "-map_metadata", "2", "-c", "copy", rich)
    assert SECRET.encode() in rich.read_bytes()

    done = convert(rich)

    assert codecs(done.output("video.mp4").path) == ["h264", "aac"]
    assert_bare(done.output("video.mp4").path)


def test_a_song_with_a_cover_picture_is_a_sound(convert, tmp_path):
    cover, song, rich = tmp_path / "cover.jpg", tmp_path / "song.mp3", tmp_path / "rich.mp3"
    cover.write_bytes(picture("JPEG"))
    song.write_bytes(recording("sound.mp3"))
    ffmpeg("-i", song, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic", rich)

    done = convert(rich)

    assert done.converted.type == "audio"
    assert SECRET.encode() not in done.output("sound.m4a").path.read_bytes()


def test_a_webm_file_without_pictures_is_a_sound(convert, tmp_path):
    path = film(tmp_path / "voice.webm", "-map", "1:a", "-c:a", "libopus")

    assert convert(path).converted.type == "audio"


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ("1920x1080", (1280, 720)),
        ("1080x1920", (720, 1280)),
        ("1440x1080", (960, 720)),
        ("2560x600", (1280, 300)),
        ("321x181", (320, 180)),
        ("160x90", (160, 90)),
    ],
)
def test_a_video_fits_720p_has_even_sides_and_is_never_enlarged(convert, tmp_path, size, fitted):
    path = film(tmp_path / "a.mkv", "-c:v", "ffv1", size=size, seconds=0.2, sound=False)

    done = convert(path)

    assert (done.outputs[0].width, done.outputs[0].height) == fitted
    assert frame(done.outputs[0].path).size == fitted
    assert done.notes == ["The video has no sound."]


def test_a_video_that_lies_on_its_side_is_turned_upright(convert, tmp_path):
    lying, turned = film(tmp_path / "lying.mp4", size="640x360"), tmp_path / "turned.mov"
    ffmpeg("-display_rotation", "90", "-i", lying, "-c", "copy", turned)

    done = convert(turned)

    assert (done.converted.source["width"], done.converted.source["height"]) == (360, 640)
    assert (done.outputs[0].width, done.outputs[0].height) == (360, 640)
    upright = frame(lying).transpose(Image.Transpose.ROTATE_90).resize((36, 64))
    difference = [
        abs(a - b)
        for a, b in zip(upright.tobytes(), frame(done.outputs[0].path).resize((36, 64)).tobytes(), strict=True)
    ]
    assert sum(difference) / len(difference) < 12
    with av.open(str(done.outputs[0].path)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_pixels_that_are_not_square_are_made_square(convert, tmp_path):
    path = film(tmp_path / "wide.mp4", "-vf", "setsar=2", size="320x360", seconds=0.2)

    done = convert(path)

    assert (done.outputs[0].width, done.outputs[0].height) == (640, 360)


def test_a_film_in_high_dynamic_range_is_mapped_to_the_usual_range(convert, tmp_path):
    arguments = ("-vf", "format=yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params")
    colours = "log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
    path = film(tmp_path / "hdr.mp4", *arguments, colours, "-tag:v", "hvc1", seconds=0.2)
    assert recordings.probe(path, "mov", tmp_path, LIMITS).high_dynamic_range

    done = convert(path)

    with av.open(str(done.outputs[0].path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.pix_fmt, context.color_trc) == ("yuv420p", 1)


def test_surround_sound_becomes_stereo(convert, tmp_path):
    path = tmp_path / "surround.flac"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5", "-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0", path)

    done = convert(path)

    for name in ("sound.m4a", "sound.opus"):
        with av.open(str(done.output(name).path)) as container:
            assert container.streams.audio[0].codec_context.channels == 2


def test_progress_counts_the_seconds_that_are_done(convert, tmp_path):
    path = film(tmp_path / "long.mp4", "-preset", "ultrafast", size="1280x720", seconds=12)

    done = convert(path)

    assert done.progress == sorted(done.progress)
    assert done.progress[0] == 0
    assert done.progress[-1] == 100
    assert len(set(done.progress)) > 4
    assert (done.said[0], done.said[-1]) == ("Looking at the file", "Written")
    assert all(re.fullmatch(r"0:\d\d of 0:12 converted", words) for words in done.said[1:-1])


def test_a_file_that_does_not_tell_its_length_is_converted(convert, tmp_path):
    path = tmp_path / "live.webm"
    film(path, "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-live", "1", "-f", "webm")
    assert recordings.probe(path, "matroska", tmp_path, LIMITS).seconds == 0

    done = convert(path)

    assert done.converted.source["seconds"] == pytest.approx(1, abs=0.1)
    assert {words for words in done.said if "converted" in words} <= {"0:00 converted", "0:01 converted"}


@pytest.mark.parametrize("arguments", [(), ("-live", "1")], ids=["says so", "does not tell"])
def test_a_recording_that_is_too_long_gets_a_clear_sentence(convert, tmp_path, arguments):
    path = film(tmp_path / "long.webm", "-map", "1:a", "-c:a", "libopus", *arguments, seconds=70)

    with refused(r"longer than 1:05\. Please cut it") as failure:
        convert(path, Limits(LIMITS.pixels, 65, LIMITS.memory))

    assert failure.value.code == "too_long"


def test_a_video_with_too_many_pixels_gets_a_clear_sentence(convert):
    with refused(re.escape("more than 0.1 million pixels")) as failure:
        convert(recording("film.mp4"), Limits(100_000, LIMITS.seconds, LIMITS.memory))

    assert failure.value.code == "too_many_pixels"


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "sound.m4a"])
def test_a_file_whose_end_with_the_index_is_missing_gets_a_clear_sentence(convert, name):
    data = recording(name)
    assert data.index(b"moov") > data.index(b"mdat")

    with refused(r"damaged or incomplete\. Please send it again") as failure:
        convert(data[: len(data) // 2])

    assert failure.value.code == "damaged"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cut.mp4", ("-movflags", "+faststart")),
        ("cut.mkv", ()),
        ("cut.flac", ("-map", "1:a")),
    ],
)
def test_a_recording_that_ends_too_early_gets_a_clear_sentence(convert, tmp_path, name, arguments):
    data = film(tmp_path / name, *arguments, seconds=6).read_bytes()

    with refused(r"plays for 0:06, but it ends after 0:0\d\. .* send the whole file") as failure:
        convert(data[: len(data) // 3])

    assert failure.value.code == "cut_off"


def test_a_wav_file_whose_end_is_missing_gets_a_clear_sentence(convert):
    with refused(r"The end of the sound is missing\. Please send the whole file") as failure:
        convert(sample_sound()[:-50_000])

    assert failure.value.code == "cut_off"


def test_a_wav_file_written_into_a_pipe_is_converted(convert):
    data = bytearray(sample_sound())
    data[4:8] = b"\xff\xff\xff\xff"

    assert convert(bytes(data)).converted.source == {"seconds": 3.0}


@pytest.mark.parametrize(
    "head", [b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"\x1a\x45\xdf\xa3" + b"\0" * 60, b"OggS", b"fLaC"]
)
def test_a_head_without_a_body_gets_a_clear_sentence(convert, head):
    with refused("damaged or incomplete"):
        convert(head)


def test_a_file_with_nothing_to_play_gets_a_clear_sentence(convert, tmp_path):
    words, path = tmp_path / "words.srt", tmp_path / "words.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    ffmpeg("-i", words, path)

    with refused("neither video nor sound") as failure:
        convert(path)

    assert failure.value.code == "nothing_to_play"


@pytest.mark.parametrize("reader", ["mov", "matroska", "mp3", "wav", "flac", "ogg"])
@pytest.mark.parametrize("playlist", ["ffconcat version 1.0\nfile {}\n", "#EXTM3U\n#EXTINF:1,\nfile://{}\n"])
def test_no_reader_follows_a_playlist_to_another_file(tmp_path, reader, playlist):
    other = film(tmp_path / "other.mp4", seconds=0.2)
    path = tmp_path / "source"
    path.write_text(playlist.format(other))
    outputs = tmp_path / "outputs"
    outputs.mkdir()

    with refused(r"damaged or incomplete|neither video nor sound"):
        recordings.convert(path, formats.Format("", reader), outputs, LIMITS, untold)

    assert not any(file.stat().st_size for file in outputs.iterdir())


def test_ffmpeg_ends_when_its_attempt_is_given_up(tmp_path):
    path = film(tmp_path / "long.mp4", "-preset", "ultrafast", size="1280x720", seconds=12)

    def give_up(percent: float, say: str = "", /, **values: Any) -> None:
        if percent > 0:
            raise ClaimLost

    with pytest.raises(ClaimLost):
        recordings.convert(path, formats.MP4, tmp_path, LIMITS, give_up)

    assert not [child for child in psutil.Process().children() if "ffmpeg" in child.name()]


def test_what_is_made_of_a_small_film_is_compressed_more_and_not_shortened(convert, tmp_path):
    path = grain(tmp_path / "grain.mp4", seconds=12)
    conversion = convert(path)
    made = conversion.output("video.mp4")
    assert made.bytes <= bounds.SMALLEST + bounds.FACTOR * path.stat().st_size
    assert made.seconds == 12
    assert conversion.notes[-1].startswith("Compressed more than usual")
    assert "Converted once more, into fewer bytes" in conversion.said


def test_what_is_made_of_a_small_sound_is_compressed_more_and_not_shortened(convert, tmp_path):
    path = tmp_path / "noise.ogg"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=30", "-c:a", "libopus", "-b:a", "6k", path)
    conversion = convert(path)
    sounds = [output for output in conversion.outputs if output.role == "audio"]
    assert sum(sound.bytes for sound in sounds) <= bounds.SMALLEST + bounds.FACTOR * path.stat().st_size
    assert [round(sound.seconds or 0) for sound in sounds] == [30, 30]
    assert conversion.notes[-1].startswith("Compressed more than usual")


def test_a_second_run_shares_what_is_allowed_between_pictures_and_sound() -> None:
    first = recordings.rates_of(Recipe())
    film, sound = first.lowered(100_000, has_video=True), first.lowered(64_000, has_video=False)
    assert (film.film, film.aac, film.crf) == (75_000, 25_000, None)
    assert (sound.aac, sound.other) == (40_000, 24_000)
