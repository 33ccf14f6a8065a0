"""A job as its owner sees it: the JSON body of its status, and its card. Nothing that is for staff alone is in here."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response

from jobs import estimate
from jobs.models import Attempt, Job, Status
from jobs.waiting import Wait, waits_of

CARD, LINE = "jobs/_card.html", "jobs/_line.html"
"""The two ways in which a page shows a job."""
PACE = ((15, 1), (60, 2), (300, 5))
"""Up to this age in seconds, ask again after so many. In steps, so that the answer (and its ETag) seldom changes."""
SLOWEST = 10
FAR = ((3600, 60), (120, 30))
"""When a job is due later than in so many seconds, ask again after so many."""


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
class Context:
    """What is told of a job beside its row. usual: how long jobs of its kind run, in seconds."""

    wait: Wait | None
    usual: estimate.Range | None


def shown(jobs: Iterable[Job], template: str = CARD) -> list[str]:
    """The HTML of each job: CARD or LINE. Asks the database once for all of them."""
    jobs = list(jobs)
    return [_html(job, context, template) for job, context in zip(jobs, _contexts(jobs, template), strict=True)]


def body(job: Job) -> dict[str, Any]:
    """The job's status as JSON data; docs/http.md describes each field."""
    (one,) = bodies([job])["jobs"]
    return dict(one)


def bodies(jobs: Iterable[Job], template: str = CARD) -> dict[str, Any]:
    """The status of several jobs, and after how many seconds it is worth asking for them again (None: never).

    template: what `html` of each is, CARD or LINE.
    """
    jobs = list(jobs)
    contexts = _contexts(jobs, template)
    pauses = [pause for job in jobs if (pause := poll_after(job))]
    return {
        "jobs": [_body(job, context, template) for job, context in zip(jobs, contexts, strict=True)],
        "poll_after": min(pauses, default=None),
    }


def _contexts(jobs: list[Job], template: str) -> list[Context]:
    """The context of each job; fetches the attempts of those whose card tells them, too."""
    if template == CARD:
        attempts = Attempt.objects.defer("worker", "traceback")
        prefetch_related_objects([job for job in jobs if job.has_history], Prefetch("attempts", attempts))
    waits = waits_of(jobs)
    unfinished = {job.pk for job in jobs if not job.is_finished and not job.is_stopping}
    usual = estimate.usual() if unfinished else {}
    return [Context(waits.get(job.pk), usual.get(job.kind) if job.pk in unfinished else None) for job in jobs]


def _body(job: Job, context: Context, template: str) -> dict[str, Any]:
    wait = context.wait
    failed = job.status == Status.FAILED or job.lacked_another
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "title": job.title,
        "status": job.status,
        "progress": {"percent": job.progress_percent, "text": job.progress_text},
        "wait": wait and {"reason": wait.reason, "text": wait.text, "until": _iso(wait.until), "ahead": wait.ahead},
        "result": job.result,
        "error": {"code": job.error_code, "text": job.error_text, "can_retry": job.can_retry} if failed else None,
        "usual_seconds": context.usual,
        "cancel_asked_at": _iso(job.cancel_asked_at),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": _iso(job.created_at),
        "run_at": _iso(job.run_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "links": _links(job),
        "poll_after": poll_after(job),
        "html": _html(job, context, template),
    }


def status_response(request: HttpRequest, data: dict[str, Any]) -> HttpResponseBase:
    """The answer to a request for the status of jobs: 200, or 304 if the client has it already."""
    content = json.dumps(data, cls=DjangoJSONEncoder).encode()
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    response = HttpResponse(
        content,
        content_type="application/json",
        headers={"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Cookie"},
    )
    return get_conditional_response(request, etag=etag, response=response) or response


def accepted_headers(jobs: list[Job], location: str) -> dict[str, str]:
    """Headers of a 202: where the outcome will be and when to look (RFC 9110, sections 15.3.3 and 10.2.3)."""
    soonest = min((pause for job in jobs if (pause := poll_after(job))), default=0)
    return {"Location": location, "Retry-After": str(soonest)}


def _links(job: Job) -> dict[str, str]:
    links = {"self": reverse("jobs:status", args=[job.pk]), "page": job.get_absolute_url()}
    if job.status == Status.FAILED and job.can_retry:
        links["retry"] = reverse("jobs:retry", args=[job.pk])
    if job.is_scheduled:
        links["reschedule"] = reverse("jobs:reschedule", args=[job.pk])
    holds_line = job.status == Status.FAILED and job.has_turn
    if holds_line:
        links["skip"] = reverse("jobs:skip", args=[job.pk])
    if job.status == Status.PENDING or (job.status == Status.RUNNING and not job.is_stopping) or holds_line:
        links["cancel"] = reverse("jobs:cancel", args=[job.pk])
    if job.is_finished:
        links["delete"] = reverse("jobs:delete", args=[job.pk])
    return links


def _html(job: Job, context: Context, template: str) -> str:
    usual = context.usual and estimate.words(context.usual)
    return render_to_string(template, {"job": job, "kind": job.the_kind, "wait": context.wait, "usual": usual})


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
