"""Pictures of accounts: fetched once, re-encoded small, so that nothing of what a server sent reaches a browser."""

import io

from PIL import Image, ImageOps

from ...contract import JobError
from . import http

SIZE = 96
"""Pixels of an avatar's longer side, twice what pages show."""
MAX_PIXELS = 4096 * 4096


def fetch(url: object, who: str) -> bytes | None:
    """The picture at a URL as a small PNG, None if there is none. An account is no worse for lacking one."""
    if not isinstance(url, str) or not http.is_web_address(url):
        return None
    try:
        answer = http.request("GET", url, who)
    except JobError:
        return None
    return shrink(answer.body) if answer.ok else None


def shrink(data: bytes) -> bytes | None:
    """A picture re-encoded as a PNG of at most SIZE × SIZE, None if the bytes are no picture."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP", "AVIF"]) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            small = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        # What Pillow raises for bytes that are no picture, or only the beginning of one.
        return None
    small.thumbnail((SIZE, SIZE))
    out = io.BytesIO()
    small.save(out, "PNG")
    return out.getvalue()
