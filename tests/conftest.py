"""Fixtures that every part of the suite may use; real services, started once or for one test."""

import os
import smtplib
import subprocess
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis as redis_client
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.db import connections
from django.dispatch import receiver
from django.test import Client
from django.test.signals import setting_changed

from jobs.conf import options
from jobs.core import short_cache
from jobs.sandbox.services import valkey_command
from jobs.sandbox.stack import redis_socket
from tests.environment import DATABASE, VAR
from tests.processes import PROCESSES, ROOT, Process, manage, stop_all, wait_until

StartWorker = Callable[..., Process]
Offload = Callable[..., None]
STARTED_BEFORE = pytest.StashKey[int]()
LOG_CHARACTERS = 4_000
"""How much of the end of each log a failed test shows."""

# Test users need no protection against guessing; a single round makes a password hash in no time.
PBKDF2PasswordHasher.iterations = 1
# What a process remembers for a moment would outlive what a test has just changed.
short_cache.MOMENT = 0


@receiver(setting_changed)
def connect_to_another_redis(*, setting: str, **_: Any) -> None:
    """Processes keep their connection; a test may change the address."""
    if setting == "OFFLOAD":
        from jobs.core import dispatch

        dispatch.reset()


STACK = {"start_worker", "stage", "sandbox", "child_env"}
"""Fixtures that start processes of ours: whoever uses one is marked `stack`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes, so that `make check` can leave it out."""
    for item in items:
        if STACK & set(getattr(item, "fixturenames", ())):
            item.add_marker("stack")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note which processes are not the test's own."""
    item.stash[STARTED_BEFORE] = len(PROCESSES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the processes said that it started or that still run."""
    report = yield
    if report.failed:
        before = item.stash[STARTED_BEFORE]
        for process in [*filter(Process.alive, PROCESSES[:before]), *PROCESSES[before:]]:
            if log := process.log[-LOG_CHARACTERS:]:
                report.sections.append((f"{process.name}, process {process.pid}", log))
    return report


@pytest.fixture
def offload(settings: Any) -> Offload:
    """Give options other values for the test: `offload(LEASE_SECONDS=10)`."""

    def change(**values: Any) -> None:
        settings.OFFLOAD = settings.OFFLOAD | values

    return change


@pytest.fixture(scope="session", autouse=True)
def static_files() -> None:
    """Pages name style sheet and scripts as they are, without the manifest that `collectstatic` makes."""
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns if it is missing


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Test databases are files (or PostgreSQL), so that worker processes can open them too."""
    if DATABASE == "sqlite":
        settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(VAR / "test.sqlite3")
    settings.DATABASES["sandbox"].setdefault("TEST", {})["NAME"] = str(VAR / "test-sandbox.sqlite3")


@pytest.fixture(scope="session")
def child_env(django_db_setup: None) -> dict[str, str]:
    """What a child process needs in order to work on the test databases."""
    default = connections["default"].settings_dict
    if DATABASE == "sqlite":
        url = f"sqlite:///{default['NAME']}"
    else:
        url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{default['NAME']}"))
    return {"DATABASE_URL": url, "SANDBOX_DATABASE_URL": f"sqlite:///{connections['sandbox'].settings_dict['NAME']}"}


@pytest.fixture(scope="session")
def valkey() -> Iterator[Process]:
    """A Valkey server for the whole run, on the socket of the settings."""
    process = Process(valkey_command(VAR, redis_socket()), name="valkey")
    client = redis_client.Redis.from_url(options.REDIS_URL)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis_client.ConnectionError:
            return False

    wait_until(answers, what="Valkey answers")
    yield process
    client.close()
    process.stop()


@pytest.fixture
def redis(valkey: Process) -> Iterator[redis_client.Redis]:
    """A client of an empty Valkey."""
    from jobs.core import dispatch

    dispatch.reset()  # an earlier test may have taken Redis away
    client = redis_client.Redis.from_url(options.REDIS_URL)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def start_worker(redis: Any, transactional_db: None, child_env: dict[str, str]) -> Iterator[StartWorker]:
    """Start `manage.py rqworker ARGS` as a process; all of them are stopped at the end of the test."""
    started: list[Process] = []

    def start(*args: str, env: dict[str, str] | None = None) -> Process:
        from jobs.models import Worker

        before = Worker.objects.count()
        process = Process(manage("rqworker", *args), {**child_env, **(env or {})}, name="worker")
        started.append(process)
        wait_until(
            lambda: Worker.objects.count() > before or not process.alive(), what="the worker registers", seconds=30
        )
        assert process.alive(), process.log
        return process

    yield start
    stop_all(started)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ann", "ann@example.org", "a-long-password")


@pytest.fixture
def other_user(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.org", "a-long-password")


def signed_in(user: User) -> Client:
    """A client of the site as this user."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ann(user: User) -> Client:
    return signed_in(user)


@pytest.fixture
def bob(other_user: User) -> Client:
    return signed_in(other_user)


@pytest.fixture
def staff(db: None) -> Client:
    return signed_in(User.objects.create_superuser("staff", "staff@example.org", "a-long-password"))


@pytest.fixture(scope="session")
def sandbox(child_env: dict[str, str]) -> Iterator[str]:
    """The practice network and the mail catcher as processes. Yields the network's address.

    Tests that read the sandbox's rows say `@pytest.mark.django_db(transaction=True, databases=["default", "sandbox"])`.
    """
    # pytest-django makes the databases that the collected tests name; those that only speak HTTP name none.
    env = {**os.environ, **child_env}
    subprocess.run(manage("migrate", "--database", "sandbox", "-v0"), cwd=ROOT, env=env, check=True)
    processes = [
        Process(manage("practice_network"), child_env, name="practice_network"),
        Process(manage("mailcatcher"), child_env, name="mailcatcher"),
    ]

    def up() -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", options.SANDBOX_SMTP_PORT, timeout=5):
                return requests.get(f"{options.SANDBOX_URL}/api/v2/instance", timeout=5).ok
        except (ConnectionError, requests.ConnectionError):
            return False

    try:
        wait_until(up, seconds=30, what="the practice network and the mail catcher answer")
        yield options.SANDBOX_URL
    finally:
        stop_all(processes)


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path
