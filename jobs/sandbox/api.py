"""The part of the Mastodon client API that posting needs. https://docs.joinmastodon.org/methods/

Errors have Mastodon's statuses and its body, `{"error": "…"}`.
"""

import json
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import regex
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.views.decorators.http import require_http_methods
from PIL import Image, UnidentifiedImageError

from . import entities
from .models import Account, Delivery, MediaAttachment, Status, Token, covers
from .practice import Answer, Refused, bearer, reading, writing
from .router import ALIAS
from .webhooks import is_genuine

_URL = regex.compile(r"https?://\S+")
_GRAPHEME = regex.compile(r"\X")
TRUE = {True, "1", "true", "on"}


def parameters(request: HttpRequest) -> dict[str, Any]:
    """What a request carries as JSON, form or multipart, whatever its method; `name[]` becomes the list `name`."""
    if request.content_type == "application/json":
        try:
            data = json.loads(request.body)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "The body is no JSON object")
        return data
    form = request.POST if request.method == "POST" else _form(request)
    return {name.removesuffix("[]"): form.getlist(name) if name.endswith("[]") else form[name] for name in form}


def _form(request: HttpRequest) -> QueryDict:
    """The form in a PUT request, which Django leaves unread."""
    if request.content_type != "multipart/form-data":
        return QueryDict(request.body)
    try:
        return MultiPartParser(request.META, request, request.upload_handlers).parse()[0]
    except MultiPartParserError:
        raise Refused(HTTPStatus.BAD_REQUEST, "The body is no form") from None


def text_of(given: dict[str, Any], name: str, longest: int = 100_000) -> str:
    """A text parameter, "" where it is missing. `longest` is in characters."""
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"Validation failed: {name} is invalid")
    return value


def authorized(request: HttpRequest, scope: str) -> Token:
    """The request's token, if it is valid and covers `scope`."""
    token = Token.objects.select_related("account", "app").filter(value=bearer(request)).first()
    if token is None:
        raise Refused(HTTPStatus.UNAUTHORIZED, "The access token is invalid")
    if token.revoked_at:
        raise Refused(HTTPStatus.UNAUTHORIZED, "The access token was revoked")
    if not covers(token.scopes, scope):
        raise Refused(HTTPStatus.FORBIDDEN, "This action is outside the authorized scopes")
    return token


def length(text: str) -> int:
    """Characters as Mastodon counts them: graphemes, and 23 for an address whatever its length."""
    return len(_GRAPHEME.findall(_URL.sub("x" * entities.CHARACTERS_PER_URL, text)))


@require_http_methods(["GET"])
@reading
def instance(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/instance/#v2"""
    return Answer(entities.instance())


@require_http_methods(["GET"])
@reading
def instance_v1(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/instance/#v1"""
    return Answer(entities.instance_v1())


@require_http_methods(["GET"])
@reading
def verify_credentials(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/accounts/#verify_credentials"""
    return Answer(entities.credential_account(authorized(request, "read:accounts").account))


@require_http_methods(["GET"])
@reading
def account_statuses(request: HttpRequest, pk: int) -> Answer:
    """https://docs.joinmastodon.org/methods/accounts/#statuses (newest first, `limit` up to 40)"""
    account = Account.objects.filter(pk=pk).first()
    if account is None:
        raise Refused(HTTPStatus.NOT_FOUND, "Record not found")
    asked = request.GET.get("limit", "20")
    limit = min(int(asked), 40) if asked.isdecimal() else 20
    rows = account.statuses.select_related("account", "token__app").prefetch_related("pictures")[:limit]
    return Answer([entities.status(row) for row in rows])


@require_http_methods(["GET"])
@reading
def status(request: HttpRequest, pk: int) -> Answer:
    """https://docs.joinmastodon.org/methods/statuses/#get"""
    row = Status.objects.select_related("account", "token__app").filter(pk=pk).first()
    if row is None:
        raise Refused(HTTPStatus.NOT_FOUND, "Record not found")
    return Answer(entities.status(row))


@require_http_methods(["POST"])
@writing
def post_status(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/statuses/#create

    The same Idempotency-Key with the same token answers the status that was made with it.
    """
    token = authorized(request, "write:statuses")
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > 255:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: Idempotency-Key is too long")
    if key and (earlier := token.status_set.filter(idempotency_key=key).first()):
        return Answer(entities.status(earlier))

    given = parameters(request)
    fields = _status_fields(given)
    pictures = _pictures(given, token.account)
    if not fields["text"] and not pictures:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: Text can't be blank")
    with transaction.atomic(using=ALIAS):
        if key:
            row, made = Status.objects.get_or_create(
                token=token, idempotency_key=key, defaults={"account": token.account, **fields}
            )
        else:
            row, made = Status.objects.create(token=token, account=token.account, **fields), True
        if made:
            for position, picture in enumerate(pictures):
                free = MediaAttachment.objects.filter(pk=picture.pk, status=None)
                if not free.update(status=row, position=position):
                    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: Media was attached already")
    return Answer(entities.status(row), effect=made)


def _status_fields(given: dict[str, Any]) -> dict[str, Any]:
    """The checked columns of a new status."""
    text, warning = text_of(given, "status").strip(), text_of(given, "spoiler_text").strip()
    if length(text) + length(warning) > entities.MAX_CHARACTERS:
        limit = f"Text character limit of {entities.MAX_CHARACTERS} exceeded"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"Validation failed: {limit}")
    visibility = text_of(given, "visibility") or Status.Visibility.PUBLIC
    if visibility not in Status.Visibility.values:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: visibility is invalid")
    return {
        "text": text,
        "spoiler_text": warning,
        "visibility": visibility,
        "language": text_of(given, "language", 20),
        "sensitive": given.get("sensitive") in TRUE or bool(warning),
    }


def _pictures(given: dict[str, Any], account: Account) -> list[MediaAttachment]:
    """The pictures that a new status names, in its order."""
    ids = given.get("media_ids") or []
    ids = ids if isinstance(ids, list) else [ids]
    if len(ids) > entities.MAX_PICTURES:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"Cannot attach more than {entities.MAX_PICTURES} files")
    numbers = [int(one) for one in map(str, ids) if one.isdecimal()]
    found = MediaAttachment.objects.filter(account=account, status=None).in_bulk(numbers)
    if len(found) != len(ids):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: Media was not found")
    if not all(picture.is_processed for picture in found.values()):
        error = "Cannot attach files that have not finished processing. Try again in a moment!"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error)
    return [found[number] for number in numbers]


@require_http_methods(["POST"])
@writing
def upload(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/media/#v2: always 202; the picture can be used a moment later."""
    account = authorized(request, "write:media").account
    file = request.FILES.get("file")
    if file is None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: File can't be blank")
    description = _description(parameters(request))
    file_format, (width, height) = _checked_picture(file)
    picture = MediaAttachment(account=account, key=uuid4(), content_type=entities.PICTURE_TYPES[file_format])
    picture.width, picture.height, picture.description = width, height, description
    picture.file.save(f"{picture.key}.{file_format.lower()}", file)
    return Answer(entities.picture(picture), HTTPStatus.ACCEPTED, effect=True)


def _description(given: dict[str, Any]) -> str:
    """The alternative text of a picture."""
    description = text_of(given, "description")
    if len(description) > entities.MAX_DESCRIPTION:
        error = f"Validation failed: Description character limit of {entities.MAX_DESCRIPTION} exceeded"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error)
    return description


def _checked_picture(file: UploadedFile) -> tuple[str, tuple[int, int]]:
    """Format and size of an uploaded picture, by its content."""
    if (file.size or 0) > entities.MAX_PICTURE_BYTES:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: File size must be less than 16 MB")
    try:
        with Image.open(file, formats=list(entities.PICTURE_TYPES)) as image:
            file_format, size = str(image.format), image.size
            image.verify()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        error = "Validation failed: File content type is invalid, File is invalid"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error) from None
    if size[0] * size[1] > entities.MAX_PICTURE_PIXELS:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: File has too many pixels")
    file.seek(0)
    return file_format, size


def _own_picture(request: HttpRequest, pk: int) -> MediaAttachment:
    """The picture, if it belongs to the token's account and no status has it yet."""
    account = authorized(request, "write:media").account
    picture = MediaAttachment.objects.filter(pk=pk, account=account, status=None).first()
    if picture is None:
        raise Refused(HTTPStatus.NOT_FOUND, "Record not found")
    return picture


@reading
def get_picture(request: HttpRequest, pk: int) -> Answer:
    """https://docs.joinmastodon.org/methods/media/#get: 206 while the picture is being processed."""
    picture = _own_picture(request, pk)
    return Answer(entities.picture(picture), HTTPStatus.OK if picture.is_processed else HTTPStatus.PARTIAL_CONTENT)


@writing
def describe_picture(request: HttpRequest, pk: int) -> Answer:
    """https://docs.joinmastodon.org/methods/media/#update"""
    picture = _own_picture(request, pk)
    picture.description = _description(parameters(request))
    picture.save(update_fields=["description"])
    return Answer(entities.picture(picture), effect=True)


@require_http_methods(["POST"])
@writing
def webhook(request: HttpRequest, inbox: str) -> Answer:
    """A webhook inbox: checks the signature (401 without a good one), and keeps every delivery.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    webhook_id = request.headers.get("webhook-id", "")[:255]
    verified = is_genuine(inbox, request.body, dict(request.headers))
    with transaction.atomic(using=ALIAS):
        repeated = verified and Delivery.objects.filter(inbox=inbox, webhook_id=webhook_id, verified=True).exists()
        Delivery.objects.create(
            inbox=inbox,
            webhook_id=webhook_id,
            verified=verified,
            repeated=repeated,
            body=request.body.decode(errors="replace").replace("\0", "\ufffd"),
        )
    if not verified:
        return Answer({"error": "The signature is wrong or missing"}, HTTPStatus.UNAUTHORIZED)
    return Answer({"received": True, "repeated": repeated}, effect=not repeated)
