"""How many bytes a conversion may leave: bounded by what was sent, and by what was asked for."""

from typing import Any

from django.template.defaultfilters import filesizeformat

from ...contract import Failed, Sentence
from .conversion import Quality, Recipe

SMALLEST = 256 * 1024
"""Bytes that are always allowed: a short sound, or a drawing in all formats, is larger than what was sent."""
FACTOR = 20
"""Beyond those, what is made may have so many times the bytes of what was sent: AV1, the densest that people send,
becomes several times as large in formats that every browser shows."""

PICTURE_BYTES = 2
"""For each pixel of each version: more than noise takes in the best quality."""
FRAME_BITS = 16
"""Bits of a film in balanced quality for each second and each line by each line: 8 Mbit/s at 720 lines, where YouTube
asks for 7.5 at 60 frames a second. https://support.google.com/youtube/answer/1722171"""
_SHARE = {Quality.SMALL: 0.5, Quality.BALANCED: 1, Quality.BEST: 2}


def film_bits(recipe: Recipe) -> int:
    """The most bits that a second of a film's pictures takes."""
    return round(FRAME_BITS * recipe.lines**2 * _SHARE[recipe.quality])


def allowed(source_bytes: int, right: float) -> int:
    """How many bytes all that is made may have together. right: what is right for its sort, size and length."""
    return SMALLEST + round(min(right, FACTOR * source_bytes))


def compressed(allowed: int) -> dict[str, Any]:
    """The note for whoever gets less quality than was asked for."""
    return Sentence("compressed_more", limit=filesizeformat(allowed)).as_data()


def too_large(allowed: int) -> Failed:
    """What is raised if the lowest quality takes more."""
    return Failed("too_many_bytes", limit=filesizeformat(allowed), can_retry=False)
