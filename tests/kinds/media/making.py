"""Real media files of every format that the kind takes, with the metadata that such files carry in the wild."""

import subprocess
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from jobs.sandbox.samples import PLACE, sample_sound, sample_video
from tests.environment import VAR

pillow_heif.register_heif_opener()

SECRET = "Ann Secretary"
"""In the metadata of every file made here: it must be in no file that comes out."""
PICTURES = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "HEIF")
FILMS = {
    "film.mp4": ("-c:v", "libx264", "-c:a", "aac"),
    "film.mov": ("-c:v", "libx264", "-c:a", "pcm_s16le"),
    "film.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "film.mkv": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-c:a", "flac"),
}
SOUNDS = {
    "sound.mp3": ("-c:a", "libmp3lame"),
    "sound.wav": ("-c:a", "pcm_s24le"),
    "sound.flac": ("-c:a", "flac"),
    "sound.vorbis.ogg": ("-c:a", "libvorbis"),
    "sound.opus.ogg": ("-c:a", "libopus"),
    "sound.m4a": ("-c:a", "aac"),
}


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg, fail with what it says."""
    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def drawing(size: tuple[int, int] = (600, 400), mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right; with an alpha channel it is transparent in its lower half."""
    image = Image.new("RGB", size, (200, 30, 30))
    image.paste((30, 30, 200), (size[0] // 2, 0, *size))
    if mode in ("RGBA", "LA"):
        alpha = Image.new("L", size, 255)
        alpha.paste(0, (0, size[1] // 2, *size))
        image.putalpha(alpha)
    return image.convert(mode)


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF data with a name and a place."""
    data = Image.Exif()
    data[Base.Orientation] = orientation
    data[Base.Artist] = SECRET
    data.get_ifd(IFD.GPSInfo).update({GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (46.0, 34.0, 39.4)})
    return data


def picture(format: str, image: Image.Image | None = None, orientation: int = 1, **options: Any) -> bytes:
    """A picture in one of Pillow's formats, with metadata wherever the format has room for it."""
    file = BytesIO()
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
    comment = {"comment": SECRET.encode()} if format in ("JPEG", "GIF") else {"xmp": xmp}
    (image or drawing()).save(file, format, exif=exif(orientation), **(comment | options))
    return file.getvalue()


@cache
def recording(name: str) -> bytes:
    """A film (640 × 360) or a sound of two seconds, one of FILMS or SOUNDS, with a name and a place in its metadata."""
    folder = VAR / "made"
    folder.mkdir(exist_ok=True)
    film, sound = folder / "source.mp4", folder / "source.wav"
    if not film.exists():
        sample_video(film)
        sound.write_bytes(sample_sound(2))
    target = folder / name
    tags = ("-metadata", f"artist={SECRET}", "-metadata", f"title={SECRET}", "-metadata", f"location={PLACE}")
    if name in FILMS:
        ffmpeg("-i", film, *FILMS[name], "-metadata:s:v", f"handler_name={SECRET}", *tags, target)
    else:
        ffmpeg("-i", sound, *SOUNDS[name], *tags, target)
    return target.read_bytes()


def film(target: Path, *arguments: str, size: str = "640x360", seconds: float = 1, sound: bool = True) -> Path:
    """A film of a test pattern, made as ffmpeg's `arguments` say."""
    tone = ("-f", "lavfi", "-i", f"sine=duration={seconds}") if sound else ()
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}", *tone, *arguments, target)
    return target
