"""What a request that asks for jobs says: its fields and files, and what makes a repetition of it recognisable."""

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict

FORM_KEY = "form_key"
"""Hidden field of the HTML form: the same for every press of its button."""
KEY_LENGTH = 200


class Malformed(Exception):
    """The request can't be read. Its text is a sentence for whoever sent it, status the HTTP status that fits."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class SubmitRequest:
    """A request for jobs, parsed and not yet checked by a form.

    key_start: how `key` begins, known before any file is read; "" if the client gave none.
    """

    kind: str
    fields: MultiValueDict[str, Any]
    files: MultiValueDict[str, UploadedFile]
    key_start: str
    is_form_key: bool

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what is asked."""
        return _fingerprint(self.kind, self.fields, self.files)

    @property
    def key(self) -> str:
        """What repetitions of this submit have in common, "" if the client gave nothing to know them by.

        With an HTML form it is the form's key together with what was typed: a second press of the button is a
        repetition; going back and changing the text is a new submit.
        """
        return f"{self.key_start}{self.fingerprint}" if self.is_form_key else self.key_start


def parse(request: HttpRequest, kind: str) -> SubmitRequest:
    """Parse a POST as a form or as JSON. Raises Malformed."""
    if request.content_type == "application/json":
        fields, files = _json_fields(request), MultiValueDict[str, UploadedFile]()
    else:
        fields, files = request.POST.copy(), request.FILES
    fields.pop("csrfmiddlewaretoken", None)
    form_key = fields.pop(FORM_KEY, [""])[-1]
    header_key = _header_key(request)
    is_form_key = bool(form_key and not header_key)
    return SubmitRequest(kind, fields, files, _form_key_start(form_key) if is_form_key else header_key, is_form_key)


def _json_fields(request: HttpRequest) -> MultiValueDict[str, Any]:
    """The fields of a JSON object, as a form would have sent them."""
    try:
        fields = json.loads(request.body)
        # Half a surrogate pair is valid JSON, but no text that could be stored or sent on.
        json.dumps(fields, ensure_ascii=False).encode()
    except RequestDataTooBig:
        raise Malformed(f"A JSON body may have at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes.", 413) from None
    except (ValueError, RecursionError):
        raise Malformed("The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise Malformed('The body must be a JSON object with the form\'s fields, such as {"text": "Hello"}.')
    return MultiValueDict({name: _json_values(name, value) for name, value in fields.items() if value is not None})


def _json_values(name: str, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) for one in values):
        raise Malformed(f"“{name[:50]}” must be a text, a number, true, false, null or a list of texts and numbers.")
    return [str(one) for one in values]


def _header_key(request: HttpRequest) -> str:
    """https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise Malformed(f"Idempotency-Key must be at most {KEY_LENGTH} printable ASCII characters.")
    return key


def _form_key_start(form_key: str) -> str:
    return f"form{sha256(form_key.encode()).hexdigest()}"


def _fingerprint(kind: str, fields: MultiValueDict[str, Any], files: MultiValueDict[str, UploadedFile]) -> str:
    """SHA-256 (hex) of the kind, the fields and the contents of the files, which are read in pieces and rewound."""
    digest = sha256(kind.encode())
    for name, values in sorted(fields.lists()):
        digest.update(json.dumps([name, values]).encode())
    for name, uploads in sorted(files.lists()):
        for upload in uploads:
            digest.update(json.dumps([name, upload.name, upload.size]).encode())
            for chunk in upload.chunks():
                digest.update(chunk)
            upload.seek(0)
    return digest.hexdigest()
