"""`manage.py healthcheck`: whether the process in this container works; for HEALTHCHECK and its like."""

import argparse
import http.client
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...conf import options
from ...core.processes import this_host
from ...models import Worker


class Command(BaseCommand):
    """Ends with exit code 0 if all is well, and else with one sentence and exit code 1."""

    help = "Tells by its exit code whether this machine's web server answers, or its worker shows signs of life."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Define the argument."""
        parser.add_argument("what", choices=["web", "worker"])

    def handle(self, *, what: str, **_: Any) -> None:
        """Check one thing."""
        if what == "web":
            _check_web()
        else:
            _check_worker()


def _check_web() -> None:
    """Ask for the start page as the proxy in front would."""
    name = next(iter(settings.ALLOWED_HOSTS), "localhost").lstrip(".").replace("*", "localhost")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.HOST, options.HOST)  # noqa: S104 (compared, not bound)
    connection = http.client.HTTPConnection(host, options.PORT, timeout=8)
    try:
        connection.request("GET", "/", headers={"Host": name, "X-Forwarded-Proto": "https"})
        status = connection.getresponse().status
    except OSError as error:
        raise CommandError(f"The web server does not answer on {host} port {options.PORT}: {error}") from None
    finally:
        connection.close()
    if status >= 400:
        raise CommandError(f"The web server answers with status {status}.")


def _check_worker() -> None:
    """Look for a sign of life that a worker of this host left in the database."""
    if not Worker.objects.alive().filter(name__startswith=f"{this_host()}:").exists():
        raise CommandError("No worker of this host has shown a sign of life lately.")
