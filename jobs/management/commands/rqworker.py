"""`manage.py rqworker`: Offload's worker, in place of django-rq's command of the same name."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from ...conf import options
from ...kind import Role
from ...worker.supervisor import serve


class Command(BaseCommand):
    """Runs the jobs of one role, or of both side by side."""

    help = (
        "Runs jobs. Without flags it starts one process for each role: network (jobs that wait, on threads) "
        "and media (jobs that compute, a process each). SIGTERM or Ctrl-C: running jobs get the grace period to end, "
        "then they are handed to another worker."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument("--role", choices=[str(role) for role in Role], help="serve this role only")
        parser.add_argument("--processes", type=_positive, default=1, help="processes for each role (%(default)s)")
        parser.add_argument(
            "--concurrency",
            type=_positive,
            help=f"jobs at once in one process (network: {options.NETWORK_CONCURRENCY}, "
            f"media: {options.MEDIA_CONCURRENCY})",
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=options.GRACE_SECONDS,
            help="seconds that running jobs get to end at shutdown (%(default)s)",
        )

    def handle(
        self, *, role: str | None, processes: int, concurrency: int | None, grace: float, **options: Any
    ) -> None:
        """Serve until a signal asks to stop."""
        roles = [Role(role)] if role else list(Role)
        serve(roles * processes, concurrency, grace)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
