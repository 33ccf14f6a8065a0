"""Sample media for the demo and the tests, drawn and synthesised here: the same bytes on every call, made in moments.

They carry what real phones put into their files (orientation, place, maker), so that its removal can be seen.
"""

import math
import struct
from array import array
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
from PIL import Image, ImageDraw
from PIL.ExifTags import GPS, IFD, Base

PLACE = "+46.5776+007.9904+2061/"
"""Where the samples say that they were made (ISO 6709): the Kleine Scheidegg."""
MAKER = "Offload Sample Works"
"""Who they say made them."""

_RATE = 48_000  # samples of sound in a second
_SKY, _SUN, _HILL, _MEADOW = (120, 180, 235), (255, 214, 90), (74, 96, 120), (86, 140, 72)


def sample_photo() -> bytes:
    """A JPEG of 2000 × 1500 pixels as stored; shown upright it is 1500 × 2000 (EXIF orientation 6). It has GPS tags."""
    upright = _landscape(1500, 2000, sun=0.3)
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif[Base.Make] = MAKER
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (46.0, 34.0, 39.4),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: (7.0, 59.0, 25.4),
        }
    )
    file = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=88, exif=exif, comment=MAKER.encode())
    return file.getvalue()


def sample_video(path: Path, seconds: int = 2) -> None:
    """Write an MP4 of 640 × 360 pixels: the sun moves over a hill while a tone sounds. It has a place tag."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update({"com.apple.quicktime.location.ISO6709": PLACE, "com.apple.quicktime.make": MAKER})
        film = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        film.width, film.height, film.pix_fmt = 640, 360, "yuv420p"
        sound = container.add_stream("aac", rate=_RATE, layout="mono")
        for number in range(25 * seconds):
            frame = av.VideoFrame.from_image(  # type: ignore[no-untyped-call]
                _landscape(640, 360, sun=number / (25 * seconds))
            )
            frame.pts = number
            container.mux(film.encode(frame))
        container.mux(film.encode())
        samples = _tone(seconds)
        for start in range(0, len(samples), 1024):
            piece = samples[start : start + 1024]
            tone = av.AudioFrame(format="s16", layout="mono", samples=len(piece))
            tone.planes[0].update(piece.tobytes().ljust(tone.planes[0].buffer_size, b"\0"))
            tone.sample_rate, tone.pts, tone.time_base = _RATE, start, Fraction(1, _RATE)
            container.mux(sound.encode(tone))
        container.mux(sound.encode())


def sample_sound(seconds: int = 3) -> bytes:
    """A WAV file (mono, 16 bit) of a chord that fades, with the maker's name in its LIST INFO chunk."""
    data = _tone(seconds).tobytes()
    maker = MAKER.encode() + b"\0" * (2 - len(MAKER) % 2)
    info = b"INFO" + b"IART" + struct.pack("<I", len(maker)) + maker
    body = b"".join(
        (
            b"WAVE",
            b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, _RATE, _RATE * 2, 2, 16),
            b"LIST" + struct.pack("<I", len(info)) + info,
            b"data" + struct.pack("<I", len(data)) + data,
        )
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _landscape(width: int, height: int, sun: float) -> Image.Image:
    """A hill under the sky. sun: where the sun stands on its way from left (0) to right (1)."""
    image = Image.new("RGB", (width, height), _SKY)
    draw = ImageDraw.Draw(image)
    radius = min(width, height) / 8
    draw.circle((width * sun, height * (0.45 - 0.3 * math.sin(math.pi * sun))), radius, _SUN)
    draw.polygon([(0, height), (width * 0.1, height * 0.6), (width * 0.45, height * 0.35), (width, height)], _HILL)
    draw.ellipse((-width * 0.3, height * 0.7, width * 1.3, height * 1.6), _MEADOW)
    return image


def _tone(seconds: int) -> "array[int]":
    """A major chord on A (440, 550, 660 Hz) that fades, as signed 16-bit samples in little-endian order."""
    count = _RATE * seconds
    # All three waves are back at their start after a tenth of a second: that much is computed, and repeated.
    period = [sum(math.sin(2 * math.pi * hertz * at / _RATE) for hertz in (440, 550, 660)) for at in range(_RATE // 10)]
    samples = array("h", (int(8000 * period[at % len(period)] * (1 - at / count)) for at in range(count)))
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        samples.byteswap()
    return samples
