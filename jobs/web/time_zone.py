"""The time zone of whoever asks: found out by their browser (zone.js), or chosen by them, and stored in a cookie."""

from collections.abc import Callable
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

COOKIE = "time_zone"
"""zone.js knows the name. Not a secret, and no more than what a browser tells every script."""
YEAR = 365 * 24 * 3600


@cache
def names() -> list[str]:
    """The names that people choose from, in order: UTC, and those of places."""
    return ["UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))]


@cache
def zone_named(name: str) -> ZoneInfo | None:
    """The zone of that name, None if there is none."""
    return ZoneInfo(name) if name in available_timezones() else None


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Tell and read all times of a request in the zone of its cookie; without one in the site's (TIME_ZONE)."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with of(request):
            return get_response(request)

    return answer


def of(request: HttpRequest) -> timezone.override:
    """A context in which times are told and read in the zone of this request."""
    return timezone.override(zone_named(request.COOKIES.get(COOKIE, "")[:100]))


class ZoneForm(forms.Form):
    """The choice of a zone. next: the page to go back to."""

    zone = forms.ChoiceField(label="Time zone")
    next = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = timezone.get_current_timezone_name()
        known = names() if here in names() else [here, *names()]
        self.fields["zone"].choices = [(name, name.replace("_", " ")) for name in known]  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
def choose(request: HttpRequest) -> HttpResponse:
    """The page on which a person chooses the zone in which this browser shows times."""
    if request.method != "POST":
        form = ZoneForm(initial={"zone": timezone.get_current_timezone_name(), "next": request.GET.get("next", "")})
        return render(request, "offload/time_zone.html", {"form": form})
    form = ZoneForm(request.POST)
    if not form.is_valid():
        return render(request, "offload/time_zone.html", {"form": form}, status=400)
    back = form.cleaned_data["next"]
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = resolve_url("offload:home")
    response = HttpResponseRedirect(back, status=303)
    response.set_cookie(
        COOKIE, form.cleaned_data["zone"], max_age=YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
    return response
