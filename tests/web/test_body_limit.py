"""Bodies are refused before they are read."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from jobs.web.body_limit import FIELDS_BYTES, HEAD_ONLY, STRANGERS_BYTES
from tests.conftest import Offload

JSON = {"Accept": "application/json"}


@pytest.fixture
def temporary(settings, tmp_path: Path) -> Path:
    """Where Django stores large uploads while a request is read."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


class Unread:
    """A body that must not be read."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, *_: int) -> bytes:
        raise AssertionError("somebody read the body")

    readline = read

    def __len__(self) -> int:
        return self.size


def send(client: Client, path: str, length: int | str, **more: Any):
    """A POST of a form whose body must not be read."""
    meta: dict[str, Any] = {"wsgi.input": Unread(1), "CONTENT_LENGTH": str(length), **more}
    return client.generic("POST", path, b"", "multipart/form-data; boundary=x", **meta)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/jobs/new/media/", "/nowhere/"])
def test_a_stranger_may_send_little(client: Client, path: str) -> None:
    assert send(client, path, STRANGERS_BYTES + 1).status_code == 413
    answer = send(client, path, 120 * 1024**2, HTTP_ACCEPT="application/json")
    assert answer.status_code == 413
    assert answer.json() == {"errors": {"__all__": ["Please sign in before you send so much."]}}


@pytest.mark.django_db
def test_a_stranger_can_sign_in(client: Client, user) -> None:
    answer = client.post("/accounts/login/", {"login": user.email, "password": "x" * 1000})
    assert answer.status_code == 400
    assert "password" in answer.content.decode()


def test_nobody_sends_more_than_can_be_taken(ann: Client, offload: Offload) -> None:
    offload(MEDIA_MAX_TOTAL_BYTES=1000)
    answer = send(ann, "/jobs/new/media/", 1000 + FIELDS_BYTES + 1)
    assert answer.status_code == 413
    assert "Please send fewer or smaller files." in answer.content.decode()


def test_who_is_signed_in_sends_large_files(ann: Client, temporary: Path) -> None:
    large = SimpleUploadedFile("large.txt", b"x" * 3 * 1024**2)
    answer = ann.post("/jobs/new/media/", {"file": large}, headers=JSON)
    assert answer.status_code == 400
    assert "This is a text file" in answer.json()["errors"]["file"][0]


def test_a_body_without_a_length_is_refused(ann: Client) -> None:
    answer = send(ann, "/jobs/new/echo/", "", HTTP_TRANSFER_ENCODING="chunked", HTTP_ACCEPT="application/json")
    assert answer.status_code == 411
    assert "Content-Length" in answer.json()["errors"]["__all__"][0]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/jobs/new/echo/"])
def test_text_in_other_letters_than_those_of_utf_8_is_refused(client: Client, path: str) -> None:
    """`unicode_escape` makes half a surrogate pair of what is below, which no database and no page can hold."""
    body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\\ud800\r\n--x--\r\n'
    for method in ("GET", "POST"):
        answer = client.generic(
            method, f"{path}?text=%5Cud800", body, "multipart/form-data; boundary=x; charset=unicode_escape"
        )
        assert answer.status_code == 415
        assert "Please send text as UTF-8." in answer.content.decode()
    assert client.generic("GET", path, content_type="text/html; charset=UTF-8").status_code != 415


def test_a_server_that_takes_bodies_whole_may_ask_before(ann: Client, client: Client) -> None:
    asks = {HEAD_ONLY: True}
    assert send(ann, "/jobs/new/media/", STRANGERS_BYTES + 1, **asks).status_code == 100
    assert send(client, "/jobs/new/media/", STRANGERS_BYTES + 1, **asks).status_code == 413


@pytest.fixture
def connection(live_server) -> Iterator[http.client.HTTPConnection]:
    """A connection to the site as a program has it, over a socket."""
    made = http.client.HTTPConnection(live_server.thread.host, live_server.thread.port, timeout=10)
    yield made
    made.close()


def test_a_stranger_is_answered_before_the_body_was_sent(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/accounts/login/")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(120 * 1024**2))
    connection.putheader("Accept", "application/json")
    connection.endheaders()
    assert connection.getresponse().status == 413
