"""The front takes requests whole, gives answers away, and lets nobody hold up others."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import pytest

from config.front import Crowd, source
from jobs.sandbox.services import free_port
from tests.processes import Process, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]

CLIENTS = 100
"""Slow clients at once, for one process with two threads."""


class Server:
    """One web process with `tests.small_site`."""

    def __init__(self, *args: str, **environment: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", *args, "tests.small_site"]
        self.process = Process(
            command, {**os.environ, "PORT": str(self.port), "WEB_CONCURRENCY": "1", **environment}, "front"
        )

    def listens(self) -> bool:
        assert self.process.alive(), self.process.log
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, head: str, body: bytes = b"", *, address: str = "127.0.0.1") -> socket.socket:
        """A connection over which this was sent: the lines of a head, and a body."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(address, 0))
        made.sendall(("\r\n".join([*head.splitlines(), "Host: 127.0.0.1"]) + "\r\n\r\n").encode() + body)
        return made

    def answer(self, head: str, body: bytes = b"", **more: str) -> tuple[int, bytes]:
        """Status and body of what is answered."""
        with closing(self.send(head, body, **more)) as connection:
            return answered(connection)


def answered(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of an answer that tells its length."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return status, stream.read(length)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    came = b""
    try:
        while piece := connection.recv(1 << 20):
            came += piece
    except ConnectionResetError:
        pass
    return came


@contextmanager
def serving(*args: str, **environment: str) -> Iterator[Server]:
    server = Server(*args, **environment)
    try:
        wait_until(server.listens, seconds=40, what="the front listens")
        yield server
    finally:
        server.process.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made
        assert "Traceback" not in made.process.log


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: x",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\nx",
        b"POST /refuse HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\nx",
        b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
    ids=["silent", "in the head", "in the body", "in a large body", "in a body that is refused", "reading"],
)
def test_slow_clients_hold_up_nobody(server: Server, sent: bytes) -> None:
    with ExitStack() as opened:
        slow = []
        for _ in range(CLIENTS):
            client = opened.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", server.port))
            client.sendall(sent)
            slow.append(client)
        for _ in range(20):
            assert server.answer("GET /?a HTTP/1.1") == (200, b" 0 a")


def test_a_head_that_does_not_come_ends_the_connection() -> None:
    with serving("--keep-alive", "1") as server:
        for first in (b"", b"GET / HTTP/1.1\r\nX-Long: "):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent:
                silent.sendall(first)
                assert rest(silent) == b""


def test_a_body_that_does_not_come_is_given_up(server: Server) -> None:
    for length in (900, 9000):
        with closing(server.send(f"POST / HTTP/1.1\nContent-Length: {length}", b"x")) as slow:
            assert answered(slow)[0] == 408


def test_who_takes_no_answer_is_cut_off(server: Server) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", server.port))
        before = server.process.log.count("the large answer is closed")
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(lambda: server.process.log.count("the large answer is closed") > before, what="it is given up")
        slow.settimeout(20)
        assert len(rest(slow)) < 30_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="other systems than Linux do not tell what is unsent in /proc")
def test_the_kernel_keeps_little_of_an_answer_that_is_not_taken(server: Server) -> None:
    seen = [0]

    def unsent() -> int:
        """Bytes of all connections of the server together. https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html"""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(int(line[4].partition(":")[0], 16) for line in lines if int(line[1][-4:], 16) == server.port)

    def full() -> bool:
        seen.append(unsent())
        return seen[-1] == seen[-2] > 0

    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(full, what="the kernel takes no more")
        assert seen[-1] < 300_000
        wait_until(lambda: unsent() == 0, what="it is thrown away when the client is cut off")


def test_a_large_answer_arrives_whole(server: Server) -> None:
    with closing(server.send("GET /large HTTP/1.1\nConnection: close")) as client:
        assert len(rest(client).partition(b"\r\n\r\n")[2]) == 30_000_000
    with closing(server.send("HEAD /large HTTP/1.1\nConnection: close")) as client:
        assert rest(client).partition(b"\r\n\r\n")[2] == b""
    assert "body bytes on a no-body response" not in server.process.log  # nor was it made


@pytest.mark.parametrize("length", [0, 1, 1000, 1001, 3_000_000])
def test_a_body_arrives_whole(server: Server, length: int) -> None:
    told = f"{length or ''}" if length else "0"
    answer = server.answer(f"POST / HTTP/1.1\nContent-Length: {length}", b"x" * length)
    assert answer == (200, f"{told} {length} ".encode())


def test_a_body_without_a_length_is_counted(server: Server) -> None:
    chunked = "POST / HTTP/1.1\nTransfer-Encoding: chunked"
    assert server.answer(chunked, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") == (200, b"5 5 ")
    assert server.answer(chunked, b"%x\r\n%s\r\n" % (1001, b"x" * 1001))[0] == 413


def test_a_large_body_is_refused_before_it_is_read(server: Server) -> None:
    with closing(server.send("POST /refuse HTTP/1.1\nContent-Length: 9000000")) as client:
        assert answered(client)[0] == 413
    with closing(server.send("POST /refuse HTTP/1.1\nContent-Length: 9000\nExpect: 100-continue")) as client:
        assert answered(client)[0] == 413
    # Whoever looks at the answer only when all is sent reads it too.
    assert server.answer("POST /refuse HTTP/1.1\nContent-Length: 9000000", b"x" * 9_000_000)[0] == 413


def test_large_bodies_of_one_client_come_one_after_another(server: Server) -> None:
    with closing(server.send("POST / HTTP/1.1\nContent-Length: 9000", b"x")) as first:
        wait_until(lambda: server.answer("POST / HTTP/1.1\nContent-Length: 9000")[0] == 429, what="one is refused")
        first.sendall(b"x" * 8999)
        assert answered(first) == (200, b"9000 9000 ")


def test_what_was_asked_for_is_done_although_the_client_has_gone(server: Server) -> None:
    before = server.process.log.count("waited")
    server.send("POST /wait HTTP/1.1\nContent-Length: 1", b"x").close()
    wait_until(lambda: server.process.log.count("waited") > before, what="it is done")
    assert "Traceback" not in server.process.log


def test_what_is_no_request_for_the_site_is_refused(server: Server) -> None:
    assert server.answer("GET /?ä HTTP/1.1")[0] == 400
    upgrade = "GET / HTTP/1.1\nUpgrade: websocket\nConnection: upgrade\nSec-WebSocket-Version: 13"
    assert server.answer(upgrade + "\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")[0] == 403
    assert server.answer("GET / HTTP/1.1\nX-Long: " + "x" * 10_000)[0] == 431


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems than Linux have one address of the loopback interface"
)
def test_one_address_has_only_so_many_connections() -> None:
    with serving(CONNECTIONS_PER_ADDRESS="20") as server, ExitStack() as opened:
        many = [opened.enter_context(closing(server.send("GET / HTTP/1.1", address="127.0.0.2"))) for _ in range(30)]
        statuses = [rest(one).split()[1] if number >= 20 else answered(one)[0] for number, one in enumerate(many)]
        assert statuses == [200] * 20 + [b"429"] * 10
        assert server.answer("GET / HTTP/1.1")[0] == 200
        many[0].close()
        wait_until(lambda: server.answer("GET / HTTP/1.1", address="127.0.0.2")[0] == 200, what="there is room again")


def test_behind_a_proxy_the_clients_are_counted_that_it_names() -> None:
    with serving(CONNECTIONS_PER_ADDRESS="1", BEHIND_PROXY="1", EACH="1") as server, ExitStack() as opened:

        def ask(address: str) -> socket.socket:
            head = f"GET /wait HTTP/1.1\nX-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 198.51.100.2, {address}"
            return opened.enter_context(closing(server.send(head)))

        first, second, other = ask("203.0.113.1"), ask("203.0.113.1"), ask("203.0.113.2")
        assert sorted([answered(first)[0], answered(second)[0]]) == [200, 429]
        assert answered(other)[0] == 200


def test_it_stops_at_once_and_answers_what_it_was_asked() -> None:
    with serving() as server, ExitStack() as opened:
        idle = opened.enter_context(closing(server.send("GET / HTTP/1.1")))
        assert answered(idle)[0] == 200
        busy = opened.enter_context(closing(server.send("GET /wait HTTP/1.1")))
        web = psutil.Process(server.process.pid)
        wait_until(lambda: len(web.children()) == 1)
        server.process.popen.terminate()
        assert rest(idle) == b""
        assert answered(busy)[0] == 200
        assert server.process.popen.wait(20) == 0
        # Nobody had to kill it.
        assert "Worker exiting" in server.process.log
        assert "Traceback" not in server.process.log


# --- Who is counted --------------------------------------------------------------------------------------------------


def test_a_crowd_has_room_for_so_many_in_all_and_of_each() -> None:
    crowd = Crowd(3, 2)
    assert [crowd.enter(who) for who in "aaabc"] == [True, True, False, True, False]
    crowd.leave("a")
    assert [crowd.enter(who) for who in "ab"] == [True, False]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_network_counts_as_one_client(address: str, counted: str) -> None:
    assert source(address) == counted
