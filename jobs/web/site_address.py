"""The site's own address is what its settings say, not what a request says.

Links in mails, and addresses to which other sites send people back, are made from the request's host. Whoever asks
chooses that: its port freely, its name among ALLOWED_HOSTS.
https://docs.djangoproject.com/en/5.2/topics/security/#host-headers-virtual-hosting
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseBase

from ..conf import options


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The first of all: whatever comes next sees SITE_ADDRESS, if there is one, as the host that was asked for.

    A host that is not among ALLOWED_HOSTS is refused as before.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if options.SITE_ADDRESS:
            request.get_host()  # raises DisallowedHost
            request.META["HTTP_HOST"] = urlsplit(options.SITE_ADDRESS).netloc
            request.META.pop("HTTP_X_FORWARDED_HOST", None)
        return get_response(request)

    return answer
