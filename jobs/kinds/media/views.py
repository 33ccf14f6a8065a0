"""The pages of a person's files, and handing what jobs made of them to their owner, whole or in parts."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from ...contract import Job, jobs_of
from . import files
from .models import MediaFile, Version

PAGE = 24
"""Files, or versions of one, on one page."""
LINE = 10
"""Edits in line whose cards are shown."""

KINDS = ("media", "edit")
SAFE_TYPES = {
    "image/avif",
    "image/webp",
    "image/jpeg",
    "image/png",
    "video/mp4",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
}
"""What browsers only show or play, and never run."""


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def listing(request: HttpRequest) -> HttpResponse:
    """My files, newest first."""
    mine = MediaFile.objects.filter(owner=request.user.pk).annotate(edits=Count("versions") - 1).order_by("-pk")
    page = Paginator(mine, PAGE).get_page(request.GET.get("page"))
    current = {version.file_id: version for version in Version.objects.newest().filter(file__in=list(page))}
    shown = [(file, current[file.pk]) for file in page if file.pk in current]
    return render(request, "media/files.html", {"page": page, "files": shown})


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One of my files: its current version, the edits that are in line, and its history, newest first."""
    mine = get_object_or_404(MediaFile, owner=request.user.pk, pk=pk)
    jobs = jobs_of(request).filter(resource=mine.resource)
    line = list((jobs.unfinished() | jobs.holding()).order_by("position")[: LINE + 1])
    context = {
        "file": mine,
        "current": mine.current,
        "page": Paginator(mine.versions.order_by("-number"), PAGE).get_page(request.GET.get("page")),
        "line": line[:LINE],
        "more": len(line) > LINE,
    }
    return render(request, "media/file.html", context)


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
    owned = get_object_or_404(jobs_of(request), pk=job, kind__in=KINDS, result__isnull=False)
    result = owned.result or {}
    entry = next((entry for entry in result["files"] if entry["name"] == name), None)
    if entry is None or entry["type"] not in SAFE_TYPES:
        raise Http404("The job made no such file.")
    # An attempt writes its files once, so the number of the attempt that succeeded is their version.
    etag = f'"{owned.attempt}"'
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        response = _content(request, entry, etag, files.download_name(result["name"], name))
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
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


@require_safe
def zip_of_job(request: HttpRequest, job: UUID) -> StreamingHttpResponse:
    """All files that a job made, as one."""
    owned = get_object_or_404(jobs_of(request), pk=job, kind__in=KINDS, result__isnull=False)
    result = owned.result or {}
    entries = ((files.download_name(result["name"], entry["name"]), entry["path"]) for entry in result["files"])
    return _zip(entries, files.web_name(result["name"]))


@require_safe
def zip_of_submit(request: HttpRequest, submit: UUID) -> HttpResponseBase:
    """All files that the jobs of one submit have made so far, as one, with a folder for each job."""
    jobs = jobs_of(request).filter(submit=submit, kind__in=KINDS)
    done = list(jobs.filter(result__isnull=False).order_by("created_at", "pk"))
    if not done:
        if not jobs.exists():
            raise Http404
        messages.info(request, _("Nothing is converted yet. Please try it again when the first file is done."))
        return redirect("offload:submit", submit)
    return _zip(_foldered(done), f"{slugify(_('converted'))}-{done[0].created_at:%Y-%m-%d}")


def _foldered(jobs: list[Job]) -> Iterator[tuple[str, str]]:
    """The files of all jobs, each job's in a folder that is named like its file; a second one of that name gets a 2."""
    seen: Counter[str] = Counter()
    for job in jobs:
        result = job.result or {}
        folder = files.web_name(result["name"])
        seen[folder] += 1
        if seen[folder] > 1:
            folder += f"-{seen[folder]}"
        for entry in result["files"]:
            yield f"{folder}/{files.download_name(result['name'], entry['name'])}", entry["path"]


def _zip(entries: Iterator[tuple[str, str]], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(files.archive(entries), content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.zip") or "attachment"
    response["Cache-Control"] = "private, no-store"
    return response
