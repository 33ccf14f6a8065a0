"""The practice network's own pages, pictures and style.

They are drawn without the main site's context: nothing here knows its addresses or who is signed in there.
"""

import hashlib
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.staticfiles import finders
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from PIL import Image, ImageColor

from ..web.styles import CORE
from .models import Account, MediaAttachment, Status

TIMELINE = 50
"""How many posts a page shows."""


def page(name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """One of the network's pages."""
    return HttpResponse(render_to_string(f"sandbox/network/{name}.html", context), status=status)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The newest posts of everybody."""
    posts = Status.objects.select_related("account").prefetch_related("pictures")[:TIMELINE]
    return page("home", {"posts": posts})


@require_safe
def profile(request: HttpRequest, name: str) -> HttpResponse:
    """An account and its newest posts."""
    account = get_object_or_404(Account, name=name)
    posts = account.statuses.select_related("account").prefetch_related("pictures")[:TIMELINE]
    return page("profile", {"account": account, "posts": posts})


@require_safe
def post(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """One post: the page that a status's `url` leads to."""
    return page("post", {"post": get_object_or_404(Status, pk=pk, account__name=name)})


@require_safe
@cache_control(public=True, max_age=3600)
def picture(request: HttpRequest, key: UUID) -> FileResponse:
    """An uploaded picture."""
    row = get_object_or_404(MediaAttachment, key=key)
    return FileResponse(row.file.open(), content_type=row.content_type)


@require_safe
@cache_control(public=True, max_age=3600)
def avatar(request: HttpRequest, name: str) -> HttpResponse:
    """An account's picture: a symmetric pattern of five by five squares drawn from its name."""
    account = get_object_or_404(Account, name=name)
    digest = hashlib.sha256(account.name.encode()).digest()
    colour = ImageColor.getrgb(f"hsl({digest[0] * 360 // 256}, 55%, 45%)")
    pattern = Image.new("RGB", (7, 7), "white")
    for cell, byte in enumerate(digest[1:16]):
        if byte % 2:
            x, y = divmod(cell, 5)
            pattern.putpixel((1 + x, 1 + y), colour)
            pattern.putpixel((5 - x, 1 + y), colour)
    content = BytesIO()
    pattern.resize((224, 224), Image.Resampling.NEAREST).save(content, "PNG")
    return HttpResponse(content.getvalue(), content_type="image/png")


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    """The style sheets of the main site's core, as one."""
    paths = [Path(str(finders.find(sheet))) for sheet in CORE]
    return HttpResponse("".join(path.read_text() for path in paths), content_type="text/css")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer to a request that Django itself turns down."""
    return JsonResponse({"error": "Bad request"}, status=HTTPStatus.BAD_REQUEST)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """JSON for programs, a page for people."""
    if request.path.startswith(("/api/", "/oauth/", "/webhooks/", "/practice/")):
        return JsonResponse({"error": "Record not found"}, status=HTTPStatus.NOT_FOUND)
    return page("not_found", {}, HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug of the practice network itself."""
    return JsonResponse({"error": "The practice network has a bug; its log says more"}, status=500)
