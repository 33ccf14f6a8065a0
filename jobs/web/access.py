"""Whose job it is: a signed-in user's, or (before there is a user) the session's that started it.

Pages that follow jobs ask every few seconds. For VOUCHED seconds after it was looked up who asks, a signed cookie says
so, and neither session nor user are loaded again: the statement that reads the jobs looks whether both still stand.
"""

import random
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Q, Subquery, Value
from django.db.models.functions import Coalesce, Now
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare

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
"""Seconds until session and user are loaded again, for whatever else a site's own backends look at.

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


def vouch(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the response carry the cookie that vouches for the next requests. Returns it."""
    owner, visitor = who(request)
    if request.session.session_key and (owner or visitor):
        response.set_signed_cookie(
            COOKIE,
            f"{owner or ''}.{visitor}.{request.user.get_session_auth_hash() if request.user.is_authenticated else ''}",
            # The session's key is part of the signature: without that session's own cookie this one is worth nothing.
            salt=request.session.session_key,
            max_age=VOUCHED * random.uniform(0.5, 1),  # noqa: S311 (no secret)
            path=reverse("offload:statuses"),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    return response


def _one() -> Q:
    return Q(pk=Given("job_id", FIELDS["id"]))


def _many() -> Q:
    return Q(pk__in=AnyGiven("job_ids", FIELDS["id"]))


def _theirs(which: Q) -> JobQuerySet:
    theirs = Q(owner=Given("owner", FIELDS["owner_id"])) | Q(visitor=Given("visitor", FIELDS["visitor"]))
    return Job.objects.filter(theirs, which).order_by("-created_at", "-pk")


def _still_theirs(which: Q) -> JobQuerySet:
    """The same, each `hashed`: the password of the user as it is kept, "" if no open account is known, and None if the
    session is not there any more.

    As one value within another PostgreSQL plans it in half the time that conditions of the jobs take.
    """
    users = get_user_model()
    active = {"is_active": True} if any(field.name == "is_active" for field in users._meta.concrete_fields) else {}
    user = users._base_manager.filter(pk=Given("owner", FIELDS["owner_id"]), **active)
    hashed: Coalesce | Subquery = Coalesce(Subquery(user.values("password")), Value(""))
    if rows := _session_rows(settings.SESSION_ENGINE):
        key = Given("session_key", rows._meta.get_field("session_key"))
        session = rows._base_manager.filter(session_key=key, expire_date__gt=Now())
        hashed = Subquery(session.annotate(hashed=hashed).values("hashed"))
    return _theirs(which).annotate(hashed=hashed)


_SHOWN = FIELDS.keys() - set(UNSEEN)
_FIND = Select(Job, _SHOWN, lambda: _theirs(_many()))
_FOLLOW = Select(Job, _SHOWN, lambda: _still_theirs(_many()), depends_on=lambda: settings.SESSION_ENGINE)
# Most pages follow one job. For that PostgreSQL needs two thirds of the time, which pays for the look at the session.
_FOLLOW_ONE = Select(Job, _SHOWN, lambda: _still_theirs(_one()), depends_on=lambda: settings.SESSION_ENGINE)


def find(ids: Iterable[UUID], whose: Who) -> list[Job]:
    """Those of the jobs that are theirs who ask, newest first, without UNSEEN columns."""
    owner, visitor = whose
    # NULL equals nothing: neither a job without an owner nor one without a visitor.
    return _FIND.rows(job_ids=list(ids), owner=owner or None, visitor=visitor or None)


def follow(ids: Iterable[UUID], request: HttpRequest) -> list[Job]:
    """The same for whom the signed cookie names: none if it is not valid, maybe not all that the session says.

    None either once the session was ended, the password changed or the account closed, wherever that was done.
    """
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    said = session_key and request.get_signed_cookie(COOKIE, "", salt=session_key, max_age=VOUCHED)
    if not said or not (_session_rows(settings.SESSION_ENGINE) or _sessions().exists(session_key)):
        return []
    named, visitor, user_hash = said.rsplit(".", 2)
    owner = FIELDS["owner_id"].to_python(named) if named else None
    given = {"owner": owner, "visitor": visitor or None, "session_key": session_key}
    wanted = list(ids)
    jobs: list[Any] = (
        _FOLLOW_ONE.rows(job_id=wanted[0], **given) if len(wanted) == 1 else _FOLLOW.rows(job_ids=wanted, **given)
    )
    if not jobs or jobs[0].hashed is None:
        return []
    users = get_user_model()
    told = {users._meta.pk.attname: owner, "password": jobs[0].hashed}
    # Values come in the order of the model's fields, which a site's own model may have the other way round.
    names = [field.attname for field in users._meta.concrete_fields if field.attname in told]
    user = users.from_db(DEFAULT_DB_ALIAS, names, [told[name] for name in names])
    return jobs if not named or constant_time_compare(user.get_session_auth_hash(), user_hash) else []


def _sessions() -> SessionBase:
    """Where this site keeps its sessions."""
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore()
    return store


@cache
def _session_rows(_engine: str) -> type[AbstractBaseSession] | None:
    """The model of its sessions, if the database of the jobs holds them; else they are asked for where they are."""
    store = _sessions()
    rows = store.get_model_class() if isinstance(store, SessionStore) else None
    return rows if rows and router.db_for_read(rows) == DEFAULT_DB_ALIAS else None
