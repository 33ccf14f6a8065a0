"""The worst files, each converted in a process of its own: what its owner is told, and how much memory it took."""

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from jobs.conf import options
from tests.kinds.media.making import film
from tests.processes import ROOT

pytestmark = [pytest.mark.apart, pytest.mark.stack]

CODE = """
import sys, django; django.setup()
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from jobs.contract import Failed, options
from jobs.kinds.media import formats, pictures, recordings
from jobs.kinds.media.conversion import Limits
from jobs.kinds.media.operations import Rotate
source, outputs, encoder = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
found = formats.recognise(source.read_bytes()[:formats.HEAD_BYTES])
limits = Limits(options.MEDIA_MAX_PIXELS, options.MEDIA_MAX_SECONDS, options.MEDIA_MAX_MEMORY)
try:
    if encoder:
        turned = outputs / "edited.png"
        pictures.edit(source, found, turned, limits, Rotate(90).apply)
        pictures.convert(turned, formats.PNG, outputs, limits, lambda percent, text: None, encoder=encoder)
    else:
        work = pictures if found.is_picture else recordings
        work.convert(source, found, outputs, limits, lambda percent, text: None)
    print("converted")
except Failed as failure:
    print(failure.code)
# Of the process itself, since it became a program of its own; getrusage counts what its parent had, too.
own = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(max(own, getrusage(RUSAGE_CHILDREN).ru_maxrss) * 1024)
"""
MEBIBYTE = 1024**2


def outcome(source: Path, outputs: Path, encoder: str = "") -> tuple[str, float]:
    """How the conversion ended, and the most memory that it or ffmpeg took, in MiB.

    encoder: the picture is turned first, and converted to this format alone, at its size.
    """
    outputs.mkdir()
    command = [sys.executable, "-c", CODE, str(source), str(outputs), encoder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code, peak = done.stdout.split()
    return code, int(peak) / MEBIBYTE


def png_bomb(width: int, height: int) -> bytes:
    """A black PNG of a few hundred kilobytes, written row by row."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    pack = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp_bomb() -> bytes:
    """The head of an animation on the largest canvas that WebP has, with a picture of one pixel on it."""
    file = BytesIO()
    frames = [Image.new("RGB", (1, 1), colour) for colour in ("red", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    data = bytearray(file.getvalue())
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (16382).to_bytes(3, "little") * 2
    return bytes(data)


def gif_bomb() -> bytes:
    file = BytesIO()
    Image.new("P", (1, 1)).save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", 65535, 65535)
    return bytes(data)


@pytest.mark.parametrize(
    ("bomb", "args"), [(png_bomb, (12_000, 12_000)), (png_bomb, (7000, 7000)), (webp_bomb, ()), (gif_bomb, ())]
)
def test_a_pixel_bomb_is_refused_within_512_mb(tmp_path, bomb, args):
    source = tmp_path / "source"
    source.write_bytes(bomb(*args))

    code, peak = outcome(source, tmp_path / "outputs")

    assert code == "too_many_pixels"
    assert peak < 512


@pytest.mark.parametrize("name", ["PNG", "WEBP", "JPEG", "AVIF"])
def test_the_largest_picture_allowed_is_converted_within_half_the_memory_of_a_job(tmp_path, name):
    mode = "RGB" if name == "JPEG" else "RGBA"
    quickly = {"WEBP": {"method": 0}, "AVIF": {"speed": 10}}.get(name, {})
    Image.new(mode, (8000, 5000)).save(tmp_path / "source", name, **quickly)

    code, peak = outcome(tmp_path / "source", tmp_path / "outputs")

    assert code == "converted"
    assert peak < options.MEDIA_MAX_MEMORY / MEBIBYTE / 2


@pytest.mark.parametrize("encoder", ["AVIF", "WEBP", "JPEG"])
def test_the_largest_picture_allowed_is_edited_within_the_memory_of_a_job(tmp_path, encoder):
    Image.new("RGBA", (8000, 5000)).save(tmp_path / "source", "PNG")

    code, peak = outcome(tmp_path / "source", tmp_path / "outputs", encoder)

    assert code == "converted"
    assert peak < options.MEDIA_MAX_MEMORY / MEBIBYTE


def test_a_4k_film_is_converted_within_the_memory_of_a_job(tmp_path):
    source = film(tmp_path / "4k.mp4", "-preset", "ultrafast", size="3840x2160", seconds=0.4)

    code, peak = outcome(source, tmp_path / "outputs")

    assert code == "converted"
    assert peak < options.MEDIA_MAX_MEMORY / MEBIBYTE
