"""`manage.py practice_network`: the sandbox's social network, in the foreground."""

from typing import Any
from urllib.parse import urlsplit

from django.core.management import BaseCommand, CommandError

from ....conf import options
from ...listening import listen
from ...network import NetworkServer


class Command(BaseCommand):
    """Serve the practice network at options.SANDBOX_URL; SIGTERM or Ctrl-C ends it."""

    help = "Serves a practice social network that speaks the Mastodon client API, at SANDBOX_URL."

    def handle(self, **_: Any) -> None:
        """Serve until told to end."""
        try:
            address = urlsplit(options.SANDBOX_URL)
            host, port = address.hostname, address.port or 80
        except ValueError:
            host = None
        if not host or address.scheme != "http":
            raise CommandError("SANDBOX_URL must be an address such as http://127.0.0.1:8001.")
        listener = listen(host, port, what="The practice network", setting="SANDBOX_URL")
        self.stdout.write(f"The practice network listens on {options.SANDBOX_URL}.")
        NetworkServer(listener).run()
