"""A job as its owner sees it: the JSON body of its status, and its card. Nothing that is for staff alone is in here."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language

from ..core import estimates
from ..core.actions import actions_for
from ..core.waiting import Wait, waits_of
from ..models import Attempt, Job, Status
from ..wording import all_worded

CARD, LINE = "offload/_card.html", "offload/_line.html"
TEMPLATES = {"card": CARD, "line": LINE}
"""The two ways in which a page shows a job, by the names that docs/http.md gives them."""
PACE = ((15, 1), (30, 2), (60, 4), (120, 8))
"""Up to this age in seconds, ask again after so many: whoever has waited long learns of the outcome a little later.

In steps, so that the answer (and its version) seldom changes.
"""
SLOWEST = 10
FAR = ((3600, 60), (120, 30))
"""When a job is due later than in so many seconds, ask again after so many."""

VERSION = re.compile(r"[\w-]{8}")


def poll_after(job: Job) -> int | None:
    """After how many seconds it is worth asking again; None once the outcome is there."""
    if job.is_finished:
        return None
    now = timezone.now()
    for distance, pause in FAR:
        if job.run_at > now + timedelta(seconds=distance):
            return pause
    since = job.started_at if job.status == Status.RUNNING and job.started_at else max(job.created_at, job.run_at)
    age = (now - since).total_seconds()
    return next((pause for limit, pause in PACE if age < limit), SLOWEST)


@dataclass(frozen=True)
class Snapshot:
    """A job at one moment, as it is told to whoever asks. Its HTML is not made before it is needed.

    data: all of its status but the HTML. usual: how long jobs of its kind run, in seconds.
    version: changes whenever `data` does, or the language or time zone in which the HTML tells it. So a template of a
    card shows of an unfinished job nothing but what follows from `data`: another change would not be noticed.
    """

    job: Job
    wait: Wait | None
    usual: estimates.Range | None
    template: str | None
    data: dict[str, Any]
    version: str

    def html(self, template: str) -> str:
        """The job's card or line."""
        usual = self.usual and estimates.words(self.usual)
        context = {
            "job": self.job,
            "kind": self.job.the_kind,
            "wait": self.wait,
            "usual": usual,
            "actions": actions_for(self.job),
        }
        return render_to_string(template, context)


def snapshots(jobs: Iterable[Job], template: str | None = None) -> list[Snapshot]:
    """The jobs as they are now, to be told with a CARD, a LINE, or without HTML."""
    jobs = list(jobs)
    waits = waits_of(jobs)
    unfinished = {job.pk for job in jobs if not job.is_finished and not job.is_stopping}
    usual = estimates.usual() if unfinished else {}
    return [
        _snapshot(job, waits.get(job.pk), usual.get(job.kind) if job.pk in unfinished else None, template)
        for job in jobs
    ]


def shown(jobs: Iterable[Job], template: str) -> list[tuple[str, str]]:
    """The version and the HTML of each job. Asks the database once for all of them."""
    seen = snapshots(jobs, template)
    _fetch_attempts(seen)
    return [(one.version, one.html(template)) for one in seen]


def body(job: Job) -> dict[str, Any]:
    """The job's status as JSON data; docs/http.md describes each field."""
    (one,) = _bodies(snapshots([job]))
    return one


def bodies(jobs: Iterable[Job]) -> dict[str, Any]:
    """The status of several jobs, and after how many seconds it is worth asking for them again (None: never)."""
    seen = snapshots(jobs)
    return {"jobs": _bodies(seen), "poll_after": _soonest(seen)}


def one_response(request: HttpRequest, job: Job) -> HttpResponse:
    """The status of one job: 200, or 304 if whoever asks has it already."""
    seen = snapshots([job], _template(request))
    return _response(_known(request), [one.version for one in seen], lambda: _bodies(seen)[0])


def several_response(request: HttpRequest, jobs: Iterable[Job], gone: Iterable[UUID]) -> HttpResponse:
    """The status of several jobs: 200, or 304 if whoever asks has all of it already.

    gone: what was asked for and is not there. With `only=changes` in the query, what whoever asks has is left out.
    """
    seen = snapshots(jobs, _template(request))
    missing = sorted(map(str, gone))
    known = _known(request)
    left_out = known if request.GET.get("only") == "changes" else set()

    def data() -> dict[str, Any]:
        told = [one for one in seen if one.version not in left_out]
        return {"jobs": _bodies(told), "gone": missing, "poll_after": _soonest(seen)}

    return _response(known, [*(one.version for one in seen), *map(_digest, missing)], data)


def _template(request: HttpRequest) -> str | None:
    return TEMPLATES.get(request.GET.get("as", ""))


def _known(request: HttpRequest) -> set[str]:
    """The versions that whoever asks has, from the entity tags that come with the request."""
    return set(VERSION.findall(request.META.get("HTTP_IF_NONE_MATCH", "")))


_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie",
    # Of its own: the site's middleware for it would cost each poll a twentieth more.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def _response(known: set[str], versions: list[str], data: Callable[[], dict[str, Any]]) -> HttpResponse:
    """A 304 without a body if all versions are known, otherwise the data. Caches keep neither for others."""
    headers = {"ETag": f'"{".".join(versions)}"', **_HEADERS}
    if known.issuperset(versions):
        return HttpResponseNotModified(headers=headers)
    content = json.dumps(data()).encode()
    headers["Content-Length"] = str(len(content))
    return HttpResponse(content, content_type="application/json", headers=headers)


def _soonest(seen: list[Snapshot]) -> int | None:
    return min((pause for one in seen if (pause := one.data["poll_after"])), default=None)


def _bodies(seen: list[Snapshot]) -> list[dict[str, Any]]:
    _fetch_attempts(seen)
    return [
        {**one.data, "version": one.version, **({"html": one.html(one.template)} if one.template else {})}
        for one in seen
    ]


def _fetch_attempts(seen: list[Snapshot]) -> None:
    """The attempts of those whose card tells them, with one query."""
    jobs = [one.job for one in seen if one.template == CARD and one.job.has_history]
    prefetch_related_objects(jobs, Prefetch("attempts", Attempt.objects.defer("worker", "traceback")))


def _snapshot(job: Job, wait: Wait | None, usual: estimates.Range | None, template: str | None) -> Snapshot:
    data = _data(job, wait, usual)
    version = _digest(json.dumps(data), template or "", timezone.get_current_timezone_name(), get_language() or "")
    return Snapshot(job, wait, usual, template, data, version)


def _digest(*parts: str) -> str:
    """48 bits of a hash, as 8 letters. Versions are compared with older ones of the same job only."""
    return urlsafe_b64encode(sha256("\0".join(parts).encode()).digest()[:6]).decode()


def _data(job: Job, wait: Wait | None, usual: estimates.Range | None) -> dict[str, Any]:
    failed = job.status == Status.FAILED or job.lacked_another
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "title": job.title,
        "status": job.status,
        "progress": {"percent": job.progress_percent, "text": job.progress_text},
        "wait": wait and {"reason": wait.reason, "text": wait.text, "until": _iso(wait.until), "ahead": wait.ahead},
        "result": all_worded(job.result, job.kind),
        "error": {"code": job.error_code, "text": job.error_text, "can_retry": job.can_retry} if failed else None,
        "usual_seconds": usual,
        "cancel_asked_at": _iso(job.cancel_asked_at),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": _iso(job.created_at),
        "run_at": _iso(job.run_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "links": _links(job),
        "poll_after": poll_after(job),
    }


def accepted_headers(jobs: list[Job], location: str) -> dict[str, str]:
    """Headers of a 202: where the outcome will be and when to look (RFC 9110, sections 15.3.3 and 10.2.3)."""
    soonest = min((pause for job in jobs if (pause := poll_after(job))), default=0)
    return {"Location": location, "Retry-After": str(soonest)}


def _links(job: Job) -> dict[str, str]:
    page = job.get_absolute_url()
    # All addresses of a job lie below its page; to look each of them up would take longer than all the rest.
    return {"self": f"{page}status.json", "page": page, **{action: f"{page}{action}/" for action in actions_for(job)}}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
