"""The account pages (below /accounts/): django-allauth's own, with the HTTP statuses that their answers mean."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import urls as allauth_urls
from allauth.usersessions import urls as session_urls
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, include, path

from accounts.views import ConfirmEmailView, resend

View = Callable[..., HttpResponseBase]


def with_status(view: View) -> View:
    """A view of allauth's, answering 400 when its form has errors and 410 for a link that does not work any more.

    allauth says 200 to both.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            # Confirmed twice with one link: the page itself explains that.
            return redirect(request.path)
        if isinstance(response, TemplateResponse) and response.status_code == 200:
            context = response.context_data or {}
            if context.get("token_fail") or context.get("confirmation", True) is None:
                response.status_code = 410
            elif (form := context.get("form")) and form.errors:
                response.status_code = 400
            # The name belongs to jobs.web.navigation.site here; allauth uses it for the site's domain.
            context.pop("site", None)
        return response

    return answer


OURS: dict[str, View] = {"account_confirm_email": ConfirmEmailView.as_view()}
"""Views that take the place of allauth's, by the name of their address."""

urlpatterns = [
    path("confirm-email/again/", resend, name="account_resend"),
    path("sessions/", include(session_urls)),
    *(
        URLPattern(
            pattern.pattern,
            with_status(OURS.get(pattern.name, pattern.callback)),
            pattern.default_args,
            pattern.name,
        )
        for pattern in allauth_urls.urlpatterns
    ),
]
