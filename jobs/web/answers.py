"""Answers that the core's views and those of kinds give alike: errors as JSON, and what an owner has no room for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ..core.quotas import QuotaExceeded

EVERYWHERE = "__all__"
"""Key of the errors that belong to no single field, as in Django's forms."""


def wants_json(request: HttpRequest) -> bool:
    """Whether the answer is for a program: it sent JSON, or prefers it to HTML."""
    preferred = request.get_preferred_type(["text/html", "application/json"])
    return request.content_type == "application/json" or preferred == "application/json"


def errors(by_field: Mapping[str, Iterable[Any]], status: int) -> JsonResponse:
    """Sentences by field, or for EVERYWHERE."""
    said = {name: [str(one) for one in texts] for name, texts in by_field.items()}
    return JsonResponse({"errors": said}, status=status)


def no_room(request: HttpRequest, exceeded: QuotaExceeded, page: Callable[[], HttpResponse]) -> HttpResponse:
    """429, with `Retry-After` where waiting helps: the sentence as JSON for a program, else a page that says it."""
    if wants_json(request):
        response: HttpResponse = errors({exceeded.field or EVERYWHERE: [str(exceeded)]}, 429)
    else:
        response = page()
        response.status_code = 429
    if exceeded.wait is not None:
        response["Retry-After"] = str(exceeded.wait)
    return response
