"""`manage.py mailcatcher`: the sandbox's mail server, in the foreground."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from ....conf import options
from ... import mail
from ...listening import listen


class Command(BaseCommand):
    """Catch every mail that is sent to this port; SIGTERM or Ctrl-C ends it."""

    help = "Catches all mail sent to it over SMTP and shows it at /sandbox/mail/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--host, --port."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=options.SANDBOX_SMTP_PORT, help="port to listen on (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to end."""
        host, port = options["host"], options["port"]
        listener = listen(host, port, what="The mail catcher", setting="SANDBOX_SMTP_PORT")
        self.stdout.write(f"The mail catcher listens on {host}:{port}.")
        asyncio.run(mail.serve(listener))
