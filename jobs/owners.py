"""Whose job it is: a signed-in user's, or (before there is a user) the session's that started it."""

from uuid import uuid4

from django.db.models import Q
from django.http import HttpRequest

from jobs.models import Job, JobQuerySet

SESSION_KEY = "offload_visitor"


def visitor_of(request: HttpRequest) -> str:
    """The visitor token of this session, made on first use. It survives signing in, and ends with the session."""
    token: str | None = request.session.get(SESSION_KEY)
    if token is None:
        token = request.session[SESSION_KEY] = uuid4().hex
    return token


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
    mine = Q(pk__in=())
    if request.user.is_authenticated:
        mine |= Q(owner=request.user.pk)
    if token := request.session.get(SESSION_KEY):
        mine |= Q(visitor=token)
    return Job.objects.filter(mine)
