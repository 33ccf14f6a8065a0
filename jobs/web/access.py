"""Whose job it is: a signed-in user's, or (before there is a user) the session's that started it.

Pages that follow jobs ask every few seconds. For VOUCHED seconds after it was looked up who asks, a signed cookie says
so, and neither session nor user are read again.
"""

import random
from collections.abc import Iterable
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.db.models import Q
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from ..core.statements import AnyGiven, Given, Select
from ..kind import OwnerKey
from ..models import FIELDS, Job, JobQuerySet

Who = tuple[OwnerKey | None, str]
"""Who asks: the user's id and the session's visitor token, None and "" if there are none."""
SESSION_KEY = "offload_visitor"
UNSEEN = (
    *("payload_text", "kept", "traceback", "worker"),
    *("lease_until", "deadline", "time_limit", "holds_line", "awaited"),
)
"""Columns of a job that no answer ever shows."""
COOKIE = "follower"
VOUCHED = 120
"""Seconds until the session is looked up again: so long may one that was ended elsewhere still follow its jobs.

Browsers forget the cookie somewhat earlier, each at another time: those that came together (after a restart, say) are
not looked up together again.
"""


def visitor_of(request: HttpRequest) -> str:
    """The visitor token of this session, made on first use. It survives signing in, and ends with the session."""
    token: str | None = request.session.get(SESSION_KEY)
    if token is None:
        token = request.session[SESSION_KEY] = uuid4().hex
    return token


@receiver(user_logged_in)
def _adopt(request: HttpRequest | None, user: AbstractBaseUser, **_: object) -> None:
    """What a visitor started (the mail that confirmed the address, say) is theirs as soon as they sign in."""
    if request is not None and (token := request.session.get(SESSION_KEY)):
        Job.objects.filter(visitor=token, owner=None).update(owner=user.pk, visitor="")


def listed(request: HttpRequest) -> JobQuerySet:
    """The jobs that lists show to whoever asks: a user's own, or those of a visitor's session.

    Not both: one index answers for the newest of either, and none for the newest of their union.
    """
    if request.user.is_authenticated:
        return Job.objects.filter(owner=request.user.pk)
    token = request.session.get(SESSION_KEY)
    return Job.objects.filter(visitor=token) if token else Job.objects.none()


def jobs_of(request: HttpRequest) -> JobQuerySet:
    """The jobs this request may see. To anybody else a job does not exist."""
    owner, visitor = who(request)
    mine = Q(pk__in=())
    if owner:
        mine |= Q(owner=owner)
    if visitor:
        mine |= Q(visitor=visitor)
    return Job.objects.filter(mine)


def who(request: HttpRequest) -> Who:
    """Who asks, as the session says."""
    return request.user.pk, request.session.get(SESSION_KEY, "")


def vouched(request: HttpRequest) -> Who:
    """Who asks, as the signed cookie says: nobody if there is no valid one, and maybe not all that the session says."""
    # The session's key is part of the signature: without that session's own cookie this one is worth nothing.
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    said = (session_key and request.get_signed_cookie(COOKIE, "", salt=session_key, max_age=VOUCHED)) or ""
    owner, _, visitor = said.rpartition(".")
    return FIELDS["owner_id"].to_python(owner) if owner else None, visitor


def vouch(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the response carry the cookie that vouches for the next requests. Returns it."""
    owner, visitor = who(request)
    if request.session.session_key and (owner or visitor):
        response.set_signed_cookie(
            COOKIE,
            f"{owner or ''}.{visitor}",
            salt=request.session.session_key,
            max_age=VOUCHED * random.uniform(0.5, 1),  # noqa: S311 (no secret)
            path=reverse("offload:statuses"),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    return response


_FIND = Select(
    Job,
    FIELDS.keys() - set(UNSEEN),
    lambda: Job.objects.filter(
        Q(owner=Given("owner", FIELDS["owner_id"])) | Q(visitor=Given("visitor", FIELDS["visitor"])),
        pk__in=AnyGiven("job_ids", FIELDS["id"]),
    ).order_by("-created_at", "-pk"),
)


def find(ids: Iterable[UUID], whose: Who) -> list[Job]:
    """Those of the jobs that are theirs who ask, newest first, without UNSEEN columns."""
    owner, visitor = whose
    # NULL equals nothing: neither a job without an owner nor one without a visitor.
    return _FIND.rows(job_ids=list(ids), owner=owner or None, visitor=visitor or None)
