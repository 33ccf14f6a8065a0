"""A WSGI application of a few lines behind the site's front, for tests of the front: `gunicorn tests.small_site`.

Its times are a second, so that tests see them end.
"""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any
from wsgiref.types import StartResponse

from config import connections, front
from config.settings import BEHIND_PROXY

SMALL = 1000
HEAD_ONLY = "tests.head_only"
WAIT_SECONDS = 1

front.BODY_SECONDS = front.LINGER_SECONDS = 1
front.LARGE_EACH = 1
front.THREADS = 2
connections.STUCK_SECONDS = connections.LAST_SECONDS = 1


class Large:
    """An answer of many pieces that says when it is closed."""

    def __iter__(self) -> Iterator[bytes]:
        yield from [b"x" * 10_000] * 3_000

    def close(self) -> None:
        sys.stderr.write("the large answer is closed\n")


def site(environ: dict[str, Any], start_response: StartResponse) -> Any:
    """Tell what came; wait, be large, or refuse bodies, as the path says."""
    path = environ["PATH_INFO"]
    if environ.get(HEAD_ONLY):
        status = "413 Too Large" if path == "/refuse" or "CONTENT_LENGTH" not in environ else "100 Continue"
        start_response(status, [("Content-Length", "0")])
        return [b""]
    if path == "/large":
        start_response("200 OK", [("Content-Length", str(30_000_000))])
        return Large()
    if path == "/wait":
        time.sleep(WAIT_SECONDS)
        sys.stderr.write("waited\n")
    body = environ["wsgi.input"].read()
    told = f"{environ.get('CONTENT_LENGTH', '')} {len(body)} {environ['QUERY_STRING']}".encode()
    start_response("200 OK", [("Content-Length", str(len(told)))])
    return [told]


application = front.Front(
    site, behind_proxy=BEHIND_PROXY, each=int(os.environ.get("EACH", "200")), small=SMALL, head_only=HEAD_ONLY
)
