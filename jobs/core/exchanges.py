"""Talking with other servers: an exchange ends with its time, and with the attempt that it belongs to.

The timeout of a socket is one for each read: a server that sends a byte now and then never reaches it. And nothing
stops a thread from outside. So what it waits for is ended: its connections are shut down, its look-ups given up.
"""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from threading import BoundedSemaphore, Lock, Thread, Timer
from typing import Any, TypeVar

from ..kind import ClaimLost

T = TypeVar("T")

LOOK_UPS = 256
"""The most look-ups of names in one process at once, those that were given up and have not ended included."""
_look_ups = BoundedSemaphore(LOOK_UPS)


class Exchange:
    """What one thread has to do with another server. is_over: its time is, or its attempt was given up."""

    def __init__(self) -> None:
        self.is_over = False
        self._lock = Lock()
        self._waits: list[socket.socket | Future[Any]] = []

    def end(self) -> None:
        """End all that its thread waits for, now and from now on. For other threads."""
        with self._lock:
            self.is_over = True
            for wait in self._waits:
                if isinstance(wait, Future):
                    wait.cancel()
                else:
                    with suppress(OSError):  # the other side was quicker
                        wait.shutdown(socket.SHUT_RDWR)

    def watch(self, wait: "socket.socket | Future[Any]") -> None:
        """Let this end with the exchange. Raises TimeoutError if that is over by now."""
        with self._lock:
            self._waits.append(wait)
            if self.is_over:
                raise TimeoutError("the exchange is over")

    def close(self) -> None:
        """Let go of what it has watched."""
        with self._lock:
            for wait in self._waits:
                if isinstance(wait, socket.socket):
                    wait.close()
            self._waits.clear()


class Exchanges:
    """Those of one attempt at a job. is_over: the attempt was given up."""

    def __init__(self) -> None:
        self.is_over = False
        self._lock = Lock()
        self._open: set[Exchange] = set()

    def end(self) -> None:
        """End those that are open, and let no other begin. For other threads than the attempt's."""
        with self._lock:
            self.is_over = True
            for one in self._open:
                one.end()

    def add(self, one: Exchange) -> None:
        """Let this end with the attempt. Raises ClaimLost if that was given up."""
        with self._lock:
            if self.is_over:
                raise ClaimLost
            self._open.add(one)

    def remove(self, one: Exchange) -> None:
        """What `one` was for is done. Raises ClaimLost if the attempt was given up, whatever came of it."""
        with self._lock:
            self._open.remove(one)
            if self.is_over:
                raise ClaimLost


of_attempt: ContextVar[Exchanges] = ContextVar("of_attempt")
"""Those of the attempt that this thread runs. None are known of a child process, which is killed with all it has."""
_current: ContextVar[Exchange] = ContextVar("current")


@contextmanager
def exchange(seconds: float) -> Iterator[Exchange]:
    """All that this thread asks of another server within the block ends after `seconds`, wherever it is: looking up the
    name, connecting, TLS, asking, reading the answer. What waits then gets an OSError, or the end of the answer.

    Holds for connections that `connect` made. Raises ClaimLost, in place of whatever came of it, if the attempt was
    given up meanwhile (its time limit was reached, say); the exchange ends at once then.
    """
    attempt, one = of_attempt.get(None) or Exchanges(), Exchange()
    attempt.add(one)
    timer = Timer(seconds, one.end)
    timer.daemon = True
    timer.start()
    before = _current.set(one)
    try:
        yield one
    finally:
        _current.reset(before)
        timer.cancel()
        one.close()
        attempt.remove(one)


def connect(host: str, port: int, seconds: float | None) -> socket.socket:
    """A TCP connection that ends with the exchange of this thread.

    seconds: the longest silence, here for each address of the host, and later for each read. Raises OSError.
    """
    problem = OSError("the name has no address")
    for family, kind, protocol, _, address in look_up(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(seconds)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            # TLS takes the socket over, so a second descriptor of it is kept.
            _current.get().watch(made.dup())
            made.connect(address)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem


def look_up(ask: Callable[[], T]) -> T:
    """The answer of `ask`, which asks for the addresses of a name. Raises what `ask` raises; TimeoutError at the end of
    the exchange.

    Nothing interrupts getaddrinfo, so a thread of its own waits for it and is left to end when nobody needs its answer
    any more: as long as the machine's resolver tries (resolv.conf). There are never more than LOOK_UPS of them.
    https://man7.org/linux/man-pages/man5/resolv.conf.5.html
    """
    answer: Future[T] = Future()
    _current.get().watch(answer)
    if not _look_ups.acquire(blocking=False):
        raise TimeoutError("too many look-ups of names hang")
    Thread(target=_find, args=(ask, answer), daemon=True, name="look-up").start()
    try:
        return answer.result()
    except CancelledError:
        raise TimeoutError("the name was not found in time") from None


def _find(ask: Callable[[], T], answer: "Future[T]") -> None:
    with suppress(InvalidStateError):  # nobody waits any more
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 (whoever asked will see to it)
            answer.set_exception(error)
        finally:
            _look_ups.release()
