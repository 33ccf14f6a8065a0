"""gunicorn's worker for ASGI, and what it lacks against slow clients: a bound on connections, an end of silent ones.

https://gunicorn.org/asgi/
"""

import asyncio
import socket
import struct
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from config.front import Crowd, source
from config.settings import BEHIND_PROXY, CONNECTIONS_PER_ADDRESS

STUCK_SECONDS = 60
"""A client that takes nothing of 64 kB for so long is cut off."""
LAST_SECONDS = 15
"""How long a connection that is being closed may take for the last bytes."""
UNSENT_BYTES = 64 * 1024
"""What the kernel keeps of an answer that it can't send yet; by itself it would take megabytes for each slow client."""
REFUSED = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"Too many connections come from your address. Please try again in a while.\n"
)


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """One client's connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take it, if there is room for one more of this client."""
        self._end: asyncio.TimerHandle | None = None
        self._transport = transport
        # There is no name of a peer that has gone already.
        self._source = source((transport.get_extra_info("peername") or ("gone",))[0])
        self._taken = self.worker.crowd.enter(self._source)
        if not self._taken:
            transport.write(REFUSED)
            transport.close()
            return
        # https://man7.org/linux/man-pages/man7/tcp.7.html
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.worker.connections.add(self)
        super().connection_made(transport)
        # gunicorn sets no limit to the time until the head of a first request is whole; for later ones this one is.
        self._arm_keepalive_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another."""
        self._end_after(None)
        if self._taken:
            self.worker.crowd.leave(self._source)
            self.worker.connections.discard(self)
            super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes less than is sent."""
        super().pause_writing()
        self._end_after(STUCK_SECONDS)

    def resume_writing(self) -> None:
        """The client has taken it."""
        super().resume_writing()
        if not self._transport.is_closing():
            self._end_after(None)

    def _close_transport(self) -> None:
        if not self._closed:
            super()._close_transport()
            self._end_after(LAST_SECONDS)

    def _end_after(self, seconds: float | None) -> None:
        """Cut the connection off so much later, or not at all."""
        if self._end:
            self._end.cancel()
        self._end = self.worker.loop.call_later(seconds, self._cut_off) if seconds is not None else None

    def _cut_off(self) -> None:
        # Without this the kernel would go on to offer what is unsent.
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def stop(self) -> None:
        """Close it unless a request is under way."""
        if self._awaiting_request:
            self._keepalive_timeout()


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """One web process."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        most = self.cfg.worker_connections
        # All of a proxy's come from its one address; config.front counts the requests of its clients.
        self.crowd = Crowd(most, most if BEHIND_PROXY else CONNECTIONS_PER_ADDRESS)
        self.connections: set[Connection] = set()

    async def _serve(self) -> None:
        # The one place where it looks up what makes a connection.
        gasgi.ASGIProtocol = Connection
        await super()._serve()

    async def _shutdown(self) -> None:
        for connection in list(self.connections):
            connection.stop()
        await super()._shutdown()
