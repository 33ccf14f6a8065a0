"""Everything that `manage.py run` starts, held together by honcho: one process ends, or a signal comes, and all end.

The sandbox's part of the project, since it is the embedded default that is run this way; docs/running.md and
docker-compose.yml say how the same processes are run for real.
"""

import errno
import fcntl
import os
import re
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command
from django.db import connections, transaction
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer

from ..conf import options
from .services import valkey_command

DEMO = "demo@offload.example"
STAFF = "staff@offload.example"

# The address of a unix socket has room for 104 bytes on macOS and 108 on Linux, https://man7.org/linux/man-pages/man7/unix.7.html
MAX_SOCKET_PATH = 100


class Problem(Exception):
    """Why the stack can't start, or had to stop: one sentence."""


def base_url() -> str:
    """Where the site is found from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(options.HOST, options.HOST)  # noqa: S104 (compared, not bound)
    return f"http://[{host}]:{options.PORT}" if ":" in host.strip("[]") else f"http://{host}:{options.PORT}"


def accounts_file() -> Path:
    """Where the passwords of the demo users are stored."""
    return options.VAR_DIR / "accounts.txt"


def redis_socket() -> Path:
    """Where the embedded Valkey listens: the address that the site has unless REDIS_URL names another."""
    return Path(unquote(urlsplit(options.REDIS_URL).path))


# --- Before anything starts ------------------------------------------------------------------------------------------


@contextmanager
def lock() -> Iterator[None]:
    """Hold the data folder: two stacks on one folder would fight over it. Raises Problem."""
    path = options.VAR_DIR / "run.lock"
    try:
        file = path.open("a+")
    except OSError as error:
        raise Problem(f"{path} can't be written ({error.strerror}): set VAR_DIR to a folder that can.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Problem(
                f"Offload already runs in {options.VAR_DIR} (process {file.read()}): stop it first, or set VAR_DIR."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def check() -> None:
    """Find out what would go wrong once the processes run. Raises Problem."""
    with ExitStack() as held:
        _bind(held, options.HOST, options.PORT, "HOST", "PORT")
        network = urlsplit(options.SANDBOX_URL)
        _bind(held, network.hostname or "", network.port or 80, "SANDBOX_URL", "SANDBOX_URL")
        if _embeds("EMAIL_URL"):
            _bind(held, "127.0.0.1", options.SANDBOX_SMTP_PORT, "SANDBOX_SMTP_PORT", "SANDBOX_SMTP_PORT")
    if _embeds("REDIS_URL"):
        path = redis_socket()
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise Problem(f"The path {path} is too long for a socket: set VAR_DIR to a folder with a shorter path.")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise Problem(f"A server that was left behind still listens on {path}: end it first.")


def _bind(held: ExitStack, host: str, port: int, host_variable: str, port_variable: str) -> None:
    """Take an address for the moment, so that two of ours can't be the same either. Raises Problem."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        probe = held.enter_context(socket.socket(family))
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen()
    except PermissionError:
        raise Problem(f"Only the system may use port {port}: set {port_variable} to one from 1024 on.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Problem(f"Port {port} of {host} is taken: set {port_variable} to a free one.") from None
        raise Problem(f"{host!r} is no address of this machine: set {host_variable} to one that is.") from None


def _embeds(variable: str) -> bool:
    """Whether the stack brings its own service, because `variable` names no other."""
    return not os.environ.get(variable)


# --- Data ------------------------------------------------------------------------------------------------------------


def prepare() -> None:
    """Bring databases, cache table and static files up to date. Cheap when they are."""
    for alias in settings.DATABASES:
        call_command("migrate", database=alias, verbosity=0)
    call_command("createcachetable", database="default", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def _names(email: str) -> dict[str, str]:
    """What tells a demo user from others, in the columns of the site's user model."""
    users = get_user_model()
    return {users.USERNAME_FIELD: email.partition("@")[0], users.get_email_field_name(): email}


def user_of(email: str) -> AbstractBaseUser | None:
    """The demo user with that address, None if it is not there."""
    users = get_user_model()
    return users._default_manager.filter(**{users.USERNAME_FIELD: _names(email)[users.USERNAME_FIELD]}).first()


def create_users() -> dict[str, str]:
    """Make the demo user and the demo staff user where they are missing. Returns the new ones' passwords by address."""
    passwords = {}
    with transaction.atomic():
        for email, staff in ((DEMO, False), (STAFF, True)):
            if user_of(email):
                continue
            passwords[email] = secrets.token_urlsafe(12)
            user = get_user_model().objects.create_user(
                **_names(email), password=passwords[email], is_staff=staff, is_superuser=staff
            )
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        if passwords:
            _save_passwords(passwords)
    return passwords


def _save_passwords(passwords: dict[str, str]) -> None:
    accounts_file().write_text("".join(f"{email} {password}\n" for email, password in passwords.items()))


def kept_password(email: str) -> str | None:
    """The password that is stored for an address; None if there is none (any more)."""
    try:
        lines = accounts_file().read_text().splitlines()
    except FileNotFoundError:
        return None
    return dict(line.split(" ", 1) for line in lines if " " in line).get(email)


# --- Processes -------------------------------------------------------------------------------------------------------


def commands() -> dict[str, list[str]]:
    """The command of each process, by the name that its lines carry on the console."""

    def manage(*args: str) -> list[str]:
        return [sys.executable, "manage.py", *args, "--skip-checks"]  # they were made, and told, once for all

    found = {}
    if _embeds("REDIS_URL"):
        found["valkey"] = valkey_command(options.VAR_DIR, redis_socket())
    if _embeds("EMAIL_URL"):
        found["mail"] = manage("mailcatcher")
    found["network"] = manage("practice_network")
    # Honcho kills what has not ended 5 seconds after it was told to.
    found["worker"] = manage("rqworker", "--grace", "3")
    found["web"] = [sys.executable, "-m", "gunicorn", "config.asgi"]
    return found


def run(when_started: Callable[[], None]) -> None:
    """Run all processes until SIGINT, SIGTERM or SIGHUP. `when_started` is called once, on a thread.

    Raises Problem if a process ends by itself; the others have been stopped then.
    """
    connections.close_all()
    names = commands()
    console = _Console(expected=len(names), when_started=when_started)
    stack = _Stack(console)
    console.stack = stack
    for name, command in names.items():
        # The shell that honcho starts is replaced by the process itself, whose exit code honcho so gets.
        stack.add_process(
            name, f"exec {shlex.join(command)}", env={**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=options.BASE_DIR
        )
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        # The terminal was closed. The processes have sessions of their own and would live on.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    stack.loop()
    if not stack.asked_to_stop and console.ended:
        name, code = console.ended
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise Problem(f"The process {name!r} ended by itself ({how}; its last lines are above), so all were stopped.")


class _Stack(Manager):  # type: ignore[misc]
    """Honcho's manager, for which a signal may come at any moment, also while it is still starting processes."""

    def __init__(self, console: "_Console") -> None:
        super().__init__(console)
        self.console = console

    @property
    def asked_to_stop(self) -> bool:
        """Whether a signal came; honcho then gives a shell's exit code for it."""
        return self.returncode in {130, 143}

    def terminate(self) -> None:
        """Stop all processes, or, while their pids are not all known, leave it to the console's last start."""
        if self.console.all_started:
            super().terminate()


class _Console(Printer):  # type: ignore[misc]
    """Honcho's printer, without honcho's own lines, which it acts on instead."""

    stack: _Stack

    def __init__(self, expected: int, when_started: Callable[[], None]) -> None:
        super().__init__(sys.stdout)
        self._left = expected
        self._when_started = when_started
        self.ended: tuple[str, int] | None = None

    @property
    def all_started(self) -> bool:
        """Whether each process has begun."""
        return self._left == 0

    def write(self, message: Message) -> None:
        """Print a process's line, or take note of what honcho says about it."""
        if message.name != SYSTEM_PRINTER_NAME:
            super().write(message)
        elif re.match(r"\S+ started ", message.data):
            self._left -= 1
            if self.all_started and self.stack.asked_to_stop:
                self.stack.terminate()
            elif self.all_started:
                Thread(target=self._when_started, daemon=True).start()
        elif (found := re.match(r"(\S+) stopped \(rc=(-?\d+)\)", message.data)) and self.ended is None:
            self.ended = found[1], int(found[2])
