"""Many clients that speak HTTP/1.1 over connections that they keep, in one asyncio loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie


@dataclass
class Answer:
    """What came back. seconds: from the request (a new connection included) to the last byte."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float
    size: int


class Client:
    """A client with one connection, which it opens anew when the server has closed it."""

    def __init__(self, port: int, cookies: dict[str, str]) -> None:
        self.port = port
        self.cookies = cookies
        self.opened = 0
        self._expires: dict[str, float] = {}
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send a request and read its answer; keep the cookies that come with it."""
        began = time.perf_counter()
        for name in [name for name, end in self._expires.items() if end < began]:
            self.cookies.pop(name, None)
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        message = "\r\n".join([*lines, "", ""]).encode() + body
        kept = self._streams is not None
        try:
            status, answered, content, size = await self._exchange(message)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            if not kept:
                raise
            # The server closed the connection that was kept; browsers do the same.
            status, answered, content, size = await self._exchange(message)
        if answered.get("connection", "").lower() == "close":
            self.close()
        if cookie := answered.get("set-cookie"):
            for name, one in SimpleCookie(cookie).items():
                self.cookies[name] = one.coded_value
                self._expires[name] = began + float(one["max-age"] or "inf")
        return Answer(status, answered, content, time.perf_counter() - began, size + len(message))

    async def _exchange(self, message: bytes) -> tuple[int, dict[str, str], bytes, int]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            self.opened += 1
        reader, writer = self._streams
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        length = int(headers.get("content-length", 0))
        body = await reader.readexactly(length) if length else b""
        return int(first.split(" ", 2)[1]), headers, body, len(head) + length

    def close(self) -> None:
        """Give the connection up."""
        if self._streams:
            self._streams[1].close()
            self._streams = None


@dataclass
class Tally:
    """What many requests came to. sizes: bytes both ways. span: seconds."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    sizes: int = 0
    span: float = 0.0

    def add(self, answer: Answer) -> None:
        """Count one."""
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        self.latencies.append(answer.seconds)
        self.sizes += answer.size

    def figures(self) -> dict[str, float]:
        """Requests a second, and the latency that half and 99 of 100 stay below, in ms."""
        ordered = sorted(self.latencies)
        return {
            "per_second": len(ordered) / self.span,
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
            "bytes": self.sizes / len(ordered),
        }


async def hammer(clients: list[Client], ask: Callable[[Client], Awaitable[Answer]], seconds: float) -> Tally:
    """All clients ask again as soon as they are answered, for so many seconds."""
    tally = Tally()
    began = time.perf_counter()
    end = began + seconds

    async def go_on(client: Client) -> None:
        while time.perf_counter() < end:
            tally.add(await ask(client))

    await asyncio.gather(*map(go_on, clients))
    tally.span = time.perf_counter() - began
    return tally
