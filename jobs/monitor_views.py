"""The monitor's page and JSON for staff, and /healthz for whatever watches over the processes."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from jobs import monitor

POLL_SECONDS = 3
"""How long the page waits between two looks."""


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """The monitor in the admin's look. Without JavaScript its numbers are those of the moment it was loaded."""
    context = {**admin.site.each_context(request), "title": "Monitor", "numbers": monitor.numbers()}
    return render(request, "jobs/monitor/page.html", context)


@require_safe
@never_cache
def data(request: HttpRequest) -> JsonResponse:
    """The numbers as JSON: those of `monitor.Numbers`, `html` (the page's tables) and `poll_after` in seconds."""
    numbers = monitor.numbers()
    html = render_to_string("jobs/monitor/_numbers.html", {"numbers": numbers}, request)
    return JsonResponse({**numbers.as_json(), "html": html, "poll_after": POLL_SECONDS})


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 while jobs are accepted and run, 503 with sentences in `problems` while they are not. For everybody."""
    problems = monitor.problems()
    status = "failing" if problems else "ok"
    return JsonResponse({"status": status, "problems": problems}, status=503 if problems else 200)
