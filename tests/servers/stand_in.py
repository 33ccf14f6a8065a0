"""The base of the stand-ins: an HTTP server in a thread, that keeps what it was asked and answers as a test says."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def bearer(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """One answer. body: JSON data, text, bytes, or a generator that is sent until it ends or the client is gone.

    dropped: the connection is closed instead.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False


Route = Reply | Callable[[Asked], Reply]
DROPPED = Reply(dropped=True)


class StandIn:
    """Answers with `routes` ("GET /path"), or else with 404. `misbehave` goes first, once for each of its replies."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.routes: dict[str, Route] = {}
        self._misbehaviour: dict[str, list[Route]] = {}
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def misbehave(self, route: str, *replies: Route) -> None:
        """Answer the next requests of a route with these."""
        self._misbehaviour[route] = list(replies)

    def calls(self, route: str) -> list[Asked]:
        """The requests of a route so far."""
        return [asked for asked in self.asked if f"{asked.method} {asked.path}" == route]

    def _reply(self, asked: Asked) -> Reply:
        route = f"{asked.method} {asked.path}"
        with self._lock:
            self.asked.append(asked)
            waiting = self._misbehaviour.get(route)
            answer = waiting.pop(0) if waiting else self.routes.get(route, Reply("Not found", 404))
            return answer(asked) if callable(answer) else answer

    def _handler(stand_in) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.title(): value for name, value in self.headers.items()}
                reply = stand_in._reply(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
                if not reply.dropped:
                    self.send(reply)
                self.close_connection = True

            do_GET = do_POST = do_PUT = answer

            def send(self, reply: Reply) -> None:
                kind, body = encoded(reply.body)
                self.send_response(reply.status)
                for name, value in {"Content-Type": kind, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in body:
                        self.wfile.write(piece)
                except ConnectionError:
                    pass  # the client has read enough

            def log_message(self, *_: object) -> None:
                """Tests look at `asked` instead."""

        return Handler


def encoded(body: Any) -> tuple[str, Iterator[bytes]]:
    """Media type and bytes of a reply's body."""
    if isinstance(body, bytes):
        return "application/octet-stream", iter([body])
    if isinstance(body, str):
        return "text/html; charset=utf-8", iter([body.encode()])
    if isinstance(body, Iterator):
        return "application/json", body
    return "application/json", iter([json.dumps(body).encode()])
