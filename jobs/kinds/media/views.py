"""Handing a job's files to its owner, whole or in parts."""

import re
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from jobs.contract import jobs_of

SAFE_TYPES = {"image/avif", "image/webp", "image/jpeg", "image/png", "video/mp4", "audio/mp4", "audio/ogg"}
"""What browsers only show or play, and never run."""


class Part:
    """A readable stretch of an open file: `length` bytes from `start`. Closing it closes the file."""

    def __init__(self, file: "File[bytes]", start: int, length: int) -> None:
        self._file = file
        self._left = length
        file.seek(start)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size` of them; b"" at the end."""
        data: bytes = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file underneath."""
        self._file.close()


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """The first and last byte that a Range header asks for, of a file of `size` bytes.

    None: the header is to be ignored (it has another unit, another syntax, or more than one range) and the whole file
    sent. Raises ValueError if no byte of the file lies in the range. https://www.rfc-editor.org/rfc/rfc9110#section-14
    """
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip(), re.ASCII | re.IGNORECASE)
    if match is None or match[0].endswith("=-"):
        return None
    if not match[1]:  # the last so many bytes
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first > last:
        raise ValueError("No byte of the file lies in this range.")
    return first, last


@require_safe
def file(request: HttpRequest, job: UUID, name: str) -> HttpResponseBase:
    """One file of a job's result, to the job's owner alone; as a download with `?download=1`."""
    owned = get_object_or_404(jobs_of(request), pk=job, kind="media", result__isnull=False)
    entry = next((entry for entry in (owned.result or {})["files"] if entry["name"] == name), None)
    if entry is None or entry["type"] not in SAFE_TYPES:
        raise Http404("The job made no such file.")
    # An attempt writes its files once, so the number of the attempt that succeeded is their version.
    etag = f'"{owned.attempt}"'
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        response = _content(request, entry, etag, f"{PurePath(owned.title).stem}-{name}")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _content(request: HttpRequest, entry: dict[str, Any], etag: str, filename: str) -> HttpResponseBase:
    """The bytes that the request asks for: all of them, one range, or none because the range lies behind the end."""
    try:
        stored = default_storage.open(entry["path"])
    except FileNotFoundError:
        raise Http404("The file is not there any more.") from None
    size = stored.size
    wanted = None
    if request.method == "GET" and request.headers.get("If-Range", etag) == etag:
        try:
            wanted = byte_range(request.headers.get("Range", ""), size)
        except ValueError:
            stored.close()
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    first, last = wanted or (0, size - 1)
    response = FileResponse(
        Part(stored, first, last - first + 1),
        status=206 if wanted else 200,
        content_type=entry["type"],
        as_attachment=request.GET.get("download") == "1",
        filename=filename,
    )
    response.block_size = 1 << 16
    response["Content-Length"] = last - first + 1
    response["Accept-Ranges"] = "bytes"
    if wanted:
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    return response
