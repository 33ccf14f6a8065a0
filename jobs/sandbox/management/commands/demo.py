"""`manage.py demo`: does what a user would, on a stack of its own, and prints what came of it."""

import signal
import sys
from typing import Any

import requests
from django.core.management.base import BaseCommand, CommandError

from ... import demo
from ...visitor import Unexpected


class Command(BaseCommand):
    """One line of JSON for each outcome; exit code 0 only if all jobs succeeded."""

    help = (
        "Starts everything on free ports in a throw-away folder, signs up, uploads a photo, a video and a sound, posts "
        "to the practice network and to a webhook, prints each outcome as a line of JSON, and stops everything."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        """Run the demo."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            succeeded = demo.run(self._tell)
        except (Unexpected, requests.RequestException) as problem:
            raise CommandError(str(problem)) from None
        except KeyboardInterrupt:
            sys.exit(130)
        if not succeeded:
            raise CommandError("Not every job succeeded.")

    def _tell(self, line: str) -> None:
        """Print at once, also into a file or a pipe."""
        self.stdout.write(line)
        self.stdout.flush()
