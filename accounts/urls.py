"""The account pages (below /accounts/): django-allauth's own, with the HTTP statuses that their answers mean."""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from allauth.account import urls as allauth_urls
from allauth.mfa import urls as mfa_urls
from allauth.usersessions import urls as session_urls
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from accounts.views import ConfirmEmailView, ReauthenticatePasskeyView, end_session, resend

View = Callable[..., HttpResponseBase]
FORMS = ("form", "webauthn_form")
"""What allauth's views call their forms in the context of a page."""


def with_status(view: View) -> View:
    """A view of allauth's, answering 400 when its form has errors and 410 for a link that does not work any more.

    allauth says 200 to both.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if isinstance(response, TemplateResponse) and response.status_code == 200:
            context = response.context_data or {}
            if context.get("token_fail") or context.get("confirmation", True) is None:
                response.status_code = 410
            elif any(form.errors for name in FORMS if (form := context.get(name))):
                response.status_code = 400
            # The name belongs to jobs.web.navigation.site here; allauth uses it for the site's domain.
            context.pop("site", None)
        return response

    return answer


OURS: dict[str, View] = {
    "account_confirm_email": ConfirmEmailView.as_view(),
    "mfa_reauthenticate_webauthn": ReauthenticatePasskeyView.as_view(),
    # The page of second factors lists the passkeys, too.
    "mfa_list_webauthn": RedirectView.as_view(pattern_name="mfa_index"),
}
"""Views that take the place of allauth's, by the name of their address."""
LEFT_OUT = {"mfa_download_recovery_codes"}
"""Recovery codes are shown once, with a link that keeps them as a file."""


def as_here(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern | URLResolver]:
    """Addresses of allauth's with the views that answer here."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield URLResolver(one.pattern, list(as_here(one.url_patterns)))
        elif one.name not in LEFT_OUT:
            yield URLPattern(
                one.pattern, with_status(OURS.get(one.name or "", one.callback)), one.default_args, one.name
            )


urlpatterns = [
    path("confirm-email/again/", resend, name="account_resend"),
    path("sessions/", include(session_urls)),
    path("sessions/<int:pk>/end/", end_session, name="account_end_session"),
    path("second-factor/", include(list(as_here(mfa_urls.urlpatterns)))),
    *as_here(allauth_urls.urlpatterns),
]
