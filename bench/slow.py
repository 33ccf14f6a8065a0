"""The outside world of the benches: an HTTP server on loopback that answers every GET after a fixed time.

It does next to nothing, so that it is not what is measured; `ceiling` says how much it can answer.
"""

import asyncio
import sys
import time

DELAY = 0.2
"""Seconds that the benches have it take."""
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"ok": true}'


class Slow(asyncio.Protocol):
    """One connection, kept alive. Requests without a body, one after the other."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer, later."""
        self.received += data
        if self.received.endswith(b"\r\n\r\n"):
            self.received = b""
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, ANSWER)


async def serve(port: int, delay: float) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(lambda: Slow(delay), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


async def _ask(port: int, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = 0
    while time.monotonic() < end:
        writer.write(b"GET / HTTP/1.1\r\nHost: slow\r\n\r\n")
        await reader.readexactly(len(ANSWER))
        answers += 1
    writer.close()
    return answers


async def ceiling(port: int, connections: int = 800, seconds: float = 2) -> float:
    """Answers per second over so many connections at once, with a client that does next to nothing either."""
    end = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_ask(port, end) for _ in range(connections)))) / seconds


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
