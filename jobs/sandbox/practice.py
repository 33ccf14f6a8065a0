"""What every API call of the practice network goes through: its log, its rate limit headers and its misbehaviour.

Also the addresses by which tests and the demo set that behaviour and read the log from outside.
"""

import errno
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from . import entities
from .forms import BehaviourForm
from .models import Behaviour, Call, Status, Token

RATE_LIMIT = 300
RATE_WINDOW = timedelta(minutes=5)
"""Mastodon's: https://docs.joinmastodon.org/api/rate-limits/. Counted and told, but not enforced."""
PAUSE = timedelta(seconds=3)
"""What a 429 asks its client to wait; short, so that it can be watched."""
SLOWEST_MS = 5000
"""The longest that `slow` takes."""

Mode = Behaviour.Mode


class Answer(JsonResponse):
    """An API answer. effect: whether something new was made, for the log."""

    def __init__(self, data: Any, status: int = 200, *, effect: bool = False) -> None:
        super().__init__(data, status=status, safe=False)
        self.effect = effect


class Refused(Exception):
    """The request can't be granted: an HTTP status, and Mastodon's words for it."""

    def __init__(self, status: int, error: str, **more: str) -> None:
        super().__init__(error)
        self.answer = Answer({"error": error, **more}, status)


View = Callable[..., Answer]
AnyView = Callable[..., HttpResponseBase]


def reading(view: View) -> AnyView:
    """An API view that always works as it should."""
    return _endpoint(view, lambda: Behaviour(delay_ms=0))


def writing(view: View) -> AnyView:
    """An API view that shows the behaviour which was asked for."""
    return _endpoint(view, Behaviour.take)


def _endpoint(view: View, behaviour_now: Callable[[], Behaviour]) -> AnyView:
    @wraps(view)
    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        behaviour = behaviour_now()
        time.sleep(behaviour.seconds)
        effect, response = _behave(behaviour, lambda: view(request, *args, **kwargs))
        token = Token.objects.filter(value=bearer(request)).first()
        if response:
            _tell_rate(response, token, limited=response.status_code == HTTPStatus.TOO_MANY_REQUESTS)
        Call.objects.create(
            method=request.method or "",
            path=request.path[:300],
            key=(request.headers.get("Idempotency-Key") or request.headers.get("webhook-id") or "")[:255],
            token=token,
            effect=effect,
            status=response.status_code if response else None,
        )
        return response or _no_answer()

    return call


def _behave(behaviour: Behaviour, view: Callable[[], Answer]) -> tuple[bool, HttpResponse | None]:
    """Whether the call had an effect, and what to answer (None: nothing)."""
    match behaviour.mode:
        case Mode.RESET:
            return False, None
        case Mode.ERROR:  # not JSON, as real servers' errors often are
            return False, HttpResponse("<!doctype html><title>500</title><h1>Something went wrong</h1>", status=500)
        case Mode.RATE_LIMITED | Mode.RATE_LIMITED_BARE:
            response = Answer({"error": "Too many requests"}, HTTPStatus.TOO_MANY_REQUESTS)
            if behaviour.mode == Mode.RATE_LIMITED:
                response["Retry-After"] = str(int(PAUSE.total_seconds()))
            return False, response
    try:
        answer = view()
    except Refused as refused:
        answer = refused.answer
    return answer.effect, None if behaviour.mode == Mode.DROP else answer


def _tell_rate(response: HttpResponse, token: Token | None, *, limited: bool) -> None:
    """Set the rate limit headers; the window is the same for everybody, and starts every five minutes."""
    now = timezone.now()
    window = RATE_WINDOW.total_seconds()
    start = datetime.fromtimestamp(now.timestamp() // window * window, UTC)
    used = 1 + (token.calls.filter(at__gte=start).count() if token else 0)
    response["X-RateLimit-Limit"] = str(RATE_LIMIT)
    response["X-RateLimit-Remaining"] = "0" if limited else str(max(0, RATE_LIMIT - used))
    response["X-RateLimit-Reset"] = entities.moment(now + PAUSE if limited else start + RATE_WINDOW)


def _no_answer() -> StreamingHttpResponse:
    """Close the connection without a byte: gunicorn does so when the body it iterates over reports a lost client."""

    def body() -> Iterator[bytes]:
        raise ConnectionResetError(errno.ECONNRESET, "no answer, as asked for")
        yield b""

    return StreamingHttpResponse(body())


def bearer(request: HttpRequest) -> str:
    """The request's access token, "" without one. https://www.rfc-editor.org/rfc/rfc6750#section-2.1"""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


@require_POST
def behaviour(request: HttpRequest) -> JsonResponse:
    """Change how the network behaves: JSON with any of `mode`, `delay_ms`, `remaining`; answers the whole behaviour.

    A JSON content type is required, which no other website can send from a visitor's browser.
    """
    current = Behaviour.current()
    try:
        if request.content_type != "application/json":
            return JsonResponse({"error": "Send JSON."}, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        asked = json.loads(request.body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        return JsonResponse({"error": "Send a JSON object."}, status=HTTPStatus.BAD_REQUEST)
    if unknown := asked.keys() - set(BehaviourForm.Meta.fields):
        return JsonResponse({"errors": {name: ["There is no such field."] for name in unknown}}, status=400)
    form = BehaviourForm({**model_to_dict(current), **asked}, instance=current)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=HTTPStatus.BAD_REQUEST)
    return JsonResponse(model_to_dict(form.save(), exclude=["id"]))


@require_GET
def log(request: HttpRequest) -> JsonResponse:
    """The calls after `?after=<id>` (default: all), oldest first."""
    after = request.GET.get("after", "0")
    calls = Call.objects.filter(pk__gt=int(after) if after.isdecimal() else 0)
    return JsonResponse(
        {
            "calls": [
                {
                    "id": call.pk,
                    "at": entities.moment(call.at),
                    "method": call.method,
                    "path": call.path,
                    "key": call.key,
                    "effect": call.effect,
                    "status": call.status,
                }
                for call in calls
            ]
        }
    )


@require_GET
def statuses(request: HttpRequest) -> JsonResponse:
    """All posts, newest first, as the API shows them and with the Idempotency-Key each was made with."""
    rows = Status.objects.select_related("account", "token__app").prefetch_related("pictures")
    return JsonResponse(
        {
            "statuses": [
                {**entities.status(row), "text": row.text, "idempotency_key": row.idempotency_key} for row in rows
            ]
        }
    )


@require_GET
def slow(request: HttpRequest) -> JsonResponse:
    """Answer after `?ms=` milliseconds, SLOWEST_MS at most: an API that takes its time, for the lab."""
    asked = request.GET.get("ms", "")
    if not asked.isdecimal() or len(asked) > 5 or int(asked) > SLOWEST_MS:
        return JsonResponse({"errors": {"ms": [f"Send a whole number from 0 to {SLOWEST_MS}."]}}, status=400)
    time.sleep(int(asked) / 1000)
    return JsonResponse({"ms": int(asked)})
