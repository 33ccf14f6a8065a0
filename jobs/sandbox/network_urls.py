"""Every address of the practice network."""

from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_http_methods

from . import api, oauth, pages, practice


@require_http_methods(["GET", "PUT"])
def media(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One address, two verbs with different behaviour."""
    view = api.describe_picture if request.method == "PUT" else api.get_picture
    return view(request, pk)


urlpatterns = [
    path("", pages.home),
    path("style.css", pages.style),
    path("avatars/<str:name>.png", pages.avatar),
    path("media/<uuid:key>", pages.picture),
    path("@<str:name>", pages.profile),
    path("@<str:name>/<int:pk>", pages.post),
    path(".well-known/oauth-authorization-server", oauth.metadata),
    path("api/v1/apps", oauth.register),
    path("oauth/authorize", oauth.authorize),
    path("oauth/token", oauth.token),
    path("oauth/revoke", oauth.revoke),
    path("api/v1/instance", api.instance_v1),
    path("api/v2/instance", api.instance),
    path("api/v1/accounts/verify_credentials", api.verify_credentials),
    path("api/v1/accounts/<int:pk>/statuses", api.account_statuses),
    path("api/v1/statuses", api.post_status),
    path("api/v1/statuses/<int:pk>", api.status),
    path("api/v2/media", api.upload),
    path("api/v1/media/<int:pk>", media),
    path("webhooks/<slug:inbox>/", api.webhook),
    path("practice/behaviour", practice.behaviour),
    path("practice/log", practice.log),
    path("practice/slow", practice.slow),
    path("practice/statuses", practice.statuses),
]
handler400 = pages.bad_request
handler404 = pages.not_found
handler500 = pages.server_error
