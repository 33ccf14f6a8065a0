"""My data: a copy of it, and the end of it."""

from functools import partial
from typing import cast
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.forms import ReauthenticateForm
from allauth.core.ratelimit import consume, respond_429
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from ...contract import (
    Job,
    QuotaExceeded,
    Status,
    Submission,
    Use,
    check_quotas,
    for_jobs,
    jobs_of,
    no_room,
    submit,
    visitor_of,
)
from .erasure import ErasureKind
from .export import EXPORTS, ExportKind, stored_as

LATEST = 3
"""Copies that the page shows."""


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """What I can do with my data; POST makes a copy, unless one is being made already."""
    copies = Job.objects.filter(owner=request.user.pk, kind=ExportKind.name).order_by("-created_at", "-pk")

    def page(trouble: str = "") -> HttpResponse:
        return render(request, "personal/home.html", {"copies": copies[:LATEST], "trouble": trouble})

    if request.method != "POST":
        return page()
    job = copies.unfinished().first()
    if job is None:
        try:
            check_quotas(request.user.pk, [*for_jobs(ExportKind()), Use(EXPORTS)])
        except QuotaExceeded as exceeded:
            return no_room(request, exceeded, partial(page, str(exceeded)))
        wanted = Submission({}, _("Copy of my data"), f"export:{request.user.pk}")
        (job,) = submit(ExportKind(), [wanted], owner=cast(AbstractBaseUser, request.user)).jobs
    return redirect(job)


@require_safe
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The file of a copy, to its owner alone."""
    job = get_object_or_404(jobs_of(request), pk=job_id, kind=ExportKind.name, status=Status.SUCCEEDED)
    try:
        file = default_storage.open(stored_as(job.pk, job.attempt))
    except FileNotFoundError:
        raise Http404("The file is not there any more.") from None
    response = FileResponse(file, as_attachment=True, filename=f"offload-{job.created_at:%Y-%m-%d}.zip")
    response.block_size = 1 << 16
    response["Cache-Control"] = "private, no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_store=True)
@login_required
def erase(request: HttpRequest) -> HttpResponse:
    """Ask for the password, tell by mail and have the account deleted. 429 after too many tries.

    The mail is a job of the account. The one that deletes the account with all its jobs waits until it was sent.
    """
    user = request.user
    if getattr(user, "is_staff", False):  # not every user model knows staff
        refused = request.method == "POST"
        return render(request, "personal/erase.html", {"is_staff": True}, status=403 if refused else 200)
    form = ReauthenticateForm(request.POST or None, user=user)
    if request.method != "POST":
        return _ask(request, form)
    if not consume(request, action="reauthenticate", user=user):
        too_often: HttpResponse = respond_429(request)
        return too_often
    if not form.is_valid():
        return _ask(request, form, 400)
    with transaction.atomic():
        get_adapter().send_notification_mail("personal/erasure_asked", user)
        logout(request)
        wanted = Submission({"user": str(user.pk)}, _("Deletion of your account"), f"erasure:{user.pk}")
        (job,) = submit(ErasureKind(), [wanted], owner=None, visitor=visitor_of(request)).jobs
    return redirect("erasure:last", job.pk)


def _ask(request: HttpRequest, form: ReauthenticateForm, status: int = 200) -> HttpResponse:
    unfinished = Job.objects.filter(owner=request.user.pk).unfinished().count()
    return render(request, "personal/erase.html", {"form": form, "unfinished": unfinished}, status=status)


@require_safe
@cache_control(private=True, no_store=True)
def last_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """What becomes of the account that was here."""
    job = get_object_or_404(jobs_of(request), pk=job_id, kind=ErasureKind.name)
    return render(request, "personal/last.html", {"job": job})
