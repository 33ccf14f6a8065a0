"""The sample media are what they say."""

import io

import av
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from jobs.sandbox.samples import MAKER, PLACE, sample_photo, sample_sound, sample_video

pytestmark = pytest.mark.apart


def test_the_sample_photo_lies_on_its_side_and_knows_its_place():
    with Image.open(io.BytesIO(sample_photo())) as photo:
        assert photo.format == "JPEG"
        assert photo.size == (2000, 1500)
        assert photo.getexif()[Base.Orientation] == 6
        assert photo.getexif()[Base.Make] == MAKER
        assert photo.getexif().get_ifd(IFD.GPSInfo)
        photo.load()


def test_the_sample_video_has_pictures_a_tone_and_its_place(tmp_path):
    path = tmp_path / "sample.mp4"
    sample_video(path)

    with av.open(str(path)) as container:
        assert container.metadata["com.apple.quicktime.location.ISO6709"] == PLACE
        assert container.duration == pytest.approx(2 * av.time_base, rel=0.05)
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(1 for _ in container.decode(video=0)) == 50


def test_the_sample_sound_has_a_maker():
    with av.open(io.BytesIO(sample_sound()), "r") as container:
        assert container.metadata == {"artist": MAKER}
        assert container.duration == 3 * av.time_base
        assert max(
            abs(sample) for frame in container.decode(audio=0) for sample in memoryview(frame.planes[0]).cast("h")
        )


def test_the_samples_are_the_same_on_every_call(tmp_path):
    sample_video(tmp_path / "one.mp4")
    sample_video(tmp_path / "two.mp4")

    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert sample_photo() == sample_photo()
    assert sample_sound() == sample_sound()
