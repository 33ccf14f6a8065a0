"""What gunicorn.conf.py promises to pages that wait."""

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import psutil
import pytest
import requests

from jobs.sandbox.services import free_port
from jobs.web.job_status import SLOWEST
from tests.processes import ROOT, Process, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]

MANY = 60
GUNICORN = [sys.executable, "-m", "gunicorn", "config.asgi"]


def test_a_connection_outlives_the_pause_between_two_polls() -> None:
    told = subprocess.run([*GUNICORN, "--print-config"], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    (seconds,) = re.findall(r"^keepalive\s+= (\d+)$", told, re.MULTILINE)
    assert int(seconds) > 1.1 * SLOWEST


@pytest.mark.skipif(sys.platform != "linux", reason="other systems than Linux do not share connections evenly")
def test_connections_that_are_kept_are_shared_by_the_processes() -> None:
    port = free_port()
    web = Process(GUNICORN, {**os.environ, "PORT": str(port), "WEB_CONCURRENCY": "2"}, name="web")
    with ExitStack() as opened:
        opened.callback(web.stop)
        wait_until(lambda: _connections(web.pid, psutil.CONN_LISTEN).total() == 2, seconds=40, what="both listen")
        # One that is slow to wake, as seen from the other: where both listen on one socket, that one takes all.
        slow = psutil.Process(next(iter(_connections(web.pid, psutil.CONN_LISTEN))))
        slow.suspend()
        for _ in range(MANY):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        wait_until(lambda: _connections(web.pid, psutil.CONN_ESTABLISHED).total() >= MANY / 5)
        slow.resume()
        wait_until(lambda: _connections(web.pid, psutil.CONN_ESTABLISHED).total() == MANY)
        shares = _connections(web.pid, psutil.CONN_ESTABLISHED)
        assert len(shares) == 2
        assert min(shares.values()) >= MANY / 5, shares


def test_the_log_of_requests_holds_no_key_of_a_mailed_link() -> None:
    port = free_port()
    web = Process([*GUNICORN, "--access-logfile", "-"], {**os.environ, "PORT": str(port)}, name="web")
    site = f"http://127.0.0.1:{port}"
    # Below an address that is none, so that the answer needs neither database nor style sheets.
    paths = ["/nowhere/confirm-email/MQ:1secret:key/", "/nowhere/password/reset/key/1-secret-key/"]

    def asked() -> bool:
        try:
            for path in paths:
                requests.get(site + path, headers={"Referer": site + path, "Accept": "application/json"}, timeout=20)
        except requests.ConnectionError:
            return False
        return True

    with ExitStack() as opened:
        opened.callback(web.stop)
        wait_until(asked, seconds=40, what="it answers")
        line = r'"GET /nowhere/{0} HTTP/1.1" 404 \d+ "http://[^/]+/nowhere/{0}"'
        shortened = ("confirm-email/…/", "password/reset/key/1-…/")
        wait_until(lambda: all(re.search(line.format(path), web.log) for path in shortened), what="all is logged")
        assert "secret" not in web.log


def test_a_strangers_large_body_is_refused_before_it_is_sent() -> None:
    port = free_port()
    web = Process(GUNICORN, {**os.environ, "PORT": str(port)}, name="web")
    with ExitStack() as opened:
        opened.callback(web.stop)
        wait_until(lambda: _connections(web.pid, psutil.CONN_LISTEN).total() == 2, seconds=40, what="both listen")
        connection = opened.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=20)))
        connection.putrequest("POST", "/nowhere/")
        connection.putheader("Content-Length", "100000")
        connection.putheader("Accept", "application/json")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.load(answer) == {"errors": {"__all__": ["Please sign in before you send so much."]}}


def _connections(pid: int, status: str) -> Counter[int]:
    """How many connections of this status each child of the process has."""
    return Counter(
        child.pid
        for child in psutil.Process(pid).children()
        for connection in child.net_connections("tcp")
        if connection.status == status
    )


def test_no_header_says_where_the_site_lies_or_that_it_is_served_over_https() -> None:
    port = free_port()
    web = Process(GUNICORN, {**os.environ, "PORT": str(port), "BEHIND_PROXY": "0", "HTTPS": "1"}, name="web")
    address = f"http://127.0.0.1:{port}/nowhere/"
    headers = {"X-Forwarded-Proto": "https", "SCRIPT_NAME": "/elsewhere", "Accept": "application/json"}
    with ExitStack() as opened:
        opened.callback(web.stop)
        found: list[requests.Response] = []

        def answered() -> bool:
            with suppress(requests.ConnectionError):
                found.append(requests.get(address, headers=headers, timeout=20, allow_redirects=False))
            return bool(found)

        wait_until(answered, seconds=40, what="it answers")
        assert (found[0].status_code, found[0].headers["Location"]) == (301, address.replace("http", "https", 1))
