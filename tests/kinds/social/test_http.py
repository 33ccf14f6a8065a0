"""Requests to addresses that people typed: which are made at all, and what of their answers is let in."""

import gzip
import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from jobs.conf import options
from jobs.contract import Failed, JobError, TryAgain
from jobs.kinds.social import http
from jobs.kinds.social.sentences import in_words
from tests.processes import wait_until
from tests.servers.dripping import Dripping
from tests.servers.stand_in import Reply, StandIn


@pytest.fixture
def local() -> Iterator[StandIn]:
    """A server on this machine that the site does not trust."""
    with StandIn() as server:
        server.routes["GET /"] = Reply("secret")
        yield server


@pytest.fixture
def trusted(offload) -> Iterator[StandIn]:
    with StandIn() as server:
        offload(SANDBOX_ORIGINS=[server.origin])
        yield server


HOSTS = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "localhost",
    "0.0.0.0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[::]",
    "user@127.0.0.1",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_no_form_of_a_private_address_is_called(local, host, scheme):
    port = local.origin.rpartition(":")[2]
    with pytest.raises(JobError):
        http.request("GET", f"{scheme}://{host}:{port}/", "X")
    assert local.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1",
        "https://169.254.169.254/latest",
        "https://100.64.0.1",
        "https://192.168.1.1:8443",
        "https://[fd00::1]",
    ],
)
def test_a_private_address_gets_a_clear_sentence(url):
    host = http.host_of(url)
    with pytest.raises(Failed) as refused:
        http.check_public(http.web_address(url))
    assert in_words(refused.value) == f"There is no public server at {host}. Please check the address."
    with pytest.raises(Failed) as refused:
        http.request("GET", url, "X")
    assert in_words(refused.value) == f"{host} is a private address; we only connect to public ones."


def test_a_private_name_reads_as_one_that_nobody_has():
    said = set()
    for host in ("localhost", "nowhere.invalid"):
        with pytest.raises(Failed) as refused:
            http.check_public(f"https://{host}")
        said.add((refused.value.code, in_words(refused.value).replace(host, "…")))
    assert len(said) == 1


@pytest.mark.parametrize(
    "typed",
    [
        "", "not an address", "https://", "https://exa mple.org", "https://user:pw@example.org", "ftp://example.org",
        "https://example.org:99999", "https://example", "https://2130706433", "https://-x.org", "javascript:alert(1)",
        "https://example.org\\@127.0.0.1", "file:///etc/passwd", "http://example.org", "https://" + "a" * 300 + ".org",
    ],
)  # fmt: skip
def test_what_is_no_web_address_gets_a_clear_sentence(typed):
    with pytest.raises(Failed) as error:
        http.web_address(typed)
    assert "web address" in in_words(error.value) or "https://" in in_words(error.value)


@pytest.mark.parametrize(
    "typed", ["mastodon.example", " https://mastodon.example/ ", "https://Mastodon.example:443/@ann"]
)
def test_a_web_address_is_understood_as_people_type_it(typed):
    assert http.origin_of(http.web_address(typed)) == "https://mastodon.example"


def test_the_sandbox_is_trusted_to_the_port_and_only_while_it_is_on(trusted, local, offload):
    trusted.routes["GET /"] = Reply("hello")
    assert http.request("GET", f"{trusted.origin}/", "X").body == b"hello"
    sneaky = f"{local.origin}\\@{trusted.origin.removeprefix('http://')}/"
    for url in (f"{local.origin}/", trusted.origin.replace("127.0.0.1", "localhost"), sneaky):
        with pytest.raises(Failed):
            http.request("GET", url, "X")
    offload(SANDBOX=False)
    with pytest.raises(Failed):
        http.request("GET", f"{trusted.origin}/", "X")
    assert (len(trusted.asked), local.asked) == (1, [])


def test_a_redirect_to_loopback_is_not_followed_and_its_body_is_bounded(trusted, local):
    def endless():
        while True:
            yield b"x" * 65536

    trusted.routes["GET /"] = lambda _: Reply(endless(), 302, {"Location": f"{local.origin}/"})
    answer = http.request("GET", f"{trusted.origin}/", "X")
    assert (answer.status, len(answer.body), local.asked) == (302, http.MAX_BODY, [])
    with pytest.raises(Failed) as refused:
        http.expect(answer, "X")
    assert in_words(refused.value) == "X sends us on to another address. Connect that one instead."


def test_a_body_that_grows_when_unpacked_is_bounded_too(trusted):
    trusted.routes["GET /"] = Reply(gzip.compress(b"0" * 50_000_000), headers={"Content-Encoding": "gzip"})
    assert len(http.request("GET", f"{trusted.origin}/", "X").body) == http.MAX_BODY


def test_a_body_that_trickles_in_is_given_up(trusted, offload):
    def trickle():
        while True:
            yield b" "

    offload(EXCHANGE_SECONDS=0.1)
    trusted.routes["GET /"] = lambda _: Reply(trickle())
    with pytest.raises(TryAgain) as late:
        http.request("GET", f"{trusted.origin}/", "X")
    assert in_words(late.value) == "X did not answer in time."


@pytest.mark.parametrize(
    ("scheme", "beginning"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: "),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"),
        ("https", b"\x16\x03\x03\x40\x00"),
    ],
    ids=["status", "head", "body", "body without a length", "chunk", "TLS"],
)
def test_an_exchange_ends_with_its_time_wherever_it_drips(monkeypatch, offload, scheme, beginning):
    monkeypatch.setattr(http, "CONNECT_SECONDS", 60)  # which bounds the handshake as well
    with Dripping(b"", beginning) as server:
        origin = f"{scheme}://127.0.0.1:{server.port}"
        offload(SANDBOX=True, SANDBOX_ORIGINS=[origin], EXCHANGE_SECONDS=0.3)
        with pytest.raises(TryAgain) as late:
            http.request("GET", f"{origin}/", "X")
        assert in_words(late.value) == "X did not answer in time."
        wait_until(lambda: server.left, seconds=5, what="the connection is gone")


def test_nothing_is_left_of_an_exchange_that_is_over(trusted):
    trusted.routes["GET /"] = Reply("hello")
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        http.request("GET", f"{trusted.origin}/", "X")
    wait_until(lambda: (threading.active_count(), len(os.listdir("/proc/self/fd"))) <= before, what="all is closed")


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<h1>Hi</h1>"), Reply(b""), Reply(b"[" * 100_000), Reply([1]), Reply(b'{"a": 1e999'), Reply(b"\xff\xfe"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_has_no_fields(trusted, reply):
    trusted.routes["GET /"] = reply
    assert http.request("GET", f"{trusted.origin}/", "X").fields() == {}


@pytest.mark.parametrize(
    "raw", [b"HTTP/1.1 abc\r\n\r\n", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip"]
)
def test_an_answer_that_is_not_http_is_no_answer(raw, offload):
    with socket.create_server(("127.0.0.1", 0)) as server:
        offload(SANDBOX_ORIGINS=[f"http://127.0.0.1:{server.getsockname()[1]}"])

        def answer() -> None:
            connection = server.accept()[0]
            with connection:
                connection.recv(65536)
                connection.sendall(raw)

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(TryAgain) as nothing:
            http.request("GET", options.SANDBOX_ORIGINS[0], "X")
        thread.join()
    assert in_words(nothing.value).startswith("X did not answer")


def test_a_server_without_a_valid_certificate_gets_no_request(trusted, offload):
    offload(SANDBOX_ORIGINS=[trusted.origin.replace("http", "https")])
    with pytest.raises(TryAgain) as unsafe:
        http.request("GET", options.SANDBOX_ORIGINS[0], "X")
    assert in_words(unsafe.value).startswith(("X has no valid certificate", "X did not answer"))
    assert trusted.asked == []


def test_passwords_and_proxies_of_the_machine_are_left_alone(trusted, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    trusted.routes["GET /"] = Reply("hello")
    http.request("GET", f"{trusted.origin}/", "X", headers={"Authorization": "Bearer mine"})
    assert trusted.asked[0].bearer == "mine"


def test_a_moment_to_wait_for_is_in_the_future_and_bounded():
    now = datetime.now(UTC)

    def seconds(**headers: str) -> float | None:
        until = http.waiting_until({name.replace("_", "-"): value for name, value in headers.items()})
        return None if until is None else round((until - now).total_seconds(), -1)

    assert seconds() is None
    assert seconds(Retry_After="120") == 120
    assert seconds(Retry_After="0") == 0
    assert seconds(Retry_After="Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds(RateLimit_Reset=str(int(now.timestamp()) + 300)) == 300
    assert seconds(RateLimit_Reset="60") == 60
    assert seconds(X_RateLimit_Reset=(now + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")) == 300
    assert seconds(Retry_After="nonsense", X_RateLimit_Reset="300") == 300
    for nonsense in (
        "-5",
        "1e400",
        "9" * 14,
        "9" * 30,
        "NaN",
        "²",
        "0000-00-00",
        "9999-12-31T23:59:59-23:59",
        "soon",
        "\x00",
    ):
        assert seconds(Retry_After=nonsense) is None
    assert seconds(Retry_After="999999999") == http.MAX_WAIT.total_seconds()


def test_without_the_sandbox_a_link_to_it_is_not_shown(offload):
    offload(SANDBOX=False)
    assert not http.is_web_address(f"{options.SANDBOX_URL}/@ann/1")
    assert http.is_web_address("https://mastodon.example/@ann/1")
    for link in (
        "javascript:alert(1)",
        "https:/mastodon",
        "mastodon.example",
        None,
        7,
        "https://x.example/" + "a" * 3000,
    ):
        assert not http.is_web_address(link)
