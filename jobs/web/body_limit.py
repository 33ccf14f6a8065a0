"""A body that is too large is refused before anything of it is read: by its length, which it has to tell. So is one
in other letters than those of UTF-8: some of what Python reads from other encodings (`unicode_escape`) is no text.

Without this the CSRF check would store a stranger's upload of any size in the temporary folder before it asks who they
are.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from ..conf import options
from .answers import EVERYWHERE, wants_json

STRANGERS_BYTES = 64 * 1024
"""The largest body of whoever is not signed in: sign-in and sign-up need much less."""
HEAD_ONLY = "offload.head_only"
"""Key in a request's META: a server that takes bodies whole asks whether it may take this one. 100 says yes.

https://www.rfc-editor.org/rfc/rfc9110#section-15.2.1
"""
FIELDS_BYTES = 4 * 1024 * 1024
"""What a form may be larger than its files: fields (Django reads 2.5 MB of them) and what stands between its parts."""


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """It stands behind AuthenticationMiddleware: who asks is looked up for large bodies only.

    Views and the CSRF check, which read bodies, run later.
    https://docs.djangoproject.com/en/5.2/topics/http/middleware/#process-view
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.12
            return _refused(request, 411, _("The request has to tell how long its body is (Content-Length)."))
        if (request.encoding or "utf-8").lower() not in {"utf-8", "utf8"}:
            # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16
            return _refused(request, 415, _("Please send text as UTF-8."))
        length = _length(request)
        if length > STRANGERS_BYTES and not request.user.is_authenticated:
            return _refused(request, 413, _("Please sign in before you send so much."))
        if length > options.MEDIA_MAX_TOTAL_BYTES + FIELDS_BYTES:
            return _refused(request, 413, _("This is too much for one request. Please send fewer or smaller files."))
        if HEAD_ONLY in request.META:
            return HttpResponse(status=100)
        return get_response(request)

    return answer


def _length(request: HttpRequest) -> int:
    """Bytes that the body has; 0 if that can't be read, as Django takes it then."""
    told = request.META.get("CONTENT_LENGTH") or "0"
    return int(told) if told.isdecimal() and len(told) < 19 else 0


def _refused(request: HttpRequest, status: int, text: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"errors": {EVERYWHERE: [text]}}, status=status)
    return render(request, "offload/refused.html", {"text": text}, status=status)
