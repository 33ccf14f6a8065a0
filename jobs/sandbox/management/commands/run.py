"""`manage.py run`: the whole of Offload on one machine, with one command."""

import argparse
import sys
from typing import Any

import requests
from django.core.management.base import BaseCommand, CommandError

from ....conf import options
from ... import first_start, stack
from ...visitor import Unexpected


class Command(BaseCommand):
    """Prepares the data folder, starts every process, and says where to go."""

    help = "Starts web, worker, Valkey, mail catcher and practice network; Ctrl-C stops them. Data stays in VAR_DIR."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Define the option."""
        parser.add_argument("--no-samples", action="store_true", help="submit no sample jobs at the first start")

    def handle(self, *, no_samples: bool, **_: Any) -> None:
        """Run until told to stop."""
        try:
            with stack.lock():
                stack.check()
                self._tell("Getting the data ready …")
                stack.prepare()
                new_passwords = stack.create_users()
                stack.run(lambda: self._welcome(new_passwords, with_samples=not no_samples))
        except stack.Problem as problem:
            raise CommandError(str(problem)) from None
        except KeyboardInterrupt:
            sys.exit(130)
        self.stdout.write(f"Stopped. The data is in {options.VAR_DIR}.")

    def _welcome(self, new_passwords: dict[str, str], *, with_samples: bool) -> None:
        """Wait for the servers, submit the samples at the first start, and print where to go."""
        try:
            first_start.wait_for_servers()
        except Unexpected as problem:
            self.stderr.write(f"{problem} What the processes wrote above may tell why.")
            return
        url = stack.base_url()
        lines = ["", f"Offload runs at {url}/"]
        lines += [f"  {email} has the password {password}" for email, password in new_passwords.items()]
        lines += [
            f"  Passwords        {stack.accounts_file()}",
            f"  Sandbox mail     {url}/sandbox/mail/",
            f"  Sandbox network  {url}/sandbox/network/",
            f"  Admin            {url}/admin/ (as {stack.STAFF})",
            "Ctrl-C stops everything.",
            "",
        ]
        self._tell("\n".join(lines))
        if with_samples:
            self._submit_samples()

    def _submit_samples(self) -> None:
        try:
            if first_start.submit_samples():
                self._tell(f"Sample jobs were submitted for {stack.DEMO}: see My jobs.")
        except (Unexpected, requests.RequestException) as problem:
            self.stderr.write(f"The sample jobs could not all be submitted: {problem}")

    def _tell(self, text: str) -> None:
        """Print at once, also into a file or a pipe."""
        self.stdout.write(text)
        self.stdout.flush()
