"""Real media files of every format that the kind takes, with the metadata that such files carry in the wild."""

import struct
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


def grain(target: Path, seconds: float) -> Path:
    """A film of 640 × 360 pixels and few kilobytes: its decoder draws grain on it that is in no byte of the file."""
    frames = f"color=gray:size=640x360:rate=10:duration={seconds}"
    codec = ("-c:v", "libaom-av1", "-cpu-used", "8", "-row-mt", "1", "-g", "999", "-crf", "60")
    ffmpeg("-f", "lavfi", "-i", frames, *codec, "-aom-params", "film-grain-test=2", target)
    return target


def speckled(side: int) -> Image.Image:
    """A square of noise that repeats every 8 lines: few bytes as a PNG, many as a JPEG."""
    tile = Image.effect_noise((64, 8), 120)
    image = Image.new("L", (side, side))
    for top in range(0, side, 8):
        for left in range(0, side, 64):
            image.paste(tile, (left, top))
    return image


# --- Files whose parts tell different sizes --------------------------------------------------------------------------


def saying(content: bytes, size: tuple[int, int]) -> bytes:
    """An AVIF or HEIC that says it has this size: in `ispe` boxes (ISO/IEC 23008-12), and in those of its track."""
    told = bytearray(content)
    for name, offset, packed in (
        (b"ispe", 8, struct.pack(">II", *size)),
        (b"tkhd", 80, struct.pack(">II", size[0] << 16, size[1] << 16)),
        (b"stsd", 44, struct.pack(">HH", *size)),
    ):
        at = -1
        while (at := told.find(name, at + 1)) >= 0:
            offset += 12 * (name == b"tkhd" and told[at + 4] == 1)  # its times have 64 bits then
            told[at + offset : at + offset + len(packed)] = packed
    return bytes(told)


def tiled(tile: tuple[int, int], size: tuple[int, int], told: tuple[int, int] | None = None) -> bytes:
    """An AVIF of 2 × 2 tiles that are cut to `size`, as large pictures are. told: their size as the file says it."""

    def box(name: bytes, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return struct.pack(">I", 8 + len(content)) + name + content

    def content(name: bytes) -> bytes:
        at = one.index(name)
        return one[at + 4 : at - 4 + int.from_bytes(one[at - 4 : at])]

    def ispe(width: int, height: int) -> bytes:
        return box(b"ispe", struct.pack(">III", 0, width, height))

    bare = BytesIO()
    drawing(tile).save(bare, "AVIF")
    one = bare.getvalue()
    data, numbers = content(b"mdat"), range(1, 5)
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, *size)
    items = [struct.pack(">IHH4sx", 2 << 24, number, 0, b"av01" if number < 5 else b"grid") for number in (*numbers, 5)]
    codec = box(b"av1C", content(b"av1C"))
    properties = box(b"ipco", ispe(*(told or tile)), ispe(*size), box(b"pixi", b"\0\0\0\0\3\x08\x08\x08"), codec)
    of_items = [*(struct.pack(">HBBBB", number, 3, 1, 3, 0x84) for number in numbers), struct.pack(">HBBB", 5, 2, 2, 3)]

    def meta(start: int) -> bytes:
        places = [(number, start + len(grid), len(data)) for number in numbers] + [(5, start, len(grid))]
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", struct.pack(">IH", 0, 5)),
            box(
                b"iloc", struct.pack(">IHH", 0, 0x4400, 5), *(struct.pack(">HHHII", i, 0, 1, *at) for i, *at in places)
            ),
            box(b"iinf", struct.pack(">IH", 0, 5), *(box(b"infe", item) for item in items)),
            box(b"iref", bytes(4), box(b"dimg", struct.pack(">HH4H", 5, 4, *numbers))),
            box(b"iprp", properties, box(b"ipma", struct.pack(">II", 0, 5), *of_items)),
        )

    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miafMA1B")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", grid, data)
