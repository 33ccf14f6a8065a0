"""What a page shows to somebody is kept by no cache and no back button longer than they are signed in.

What is no page (pictures, JSON) says for itself how it may be kept; with the sign-out the browser is asked to drop it.

`no-store` costs no typed text in Chromium (tried with 156, over HTTP and HTTPS). It would keep such a page whole for
the back button until a cookie changes; as the CSRF cookie is set with every form it makes the page anew, fills in what
was typed, and jobs/static/offload/form.js brings back the form's key. `no-cache` alone is not enough: the back button
shows the page after the sign-out, even where Clear-Site-Data came with it.
https://developer.chrome.com/docs/web-platform/bfcache-ccns
https://www.w3.org/TR/clear-site-data/
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control

_SIGNED_OUT = "offload.signed_out"
"""In the META of a request during which somebody signed out."""


@receiver(user_logged_out)
def _note(request: HttpRequest | None, **_: Any) -> None:
    if request is not None:
        request.META[_SIGNED_OUT] = True


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Add the headers. It stands behind SessionMiddleware: what never asked for a session is the same for everybody."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if request.session.accessed and (is_page or "Cache-Control" not in response):
            patch_cache_control(response, private=True, no_store=True)
        if request.META.get(_SIGNED_OUT):
            response["Clear-Site-Data"] = '"cache"'
        return response

    return answer
