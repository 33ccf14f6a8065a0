"""The lab's page, and the views that its third experiment visits."""

import requests
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from ...contract import Submission, jobs_of, options, submit
from . import passes
from .experiments import ALL
from .steps import Call, call_slow_api

LATEST = 10
"""Earlier runs on the page."""


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The experiments, my newest run, and links to those before."""
    experiments = [one for one in ALL.values() if options.SANDBOX or not one.needs_network]
    newest, *earlier = [*jobs_of(request).filter(kind="lab").order_by("-created_at", "-pk")[: LATEST + 1], None]
    context = {"experiments": experiments, "newest": newest, "earlier": earlier[:-1]}
    return render(request, "lab/home.html", {**context, "unfinished": newest and not newest.is_finished})


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """A plain page, for the experiment's other visitors. It asks the database once, in order to check their pass."""
    passes.check(request)
    return JsonResponse({})


# Their pass is no cookie, so no other website could send it.
@csrf_exempt
@require_POST
def waits(request: HttpRequest) -> HttpResponse:
    """Call the slow API and answer when it has."""
    ms = passes.check(request)
    try:
        return JsonResponse(call_slow_api(ms))
    except requests.RequestException:
        return JsonResponse({"error": _("The practice network did not answer.")}, status=502)


@csrf_exempt
@require_POST
def queues(request: HttpRequest) -> HttpResponse:
    """Queue the call to the slow API and answer at once."""
    (job,) = submit(Call(), [Submission({"ms": passes.check(request)}, "Call to a slow API")], owner=None).jobs
    return JsonResponse({"job": str(job.pk)}, status=202)
