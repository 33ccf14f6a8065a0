"""The site behind an event loop: the loop takes each request whole and gives its answer away, threads only compute.

Django's own ASGI handler would give each request a thread and a database connection of its own; here the WSGI handler
runs on a few threads that keep theirs. https://docs.djangoproject.com/en/5.2/topics/async/#performance
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from tempfile import SpooledTemporaryFile
from typing import Any
from wsgiref.types import WSGIApplication

from asgiref.wsgi import WsgiToAsgiInstance

THREADS = 8
"""Requests that are computed at once in one process."""
PIECE = 64 * 1024
"""Bytes of an answer that a thread makes at a time: the next ones are made when these are on their way."""
BODY_SECONDS = 20
BODY_PACE = 8_000
"""How long a body may take: so many seconds, and one more for each so many bytes of it that came."""
LINGER_SECONDS = 30
"""How long the rest of a refused body is taken and thrown away: whoever is cut off while sending sees no answer."""
LARGE, LARGE_EACH = 32, 4
"""Large bodies that one process takes at once, in all and from one address: they lie on disk."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Crowd:
    """How many are there at once: at most so many in all, and so many of each address."""

    def __init__(self, most: float, each: int) -> None:
        self._most, self._each = most, each
        self._there: Counter[str] = Counter()
        self._all = 0

    def enter(self, address: str) -> bool:
        """Whether there was room. Then `leave` has to follow."""
        if self._all >= self._most or self._there[address] >= self._each:
            return False
        self._there[address] += 1
        self._all += 1
        return True

    def leave(self, address: str) -> None:
        """Make room again."""
        self._all -= 1
        self._there[address] -= 1
        if not self._there[address]:
            del self._there[address]


@lru_cache(maxsize=10_000)
def source(address: str) -> str:
    """Whom limits count: an IPv4 address, or the /64 network of an IPv6 address, which is what one client has."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((int(found), 64), strict=False))
    return address


class Front:
    """An ASGI application that asks a WSGI application.

    site: the WSGI application. behind_proxy: the last address in X-Forwarded-For is the client's. each: requests of one
    client at once. small: bytes of a body that are taken without asking. head_only: the key in the environ by which the
    site is asked whether it wants a larger one. Status 100 says so; any other answer is the client's.
    """

    def __init__(self, site: WSGIApplication, *, behind_proxy: bool, each: int, small: int, head_only: str) -> None:
        self._site = site
        self._behind_proxy = behind_proxy
        self._small, self._head_only = small, head_only
        self._requests = Crowd(math.inf, each)
        self._large = Crowd(LARGE, LARGE_EACH)
        self._threads = ThreadPoolExecutor(THREADS, "site")
        # Apart from the others, so that a body goes on to be stored while all of them compute.
        self._disk = ThreadPoolExecutor(2, "disk")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request. https://asgi.readthedocs.io/en/stable/specs/www.html"""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        client = self._client(scope)
        if not self._requests.enter(client):
            await _refuse(send, 429, "Too many requests at once come from your address. Please try again in a while.")
            return
        try:
            await self._answer(scope, receive, send, client)
        finally:
            self._requests.leave(client)

    def _client(self, scope: dict[str, Any]) -> str:
        """Whose request it is."""
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if self._behind_proxy and forwarded:
            return source(forwarded[-1].decode("latin-1").rpartition(",")[2].strip())
        return source((scope["client"] or ("gone",))[0])

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send, client: str) -> None:
        body = SpooledTemporaryFile(self._small)  # noqa: SIM115 (closed below, when the thread is done with it)
        try:
            try:
                builder = WsgiToAsgiInstance(self._site)  # type: ignore[no-untyped-call]
                builder.scope = scope
                environ = builder.build_environ(scope, body)  # type: ignore[no-untyped-call]
            except ValueError:
                await _refuse(send, 400, "This request can't be read.")
                return
            if environ.get("CONTENT_LENGTH", "0") == "0" and "HTTP_TRANSFER_ENCODING" not in environ:
                await self._ask(environ, send)
            else:
                await self._take_and_ask(environ, body, receive, send, client)
        except _Left:
            pass
        except _TooSlow:
            await _refuse(send, 408, "The request took too long to arrive.")
        finally:
            body.close()

    async def _take_and_ask(
        self, environ: dict[str, Any], body: SpooledTemporaryFile[bytes], receive: Receive, send: Send, client: str
    ) -> None:
        """Take a small body before anything else; before a large one, or one that grows large, the site is asked."""
        told = int(environ.get("CONTENT_LENGTH", 0))
        length = told if told > self._small else await self._take(body, receive, self._small)
        if length <= self._small:
            environ["CONTENT_LENGTH"] = str(length)
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            await self._ask(environ, send)
        elif await self._ask({**environ, self._head_only: True}, send, unless=100):
            await _drain(receive)
        elif not self._large.enter(client):
            await _refuse(send, 429, "Too many uploads at once. Please try again in a while.")
            await _drain(receive)
        else:
            try:
                await self._take(body, receive, told)
                await self._ask(environ, send)
            finally:
                self._large.leave(client)

    async def _take(self, body: SpooledTemporaryFile[bytes], receive: Receive, most: int) -> int:
        """Take the body, or so much of it that it is more than `most` bytes. Returns its length.

        Raises _TooSlow, and _Left if the client has gone.
        """
        length, began = 0, asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(BODY_SECONDS) as deadline:
                while length <= most:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Left
                    length += len(message["body"])
                    if length > self._small:
                        await _on(self._disk, body.write, message["body"])
                    else:
                        body.write(message["body"])
                    if not message["more_body"]:
                        break
                    deadline.reschedule(began + BODY_SECONDS + length / BODY_PACE)
        except TimeoutError:
            raise _TooSlow from None
        body.seek(0)
        return length

    async def _ask(self, environ: dict[str, Any], send: Send, unless: int = 0) -> bool:
        """Ask the site and send what it answers. unless: a status that is not sent; False if it was that."""
        answer = _Answer(self._site, environ)
        try:
            piece = await _on(self._threads, answer.begin)
            if answer.status == unless:
                return False
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while answer.goes_on:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await _on(self._threads, answer.next_piece)
            await send({"type": "http.response.body", "body": piece, "more_body": False})
            return True
        finally:
            if answer.goes_on:
                self._threads.submit(answer.close)


class _Left(Exception):
    """The client has gone before its request was whole."""


class _TooSlow(Exception):
    """The client did not send its request in time."""


class _Answer:
    """What the site answers. All of it is made on threads."""

    def __init__(self, site: WSGIApplication, environ: dict[str, Any]) -> None:
        self._site, self._environ = site, environ
        self.goes_on = False

    def begin(self) -> bytes:
        """Ask the site. Returns the first piece of the body; `status`, `headers` and `goes_on` are known then."""
        self._body: Iterable[bytes] = self._site(self._environ, self._start)
        self._pieces: Iterator[bytes] = iter(() if self._environ["REQUEST_METHOD"] == "HEAD" else self._body)
        self.goes_on = True
        return self.next_piece()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _no_write

    def next_piece(self) -> bytes:
        """About PIECE bytes more, or what is left; then all is closed."""
        taken, size = [], 0
        for piece in self._pieces:
            taken.append(piece)
            size += len(piece)
            if size >= PIECE:
                return b"".join(taken)
        self.close()
        return b"".join(taken)

    def close(self) -> None:
        """End the request, as Django wants to know."""
        self.goes_on = False
        if close := getattr(self._body, "close", None):
            close()


def _no_write(data: bytes) -> None:
    """WSGI's other way to answer, which Django does not use."""
    raise NotImplementedError


async def _on(threads: ThreadPoolExecutor, function: Callable[..., Any], *args: Any) -> Any:
    """The function's result. A client that leaves does not end it: it holds what must not be closed before."""
    running = asyncio.get_running_loop().run_in_executor(threads, function, *args)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def _refuse(send: Send, status: int, sentence: str) -> None:
    """Answer without asking the site."""
    content = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())]
    headers += [(b"connection", b"close"), (b"retry-after", b"10")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})


async def _drain(receive: Receive) -> None:
    """Throw away what still comes."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message["more_body"]:
                pass
    except TimeoutError:
        pass
