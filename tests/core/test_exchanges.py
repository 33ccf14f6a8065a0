"""The end of an exchange, by its time and by that of its attempt, whatever its thread waits for just then."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from threading import Event, Thread

import pytest

from jobs.contract import ClaimLost
from jobs.core import exchanges
from jobs.core.exchanges import Exchanges, connect, exchange, look_up
from tests.processes import wait_until

LONG = 60


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a server that answers no connection: those that it has not taken yet are as many as there may be."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for one in waiting:
            one.close()


def reads(port: int) -> None:
    with connect("127.0.0.1", port, LONG) as connection:
        assert connection.recv(1) == b""


def connects(port: int) -> None:
    with pytest.raises(OSError, match="reset"):
        connect("127.0.0.1", port, LONG)


def looks_up(_port: int) -> None:
    answered = Event()
    with pytest.raises(TimeoutError):
        look_up(answered.wait)
    answered.set()


WAITS = [(reads, "silent"), (connects, "full"), (looks_up, "silent")]
Wait = Callable[[int], None]


@pytest.mark.parametrize(("wait", "server"), WAITS)
def test_its_time_ends_whatever_it_waits_for(request: pytest.FixtureRequest, wait: Wait, server: str) -> None:
    port = request.getfixturevalue(server)
    with exchange(0.2) as one:
        wait(port)
        assert one.is_over
        for begun in (partial(connect, "127.0.0.1", port, LONG), partial(look_up, list)):
            with pytest.raises(TimeoutError):
                begun()


@pytest.mark.parametrize(("wait", "server"), WAITS)
def test_an_attempt_that_is_given_up_ends_it_and_begins_no_other(
    request: pytest.FixtureRequest, wait: Wait, server: str
) -> None:
    port, attempt, lost = request.getfixturevalue(server), Exchanges(), []
    waits = Event()

    def run() -> None:
        exchanges.of_attempt.set(attempt)
        for _ in range(2):
            try:
                with exchange(LONG):
                    waits.set()
                    wait(port)
                    raise RuntimeError("whatever came of it")
            except ClaimLost as error:
                lost.append(error)

    thread = Thread(target=copy_context().run, args=(run,))
    thread.start()
    assert waits.wait(5)
    attempt.end()
    thread.join(5)
    assert not thread.is_alive()
    assert len(lost) == 2


def test_nothing_of_it_is_left(silent: int) -> None:
    before = threading.active_count()
    with exchange(LONG), connect("127.0.0.1", silent, LONG) as connection:
        connection.sendall(b"x")
    wait_until(lambda: threading.active_count() <= before, what="its threads are gone")


def test_a_host_whose_first_address_does_not_answer_is_reached_at_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `localhost` is, where the server listens on one of its two addresses only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        both = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        with exchange(LONG), connect("localhost", port, LONG) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)


def test_a_name_that_nobody_has_is_told(silent: int) -> None:
    with exchange(LONG), pytest.raises(socket.gaierror):
        connect("nobody.invalid", silent, LONG)


def test_look_ups_that_hang_are_never_more_than_a_number_also_when_nobody_waits_for_them() -> None:
    go_on, begun = Event(), []
    wait_until(lambda: look_ups() == 0, what="those of other tests have ended")

    def hang() -> None:
        begun.append(1)
        go_on.wait(30)

    def given_up() -> None:
        with pytest.raises(TimeoutError):
            look_up(hang)

    try:
        with exchange(LONG) as one:
            threads = [Thread(target=copy_context().run, args=(given_up,)) for _ in range(exchanges.LOOK_UPS)]
            for thread in threads:
                thread.start()
            wait_until(lambda: len(begun) == exchanges.LOOK_UPS, what="all have begun")
            given_up()
            one.end()
            for thread in threads:
                thread.join()
        with exchange(LONG):
            given_up()
        assert len(begun) == look_ups() == exchanges.LOOK_UPS
    finally:
        go_on.set()
        wait_until(lambda: look_ups() == 0, what="all have ended")
    with exchange(LONG):
        assert look_up(lambda: "found") == "found"


def look_ups() -> int:
    """How many threads look a name up."""
    return sum(thread.name == "look-up" for thread in threading.enumerate())
