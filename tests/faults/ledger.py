"""The outside world of the fault tests: numbers, who changed them, and who was there at the same time.

A server on loopback that lives in the tests' process. An attempt keeps its connection open for as long as it works, so
the kernel tells when it is over, however it ended. The ledger honours a key, as Mastodon does an `Idempotency-Key`.
"""

import json
import socket
import socketserver
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID


class Visit:
    """An attempt's connection to the ledger: open while the attempt works on `thing`."""

    def __init__(self, port: int, thing: str, job_id: UUID, attempt: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._lines = self._socket.makefile("rw", encoding="utf-8")
        self._ask(object=thing, job=str(job_id), attempt=attempt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()
        self._socket.close()

    def change(self, change: str, key: str) -> int:
        """Apply `+2` or `*5` once for each key. Returns the number after it."""
        value: int = self._ask(change=change, key=key)["value"]
        return value

    def wait(self) -> None:
        """Return when the test lets the attempt go on."""
        self._ask(wait=True)

    def _ask(self, **words: Any) -> dict[str, Any]:
        self._lines.write(json.dumps(words) + "\n")
        self._lines.flush()
        answer: dict[str, Any] = json.loads(self._lines.readline() or "{}")
        return answer


@dataclass(frozen=True)
class Arrival:
    """An attempt that began to work. at: seconds on the monotonic clock."""

    object: str
    job: str
    attempt: int
    at: float


@dataclass(frozen=True)
class Effect:
    """A change that was made."""

    object: str
    job: str
    change: str
    value: int


@dataclass
class Ledger:
    """What the tests read. overlaps: pairs of attempts that worked on one object at the same time."""

    values: Counter[str] = field(default_factory=Counter)
    arrivals: list[Arrival] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    overlaps: list[tuple[Arrival, Arrival]] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._released: set[str] = set()
        self._release = threading.Condition()
        self._there: dict[socket.socket, Arrival] = {}
        self._done: dict[str, int] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.ledger = self
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.let_go("")
        self._server.shutdown()
        self._server.server_close()

    def let_go(self, thing: str = "") -> None:
        """Let the attempts that wait at `thing` go on; without a name, all."""
        with self._release:
            self._released.add(thing)
            self._release.notify_all()

    def hold(self, thing: str) -> None:
        """Return when the test has let `thing` go."""
        with self._release:
            self._release.wait_for(lambda: {"", thing} & self._released)

    def here(self) -> list[Arrival]:
        """The attempts that work just now."""
        with self._lock:
            self._forget_the_gone()
            return list(self._there.values())

    def arrivals_of(self, job_id: UUID) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.job == str(job_id)]

    def effects_of(self, job_id: UUID) -> list[Effect]:
        return [effect for effect in self.effects if effect.job == str(job_id)]

    def arrive(self, connection: socket.socket, words: dict[str, Any]) -> Arrival:
        new = Arrival(words["object"], words["job"], words["attempt"], time.monotonic())
        with self._lock:
            self._forget_the_gone()
            self.overlaps += [(old, new) for old in self._there.values() if old.object == new.object]
            self._there[connection] = new
            self.arrivals.append(new)
            self.most_at_once = max(self.most_at_once, len(self._there))
        return new

    def leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._there.pop(connection, None)

    def apply(self, who: Arrival, change: str, key: str) -> int:
        with self._lock:
            if key not in self._done:
                operator, operand = change[0], int(change[1:])
                value = self.values[who.object]
                value = value + operand if operator == "+" else value * operand
                self._done[key] = self.values[who.object] = value
                self.effects.append(Effect(who.object, who.job, change, value))
            return self._done[key]

    def _forget_the_gone(self) -> None:
        """Forget whose connection the kernel has closed, though their handler's thread did not see it yet."""
        for connection in list(self._there):
            try:
                gone = connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                del self._there[connection]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 200
    ledger: Ledger


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        ledger = self.server.ledger
        try:
            who = ledger.arrive(self.connection, json.loads(self.rfile.readline()))
            self._answer({})
            while line := self.rfile.readline():
                words = json.loads(line)
                if "wait" in words:
                    ledger.hold(who.object)
                    self._answer({})
                    continue
                self._answer({"value": ledger.apply(who, words["change"], words["key"])})
        except OSError:
            pass  # the attempt was killed
        finally:
            ledger.leave(self.connection)

    def _answer(self, words: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(words).encode() + b"\n")
