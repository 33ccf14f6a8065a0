"""deploy/nginx.conf as nginx itself reads it: what it passes on and what it refuses, and what it answers by itself."""

import os
import shutil
import socket
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPSConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from jobs.conf import options
from jobs.sandbox.services import free_port
from jobs.web.body_limit import FIELDS_BYTES, STRANGERS_BYTES
from tests.processes import ROOT, Process, wait_until
from tests.servers.stand_in import Reply, StandIn

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = [
    pytest.mark.stack,
    pytest.mark.apart,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed: nothing is asked through deploy/nginx.conf"),
]

CONFIG = (ROOT / "deploy" / "nginx.conf").read_text()
HSTS = "Strict-Transport-Security"
CSP = "Content-Security-Policy"


class Proxy:
    """nginx with the shipped configuration; only addresses and folders are replaced."""

    def __init__(self, folder: Path, certificate: Path, site: StandIn) -> None:
        self.certificate, self.site = certificate, site
        self.http, self.https = free_port(), free_port()
        (folder / "tls").mkdir()
        for name in ("fullchain.pem", "privkey.pem"):
            shutil.copy(certificate, folder / "tls" / name)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "".join(f" {kind}_temp_path {folder}/{kind};" for kind in kinds)
        text = CONFIG
        for there, here in (
            ("listen 80;", f"listen 127.0.0.1:{self.http};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.https} ssl;"),
            ("http://web:8000;", f"{site.origin};"),
            ("pid /run/nginx.pid;", f"pid {folder}/pid;"),
            ("http {", "http {" + places),
        ):
            assert text.count(there) == 1, there
            text = text.replace(there, here)
        (folder / "nginx.conf").write_text(text)
        # Its processes for requests could not enter our folder as anybody else.
        same_user = "user root; " if os.geteuid() == 0 else ""
        self.process = Process(
            [str(NGINX), "-c", f"{folder}/nginx.conf", "-g", f"{same_user}daemon off;"], name="nginx"
        )
        wait_until(lambda: self.listens() or not self.process.alive(), what="nginx listens")
        assert self.process.alive(), self.process.log

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.https)) == 0

    def connection(self) -> HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return HTTPSConnection("127.0.0.1", self.https, context=context, timeout=60)

    def ask(self, path: str = "/", headers: Mapping[str, str] | None = None) -> requests.Response:
        url = f"https://127.0.0.1:{self.https}{path}"
        return requests.get(url, headers=headers, verify=str(self.certificate), timeout=20)


@pytest.fixture
def proxy(certificate, site) -> Iterator[Proxy]:
    with TemporaryDirectory(prefix="offload-proxy-") as folder:
        proxy = Proxy(Path(folder), certificate, site)
        yield proxy
        proxy.process.stop()


@pytest.fixture
def site() -> Iterator[StandIn]:
    with StandIn() as site:
        site.routes = dict.fromkeys(("GET /", "GET /page", "POST /slow"), Reply("ok"))
        yield site


def test_what_clients_say_of_themselves_is_replaced(proxy, site):
    lies = {
        "Host": "127.0.0.1:1",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Real-Ip": "192.0.2.7",
        "Forwarded": "for=192.0.2.7",
        "Script_Name": "/evil",
        "Cookie": "kept=1",
    }
    assert proxy.ask("/page?b=c", lies).status_code == 200
    (asked,) = site.asked
    assert (asked.path, asked.query) == ("/page", {"b": "c"})
    truth = {"Host": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "Cookie": "kept=1"}
    assert {name: asked.headers[name] for name in lies if name in asked.headers} == truth


def test_plain_http_leads_to_https_and_reaches_nothing(proxy, site):
    answer = requests.get(f"http://127.0.0.1:{proxy.http}/jobs/?a=b", timeout=20, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://127.0.0.1/jobs/?a=b")
    assert site.asked == []


def test_tls_1_2_and_1_3_are_spoken_and_nothing_older_is_named(proxy):
    for known in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert _speaks(proxy, known)
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in CONFIG


def _speaks(proxy: Proxy, version: ssl.TLSVersion) -> bool:
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", proxy.https)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        return connection.version() == version.name.replace("_", ".")


def test_a_body_reaches_the_site_when_it_is_whole_and_with_its_length(proxy, site):
    slow = proxy.connection()
    slow.putrequest("POST", "/slow")
    slow.putheader("Transfer-Encoding", "chunked")
    slow.endheaders()
    slow.send(b"5\r\nhello\r\n")
    proxy.ask("/page")
    assert [asked.path for asked in site.asked] == ["/page"]
    slow.send(b"0\r\n\r\n")
    assert slow.getresponse().status == 200
    asked = site.asked[1]
    assert (asked.path, asked.body, asked.headers["Content-Length"]) == ("/slow", b"hello", "5")
    assert "Transfer-Encoding" not in asked.headers
    slow.close()


def _refused(proxy: Proxy, length: int, cookie: str) -> bool:
    """Whether a body of that length is refused before any of it is sent."""
    connection = proxy.connection()
    connection.putrequest("POST", "/jobs/new/media/")
    connection.putheader("Content-Length", str(length))
    connection.putheader("Cookie", cookie)
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    # Either it is asked for (100), or refused.
    status = connection.sock.recv(100).split()[1]
    connection.close()
    return {b"100": False, b"413": True}[status]


def test_a_body_is_refused_where_the_site_would_refuse_it(proxy, site):
    session = "a=b; __Host-sessionid=x"
    largest = options.MEDIA_MAX_TOTAL_BYTES + FIELDS_BYTES
    assert not _refused(proxy, largest, session)
    assert _refused(proxy, largest + 1, session)
    assert not _refused(proxy, STRANGERS_BYTES, "a=b")
    assert _refused(proxy, 2 * STRANGERS_BYTES, "a=b")
    assert _refused(proxy, 2 * STRANGERS_BYTES, "not__Host-sessionid=x")
    assert not _refused(proxy, 2 * STRANGERS_BYTES, session)
    assert site.asked == []


def test_one_client_has_few_uploads_at_once(proxy):
    started = [proxy.connection() for _ in range(5)]
    for connection in started:
        connection.putrequest("POST", "/slow", skip_accept_encoding=True)
        connection.putheader("Content-Length", "1000000")
        connection.putheader("Cookie", "__Host-sessionid=x")
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
    answers = [connection.sock.recv(100).split()[1] for connection in started]
    assert answers == [*4 * [b"100"], b"429"]
    assert proxy.ask("/page").status_code == 200
    for connection in started:
        connection.close()


def test_its_own_answers_hold_the_headers_that_the_sites_hold_already(proxy, site):
    told = {HSTS: "max-age=1", "X-Content-Type-Options": "nosniff", CSP: "default-src 'self'"}
    site.routes["GET /"] = Reply("ok", headers=told)
    fine = proxy.ask().raw.headers
    assert {name: fine.getlist(name) for name in told} == {name: [value] for name, value in told.items()}
    site.routes["GET /"] = Reply(dropped=True)
    away = proxy.ask()
    assert away.status_code == 502
    assert away.headers[HSTS] == "max-age=31536000; includeSubDomains"
    assert away.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in away.headers[CSP]
    assert away.headers["Server"] == "nginx"
    plain = requests.get(f"http://127.0.0.1:{proxy.http}/", allow_redirects=False, timeout=20)
    assert (plain.status_code, "frame-ancestors 'none'" in plain.headers[CSP]) == (301, True)


def test_a_client_that_asks_without_end_is_told_to_wait(proxy, site):
    many = 800
    connection = proxy.connection()
    connection.connect()
    connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * (many - 1))
    connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answers = b""
    while part := connection.sock.recv(65536):
        answers += part
    connection.close()
    served, refused = answers.count(b"HTTP/1.1 200 "), answers.count(b"HTTP/1.1 429 ")
    assert served + refused == many
    assert len(site.asked) == served
    assert refused


def test_the_log_holds_no_key_and_no_query(proxy, site):
    proxy.ask("/accounts/confirm-email/MQ:secret:key/?next=/secret/")
    proxy.ask("/accounts/password/reset/key/1-secret-key/")
    proxy.ask("/page?code=secret")
    site.routes["GET /accounts/confirm-email/MQ:secret:key/"] = Reply(dropped=True)
    proxy.ask("/accounts/confirm-email/MQ:secret:key/")
    wait_until(lambda: proxy.process.log.count("\n") == 4, what="each request has its line")
    assert "GET /page 200 " in proxy.process.log
    assert "GET /accounts/confirm-email/... 502 " in proxy.process.log
    assert "secret" not in proxy.process.log
