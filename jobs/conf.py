"""All options of Offload: one Django setting, `OFFLOAD = {...}`, of which each name has a default.

Code reads them as `options.LEASE_SECONDS`. A value is checked when it is read for the first time, and all of them by
`manage.py check` (`problems`).
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Generic, TypeVar, overload
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from redis.connection import parse_url

T = TypeVar("T")

DAY_SECONDS = 86_400


class Rule(Generic[T]):
    """What the value of an option has to look like.

    words: what follows on "LEASE_SECONDS must be". read: makes a value of the option's type of what was given; raises
    ValueError or TypeError for everything else.
    """

    def __init__(self, words: str, read: Callable[[Any], T]) -> None:
        self.words = words
        self.read = read


class Option(Generic[T]):
    """An option as an attribute of Options, which keeps its value there once it was read.

    default: the value without a setting, or how it follows from other options. meaning: one line, with units.
    """

    def __init__(self, rule: Rule[T], default: "T | Callable[[Options], T]", meaning: str) -> None:
        self.rule = rule
        self.default = default
        self.meaning = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Option[T]": ...

    @overload
    def __get__(self, instance: "Options", owner: type) -> T: ...

    def __get__(self, instance: "Options | None", owner: type) -> "Option[T] | T":
        if instance is None:
            return self
        given = instance.given()
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(NO_DICT)
        if self.name in given:
            try:
                value = self.checked(given[self.name])
            except ValueError as error:
                raise ImproperlyConfigured(_told(self.name, error)) from None
        else:
            value = self.default(instance) if callable(self.default) else self.default
        # From now on this is what Python finds first: leases are looked up with every claim.
        # https://docs.python.org/3/howto/descriptor.html#invocation-from-an-instance
        instance.__dict__[self.name] = value
        return value

    def checked(self, value: object) -> T:
        """The value as the option has it. Raises ValueError with the words that follow on the option's name.

        They do not repeat the value, which may hold a password.
        """
        try:
            return self.rule.read(value)
        except (TypeError, ValueError):
            raise ValueError(f"must be {self.rule.words}.") from None


def number(least: float, most: float = math.inf) -> Rule[float]:
    """A number within bounds."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError
        return _within(value, least, most)

    return Rule(f"a number {_bounds(least, most)}", read)


def whole(least: int, most: float = math.inf) -> Rule[int]:
    """A whole number within bounds."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError
        return _within(value, least, most)

    return Rule(f"a whole number {_bounds(least, most)}", read)


N = TypeVar("N", int, float)


def _within(value: N, least: float, most: float) -> N:
    if not least <= value <= most:
        raise ValueError
    return value


def _bounds(least: float, most: float) -> str:
    return f"from {least:,} to {most:,}" if most < math.inf else f"from {least:,} on"


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _folder(value: Any) -> Path:
    path = Path(value)
    if not path.is_dir():
        raise ValueError
    return path


def _redis_url(value: Any) -> str:
    parse_url(_text(value))  # type: ignore[no-untyped-call]
    return _text(value)


def _origin(value: Any) -> str:
    """scheme://host:port, without the slash that may follow."""
    url = _text(value).removesuffix("/")
    parts = urlsplit(url)
    whole = url == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    if not (whole and parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0):
        raise ValueError
    return url


def _origin_or_none(value: Any) -> str:
    return _origin(value) if value != "" else ""


def _origins(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise ValueError
    return [_origin(url) for url in value]


YES_OR_NO = Rule("True or False", _yes_or_no)
TEXT = Rule("a text", _text)
FOLDER = Rule("the path of a folder that exists", _folder)
REDIS_ADDRESS = Rule("a URL that begins with redis://, rediss:// or unix://, with a port that is a number", _redis_url)
ORIGIN = Rule("an address such as http://127.0.0.1:8001, without a path", _origin)
ORIGIN_OR_NONE = Rule("an address such as https://offload.example, without a path, or nothing", _origin_or_none)
ORIGINS = Rule("a list of addresses such as http://127.0.0.1:8001, without a path", _origins)
PORT_NUMBER = whole(1, 65_535)
SECONDS = number(1, DAY_SECONDS)


class Options:
    """The options, by name. given: the dict that holds what differs from the defaults."""

    LEASE_SECONDS = Option(
        SECONDS, 10, "Seconds a worker may keep silent before its running jobs are given to another."
    )
    SWEEP_SECONDS = Option(
        number(0.1, DAY_SECONDS), 1, "Seconds between two looks for jobs that went missing or have come due."
    )
    WORKER_SILENT_SECONDS = Option(
        SECONDS, 15, "Seconds without a sign of life after which pages, monitor and `/healthz` take a worker for gone."
    )
    GRACE_SECONDS = Option(
        number(0, DAY_SECONDS), 8, "Seconds that running jobs get to end when their worker is told to stop."
    )
    EXCHANGE_SECONDS = Option(
        number(0.1, 50),
        30,
        "Longest time of one exchange with another server, from looking up its name to the end of its answer.",
    )
    KEEP_DAYS = Option(
        whole(0, 36_500), 0, "Days after which a finished job is deleted with its files; 0: jobs are kept."
    )
    NETWORK_CONCURRENCY = Option(
        whole(1), 32, "Jobs at once (threads) in one network worker; one more for what a person waits for."
    )
    MEDIA_CONCURRENCY = Option(
        whole(1), lambda _: os.cpu_count() or 1, "Jobs at once (child processes) in one media worker."
    )
    DATABASE_POOL_SIZE = Option(
        whole(4), 20, "Connections that the threads of one network worker share at most (PostgreSQL)."
    )
    REDIS_URL = Option(REDIS_ADDRESS, "redis://127.0.0.1:6379/0", "Where Redis or Valkey listens.")
    MEDIA_MAX_BYTES = Option(whole(1), 200 * 1024**2, "Largest uploaded file in bytes.")
    MEDIA_MAX_FILES = Option(whole(1, 100), 20, "Most files of one submit.")
    MEDIA_MAX_TOTAL_BYTES = Option(whole(1), 500 * 1024**2, "Most bytes of the files of one submit together.")
    MEDIA_MAX_PIXELS = Option(whole(1), 40_000_000, "Most pixels in a picture or a video's frame.")
    MEDIA_MAX_SECONDS = Option(whole(1), 600, "Longest recording in seconds.")
    MEDIA_MAX_MEMORY = Option(whole(1), 2 * 1024**3, "Bytes of memory that one media job may use.")
    QUOTA_JOBS = Option(whole(0), 1_000, "Most jobs of one owner that wait or run; 0: no limit, as for all quotas.")
    QUOTA_PACE = Option(whole(0), 300, "Most jobs that one owner submits within a minute.")
    QUOTA_BYTES = Option(whole(0), 5 * 1024**3, "Most bytes of one owner's uploads and of what jobs made of them.")
    QUOTA_COMPUTING = Option(whole(0), 14_400, "Most seconds for which media workers work for one owner in a day.")
    QUOTA_ACCOUNTS = Option(whole(0), 50, "Most social accounts of one owner.")
    QUOTA_EXPORTS = Option(whole(0), 2, "Most copies of all their data that one owner has at once.")
    VAR_DIR = Option(
        FOLDER,
        lambda _: Path(gettempdir()),
        "Folder of what is too large for memory while it is made, and of the sandbox's data.",
    )
    BASE_DIR = Option(
        FOLDER, lambda _: Path.cwd(), "Folder in which the lab and the sandbox start further processes of the site."
    )
    HOST = Option(TEXT, "127.0.0.1", "Where the web process listens: a name or an address of the machine.")
    PORT = Option(PORT_NUMBER, 8000, "Port on which the web process listens.")
    SITE_ADDRESS = Option(
        ORIGIN_OR_NONE,
        lambda _: "",
        "Address of the site in mails and where other sites send people back; none: the request's host.",
    )
    UNCONFIRMED_DAYS = Option(
        whole(0, 36_500), 7, "Days after which a sign-up whose address nobody confirmed is deleted; 0: it is kept."
    )
    STAFF_SECOND_FACTOR = Option(
        YES_OR_NO, False, "Whether staff enter the admin only in a session that has shown a second factor."
    )
    EMBEDDED = Option(
        YES_OR_NO, False, "Whether the site brings its own database, Redis and secret key: for one machine only."
    )
    SANDBOX = Option(YES_OR_NO, False, "Whether the mail catcher and the practice network stand in for the world.")
    SANDBOX_URL = Option(ORIGIN, "http://127.0.0.1:8001", "Address of the practice network.")
    SANDBOX_ORIGINS = Option(
        ORIGINS,
        lambda options: [options.SANDBOX_URL],
        "Addresses that social posts may go to although they are on this machine. Without the sandbox there are none.",
    )
    SANDBOX_SMTP_PORT = Option(PORT_NUMBER, 8025, "Port of the mail catcher.")

    def __init__(self, given: Callable[[], object]) -> None:
        self.given = given

    def forget(self) -> None:
        """Look again at what is given."""
        for name in known():
            self.__dict__.pop(name, None)


def known() -> dict[str, Option[Any]]:
    """The options by name."""
    return {name: option for name, option in vars(Options).items() if isinstance(option, Option)}


NO_DICT = 'OFFLOAD must be a dict of options, such as {"LEASE_SECONDS": 10}.'


def problems(given: object) -> Iterator[tuple[str, str]]:
    """What is wrong with a value of OFFLOAD: a sentence each, and a hint or ""."""
    if not isinstance(given, Mapping):
        yield NO_DICT, ""
        return
    for name, value in given.items():
        if name not in known():
            near = get_close_matches(str(name), known(), n=1)
            yield f"OFFLOAD has no option {name!r}.", f"Did you mean {near[0]}?" if near else ""
            continue
        try:
            known()[name].checked(value)
        except ValueError as error:
            yield _told(name, error), ""


def _told(name: str, error: ValueError) -> str:
    return f"OFFLOAD: {name} {error}"


options = Options(lambda: getattr(settings, "OFFLOAD", {}))
"""Those of this site."""


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "OFFLOAD":
        options.forget()


# Tests change settings: https://docs.djangoproject.com/en/5.2/ref/signals/#setting-changed
setting_changed.connect(_forget)
