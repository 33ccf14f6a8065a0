"""The monitor's page and JSON for staff, the pause of a queue, and /healthz for whatever watches over the processes."""

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ..core import pauses
from ..kind import Queue
from ..models import Pause
from . import monitor

POLL_SECONDS = 3
"""How long the page waits between two looks."""


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """The monitor in the admin's look. Without JavaScript its numbers are those of the moment it was loaded."""
    numbers = monitor.numbers()
    paused = {one.queue: one for one in numbers.pauses}
    context = {
        **admin.site.each_context(request),
        "title": _("Monitor"),
        "numbers": numbers,
        "queues": [(queue, paused.get(queue)) for queue in Queue],
        "longest_reason": Pause._meta.get_field("reason").max_length,
    }
    return render(request, "offload/monitor/page.html", context)


@require_safe
@never_cache
def data(request: HttpRequest) -> JsonResponse:
    """The numbers as JSON: those of `monitor.Numbers`, `html` (the page's tables) and `poll_after` in seconds."""
    numbers = monitor.numbers()
    html = render_to_string("offload/monitor/_numbers.html", {"numbers": numbers}, request)
    return JsonResponse({**numbers.as_json(), "html": html, "poll_after": POLL_SECONDS})


class PauseForm(forms.ModelForm):
    """Which queue to pause, and why."""

    class Meta:
        model = Pause
        fields = ("reason",)
        error_messages = {"reason": {"required": "Please give a reason: everybody whose job waits reads it."}}

    queue = forms.ChoiceField(choices=[(queue.value, queue.value) for queue in Queue])


@require_POST
@permission_required("offload.change_pause", raise_exception=True)
def pause(request: HttpRequest) -> HttpResponse:
    """Pause a queue, or change the reason of its pause."""
    form = PauseForm(request.POST)
    if form.is_valid():
        queue = Queue(form.cleaned_data["queue"])
        pauses.pause(queue, form.cleaned_data["reason"], by=request.user.get_username())
        text = _("The %(queue)s queue is paused: no job of it starts, and running ones go on.") % {"queue": queue}
        messages.success(request, text)
    else:
        messages.error(request, " ".join(str(problem) for problems in form.errors.values() for problem in problems))
    return redirect("monitor:page")


@require_POST
@permission_required("offload.change_pause", raise_exception=True)
def resume(request: HttpRequest) -> HttpResponse:
    """Let a paused queue go on."""
    queue = request.POST.get("queue", "")
    if queue in set(Queue) and pauses.resume(Queue(queue), by=request.user.get_username()):
        messages.success(request, _("The %(queue)s queue goes on.") % {"queue": queue})
    else:
        messages.warning(request, _("This queue was not paused any more."))
    return redirect("monitor:page")


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 while jobs are accepted and run, 503 with sentences in `problems` while they are not. For everybody.

    Queues that staff have paused are in `paused`; that alone is no problem.
    """
    problems = monitor.problems()
    status = "failing" if problems else "ok"
    found = {"status": status, "problems": problems, "paused": monitor.paused_queues()}
    return JsonResponse(found, status=503 if problems else 200)
