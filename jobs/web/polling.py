"""How pages follow jobs: one address for all that a page shows, asked every few seconds, so that it has to be cheap.

The first request looks up session and user as any other; its answer carries a cookie that vouches for the next ones
(jobs.web.access). The middleware here answers those before sessions, users and messages come into play.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from . import access, job_status, time_zone

AT_ONCE = 50
"""Jobs that one request may ask for; poll.js knows the number."""


def asked_for(request: HttpRequest) -> set[UUID]:
    """The jobs that a request names (`?id=…&id=…`). Raises ValueError."""
    return {UUID(one) for one in request.GET.getlist("id")}


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer for `views.statuses` if the cookie vouches for all jobs that are asked for.

    It stands behind SecurityMiddleware, whose headers it needs, and before all that it does without.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if access.COOKIE in request.COOKIES and request.path == _address() and request.method in {"GET", "HEAD"}:
            with suppress(ValueError), time_zone.of(request):
                ids = asked_for(request)
                if 1 <= len(ids) <= AT_ONCE:
                    jobs = access.follow(ids, request)
                    if len(jobs) == len(ids):
                        return job_status.several_response(request, jobs, gone=())
        return get_response(request)

    return answer


@cache
def _address() -> str:
    return reverse("offload:statuses")
