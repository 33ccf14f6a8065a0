"""The pages of the values: all of mine, and one with its history."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from ...contract import jobs_of
from .models import Value

PAGE = 50
"""Values, or changes of one, on one page."""
LINE = 10
"""Operations in line whose cards are shown."""


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def values(request: HttpRequest) -> HttpResponse:
    """My values and what they are now."""
    mine = Value.objects.filter(owner=request.user.pk)
    page = Paginator(mine, PAGE).get_page(request.GET.get("page"))
    return render(request, "arithmetic/values.html", {"page": page})


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def value(request: HttpRequest, pk: int) -> HttpResponse:
    """One of my values: the operations that are in line for it, and its history, newest first."""
    mine = get_object_or_404(Value, owner=request.user.pk, pk=pk)
    jobs = jobs_of(request)
    held_by = [job for job in jobs.first_on(mine.resource) if job.is_holding]
    line = [*held_by, *jobs.in_line(mine.resource).order_by("position")[: LINE + 1]]
    context = {
        "value": mine,
        "page": Paginator(mine.changes.order_by("-place"), PAGE).get_page(request.GET.get("page")),
        "line": line[:LINE],
        "more": len(line) > LINE,
    }
    return render(request, "arithmetic/value.html", context)
