"""Every request to an address that a person typed, or that a server named, goes through here.

requests-hardened lets public IP addresses pass only, and TLS is verified; redirects are not followed, and the time of
the exchange and the size of the answer are bounded. The one exception are the origins of options.SANDBOX_ORIGINS, while
options.SANDBOX is on: they may be on this machine and speak plain HTTP.

What goes wrong is raised as the contract's errors.
"""

import json
import re
import socket
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import requests
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.text import Truncator
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress, filter_host
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from ...contract import Failed, JobError, Sentence, TryAgain, connect, exchange, look_up, options

CONNECT_SECONDS = 5
READ_SECONDS = 20
"""The longest silence of a server."""
UPLOADS = 4
"""How many times as long as any other exchange one may take that sends a picture."""
MAX_BODY = 1024 * 1024
"""Bytes of a body that are read; what follows is left."""
MAX_WAIT = timedelta(days=1)
"""The longest pause that a server may ask for; Bluesky's limits are by the day."""
MAX_WORDS = 200
"""Characters of a server's own words that are shown."""


@dataclass(frozen=True)
class Answer:
    """What a server answered. body: its first MAX_BODY bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked to."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON data, None if it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def fields(self) -> dict[str, Any]:
        """The body as a JSON object, {} if it is something else."""
        data = self.json()
        return data if isinstance(data, dict) else {}

    def words(self) -> str:
        """Why the server refused, in its own words: plain, short, "" if it gave none that can be shown."""
        fields = self.fields()
        for name in ("message", "error_description", "error"):
            if words := clean(fields.get(name)):
                return words
        return ""


# urllib3 has no public way to a connection before its TLS handshake.
class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            return connect(self.host, self.port or self.default_port, CONNECT_SECONDS)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(IPFilterAdapter):  # type: ignore[misc]
    """Looks names up, and connects, within the exchange."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        return look_up(partial(super().build_connection_pool_key_attributes, *args, **kwargs))


class _Session(HTTPSession):  # type: ignore[misc]
    """A hardened session that leaves redirects and the surroundings of the process alone."""

    def __init__(self, *, sandbox: bool) -> None:
        super().__init__(
            Config(
                ip_filter_enable=True,
                ip_filter_allow_loopback_ips=sandbox,
                never_redirect=True,
                default_timeout=(CONNECT_SECONDS, READ_SECONDS),
                user_agent_override="Offload",
            )
        )
        # No .netrc, which would replace our Authorization header, and no proxy, behind which addresses go unchecked.
        self.trust_env = False
        for scheme in ("http", "https"):
            self.mount(f"{scheme}://", _Adapter(is_https_proto=scheme == "https", allow_loopback=sandbox))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Never: even when it follows no redirect, requests would read a redirect's whole body, however large."""


def clean(value: object, length: int = MAX_WORDS) -> str:
    """A string from outside as one short line of visible text; "" for anything that is no string."""
    if not isinstance(value, str):
        return ""
    # U+200D joins the parts of one emoji.
    visible = (c if c == "\u200d" or unicodedata.category(c)[0] != "C" else " " for c in value[: length * 10])
    return Truncator(" ".join("".join(visible).split())).chars(length)


def secret(value: object) -> str:
    """A token from outside, "" unless it is a string that fits into a header."""
    return value if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) < 10_000 else ""


def web_address(typed: str) -> str:
    """The https URL that a person meant. Raises Failed with a sentence if it is none.

    Says nothing yet about the address behind its name; `check_public` and `request` do.
    """
    url = typed.strip()
    if "://" not in url:
        url = f"https://{url}"
    parts = _parse(url)
    if in_sandbox(url):
        return url
    if parts.scheme != "https":
        raise Failed("address", say="address_not_https")
    try:
        URLValidator(schemes=["https"])(url)
    except ValidationError:
        raise Failed("address") from None
    return url


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL (`https://mastodon.example`). Raises Failed if it can't be read."""
    parts = _parse(url)
    port = "" if parts.port in (None, {"https": 443, "http": 80}.get(parts.scheme or "")) else f":{parts.port}"
    return f"{parts.scheme}://{parts.host}{port}"


def host_of(url: str) -> str:
    """Host and port, as people read them."""
    return origin_of(url).partition("://")[2]


def named(name: object, url: str) -> str:
    """The other side in sentences: "Mastodon (mastodon.example)". name: of its network."""
    return f"{name} ({host_of(url)})"


def in_sandbox(url: str) -> bool:
    """Whether the URL belongs to the stand-ins of the outside world that this site was told to trust."""
    return options.SANDBOX and origin_of(url) in {origin_of(origin) for origin in options.SANDBOX_ORIGINS}


def is_web_address(url: object) -> bool:
    """Whether a link that a server named may be shown to people or requested."""
    try:
        return isinstance(url, str) and len(url) < 2000 and bool(web_address(url)) and "://" in url
    except Failed:
        return False


def check_public(url: str) -> None:
    """Look up the URL's host without calling it. Raises Failed if it is private or there is none, TryAgain if that
    could not be found out in time.

    Which of the two it is nobody is told, who could otherwise try out the names of a private network.
    """
    parts = _parse(url)
    try:
        with exchange(options.EXCHANGE_SECONDS):
            host, port = (parts.host or "").strip("[]"), parts.port or 443
            look_up(partial(filter_host, host, port, allow_loopback=in_sandbox(url)))
    except (InvalidIPAddress, requests.RequestException, UnicodeError):
        raise Failed("not_public", host=host_of(url)) from None
    except TimeoutError:
        raise TryAgain("no_answer", say="no_answer_in_time", who=host_of(url)) from None


def request(
    method: str,
    url: str,
    who: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    data: Mapping[str, str | list[str]] | bytes | None = None,
    files: Mapping[str, tuple[str, bytes, str]] | None = None,
    json: object = None,
    patience: int = 1,
) -> Answer:
    """Send one request and read its answer, whatever its status.

    who: the other side in sentences, "Mastodon (mastodon.example)". params, data, json: as in requests; files: name,
    content and media type of each. patience: how many times EXCHANGE_SECONDS it may take.
    Raises Failed if the address is not one we call, TryAgain if no whole answer came; the request may have had its
    effect even so.
    """
    sandbox = in_sandbox(url)
    if not sandbox and _parse(url).scheme != "https":
        raise Failed("address", say="named_not_https", who=who)
    try:
        with (
            exchange(patience * options.EXCHANGE_SECONDS) as one,
            _Session(sandbox=sandbox) as session,
            session.request(
                method,
                url,
                headers=headers,
                params=params,
                data=data,
                files=files,
                json=json,
                stream=True,
                allow_redirects=False,
            ) as response,
        ):
            answer = Answer(response.status_code, response.headers, _read(response))
    except InvalidIPAddress:
        raise _private(url) from None
    except (requests.RequestException, HTTPError, UnicodeError, TimeoutError) as error:
        if one.is_over or isinstance(error, requests.Timeout | TimeoutError):
            raise TryAgain("no_answer", say="no_answer_in_time", who=who) from None
        if isinstance(error, requests.exceptions.SSLError):
            raise TryAgain("no_answer", say="no_certificate", who=who) from None
        raise TryAgain("no_answer", who=who) from None
    if one.is_over:
        # A body without a length ends with the connection, and may look whole.
        raise TryAgain("no_answer", say="no_answer_in_time", who=who)
    return answer


def _read(response: requests.Response) -> bytes:
    """The body's first MAX_BODY bytes."""
    body = b""
    while len(body) < MAX_BODY and (some := response.raw.read1(MAX_BODY - len(body), decode_content=True)):
        body += some
    return body


def expect(answer: Answer, who: str) -> Answer:
    """The answer, if it is a good one. Raises what the contract says about the others.

    Failed("reconnect") for access that was taken away, Failed("refused") for what will be refused again,
    Failed("redirect"), TryAgain for rate limits and servers in trouble.
    """
    if answer.ok:
        return answer
    words = answer.words()
    said = Sentence("said", words=words) if words else Sentence("status", status=answer.status)
    if answer.status == 429:
        if until := waiting_until(answer.headers):
            raise TryAgain("rate_limited", say="rate_limited_until", who=who, until=until, not_before=until)
        raise TryAgain("rate_limited", who=who)
    if answer.status >= 500 or answer.status in (408, 425):
        raise TryAgain("unavailable", who=who, said=said, not_before=waiting_until(answer.headers))
    if 300 <= answer.status < 400:
        raise Failed("redirect", who=who)
    # A bare 403 comes from a firewall in front of the server and says nothing about the account.
    if answer.status == 401 or (answer.status == 403 and words):
        raise Failed("reconnect", say="access_refused", who=who, said=said)
    raise Failed("refused", who=who, said=said)


def not_understood(who: str) -> JobError:
    """The error for an answer that lacks what its documentation promises."""
    return TryAgain("not_understood", who=who)


def waiting_until(headers: Mapping[str, str]) -> datetime | None:
    """When a server wants to be asked again, in the future and at most MAX_WAIT away; None if it does not say.

    Reads Retry-After (seconds or an HTTP date, RFC 9110 section 10.2.3), then RateLimit-Reset and X-RateLimit-Reset,
    which are seconds since 1970 on Bluesky, ISO 8601 on Mastodon, and seconds from now elsewhere.
    """
    now = datetime.now(UTC)
    for name in ("Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"):
        if moment := _moment(headers.get(name, "").strip(), now):
            return min(max(moment, now + timedelta(seconds=1)), now + MAX_WAIT)
    return None


def _moment(text: str, now: datetime) -> datetime | None:
    """The moment that a header names, None if it can't be read. Numbers below 10^9 count from now."""
    try:
        if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text):
            seconds = float(text)
            return now + timedelta(seconds=seconds) if seconds < 1e9 else datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _parse(url: str) -> Url:
    """The parts of a URL, read as requests reads it: two parsers that differ would let one address pass for another."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise Failed("address") from None
    if not parts.scheme or not parts.host or parts.auth or "\\" in url or any(c.isspace() for c in url):
        raise Failed("address")
    return parts


def _private(url: str) -> Failed:
    return Failed("private_address", host=host_of(url))
