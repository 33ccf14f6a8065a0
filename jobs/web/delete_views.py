"""Deleting jobs for good: one that is finished, or all that are. A page asks first, and works without JavaScript."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from ..core import lifecycle
from ..core.actions import DELETABLE
from ..models import JobQuerySet
from .access import UNSEEN, jobs_of, listed
from .answers import EVERYWHERE, wants_json
from .views import SignedInRequest, signed_in

AT_ONCE = 500
"""Jobs that one press of the button deletes: as many as fit well into one request."""


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
def one(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Delete a finished job: GET asks whether, POST does it. 204 for a program, 409 if it is not finished."""
    job = get_object_or_404(jobs_of(request).defer(*UNSEEN), pk=job_id)
    if request.method != "POST":
        return render(request, "offload/delete.html", {"job": job})
    if not lifecycle.delete([job.pk]):
        if wants_json(request):
            text = _("This job is not finished. Cancel it first, then delete it.")
            return JsonResponse({"errors": {EVERYWHERE: [text]}}, status=409)
        job.refresh_from_db(fields=["status"])
        return render(request, "offload/delete.html", {"job": job}, status=409)
    if wants_json(request):
        return HttpResponse(status=204)
    messages.success(request, _("“%(title)s” is deleted.") % {"title": job.title})
    return HttpResponseRedirect(
        reverse("offload:list" if request.user.is_authenticated else "offload:home"), status=303
    )


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
@signed_in
def all_finished(request: SignedInRequest) -> HttpResponse:
    """Delete my finished jobs, the oldest first and AT_ONCE at a time; not those that others wait for."""
    mine = _deletable(request)
    if request.method != "POST":
        count = mine[: AT_ONCE + 1].count()
        return render(request, "offload/delete_all.html", {"count": min(count, AT_ONCE), "more": count > AT_ONCE})
    count = lifecycle.delete(mine.order_by("created_at", "pk").values_list("pk", flat=True)[:AT_ONCE])
    if wants_json(request):
        return JsonResponse({"deleted": count})
    text = ngettext("%(count)d job is deleted.", "%(count)d jobs are deleted.", count) % {"count": count}
    messages.success(request, text)
    return HttpResponseRedirect(reverse("offload:delete_all" if mine.exists() else "offload:list"), status=303)


def _deletable(request: HttpRequest) -> JobQuerySet:
    return listed(request).filter(DELETABLE)
