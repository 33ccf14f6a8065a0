"""Which files the media kind takes, told by their first bytes: their names and declared types count for nothing."""

from codecs import getincrementaldecoder
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

HEAD_BYTES = 4096
"""How much of a file `recognise` wants to see."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    label: what people call it. reader: the one reader that may open it: the name of a Pillow plugin for pictures, of an
    FFmpeg demuxer for recordings (video and sound).
    """

    label: str
    reader: str
    is_picture: bool = False


JPEG = Format("JPEG", "JPEG", is_picture=True)
PNG = Format("PNG", "PNG", is_picture=True)
WEBP = Format("WebP", "WEBP", is_picture=True)
AVIF = Format("AVIF", "AVIF", is_picture=True)
GIF = Format("GIF", "GIF", is_picture=True)
HEIC = Format("HEIC", "HEIF", is_picture=True)
MP4 = Format("MP4", "mov")
MOV = Format("QuickTime", "mov")
M4A = Format("M4A", "mov")
WEBM = Format("WebM", "matroska")
MKV = Format("Matroska", "matroska")
MP3 = Format("MP3", "mp3")
WAV = Format("WAV", "wav")
FLAC = Format("FLAC", "flac")
OGG = Format("Ogg", "ogg")

ACCEPTED = gettext_lazy(
    "a picture (JPEG, PNG, WebP, AVIF, GIF or HEIC), a video (MP4, MOV, WebM or MKV) "
    "or a sound (MP3, WAV, FLAC, Ogg or M4A)"
)
"""All of them in words."""

# Brands of the "ftyp" box, https://mp4ra.org/registered-types/brands
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_SOUND_BRANDS = {b"M4A ", b"M4B "}
# What a QuickTime file without "ftyp" starts with.
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def recognise(head: bytes) -> Format | None:
    """The format of a file that starts with `head` (up to HEAD_BYTES of it), or None if it is not one of ours."""
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith((b"RIFF", b"RF64")):
        return {b"WEBP": WEBP, b"WAVE": WAV}.get(head[8:12])
    if head.startswith(b"fLaC"):
        return FLAC
    if head.startswith(b"OggS"):
        return OGG
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM if b"webm" in head[:64] else MKV
    if head.startswith(b"ID3") or _is_mp3_frame(head):
        return MP3
    return _recognise_boxes(head)


def is_text(head: bytes) -> bool:
    """Whether a file that starts so is text: a document (SVG, HTML) or a playlist that names other files."""
    try:
        # Incremental, since the head may end within a character.
        return "\0" not in getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False


def _recognise_boxes(head: bytes) -> Format | None:
    """ISO base media files (MP4 and its many relatives) and QuickTime, their ancestor."""
    if head[4:8] in _QUICKTIME_BOXES:
        return MOV
    if head[4:8] != b"ftyp":
        return None
    size = int.from_bytes(head[:4])
    major = head[8:12]
    # Box: size, "ftyp", major brand, minor version, then the compatible brands, four bytes each.
    brands = {major, *(head[at : at + 4] for at in range(16, min(size, len(head)), 4))}
    if brands & _AVIF_BRANDS:
        return AVIF
    if brands & _HEIC_BRANDS and major not in {b"isom", b"mp41", b"mp42", b"qt  "}:
        return HEIC
    if major == b"qt  ":
        return MOV
    return M4A if major in _SOUND_BRANDS else MP4


def _is_mp3_frame(head: bytes) -> bool:
    """Whether an MPEG audio frame of layer III starts here, http://www.mp3-tech.org/programmer/frame_header.html"""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3
