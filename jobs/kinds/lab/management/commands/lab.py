"""`manage.py lab`: the experiments, on a terminal."""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.management.base import BaseCommand, CommandError

from .....contract import Job, Status, cancel, options, submit, wait_of
from ...experiments import ALL
from ...forms import LabForm
from ...kind import LabKind
from ...report import Table

LOOK_SECONDS = 0.3
START_SECONDS = 30.0
"""How long a run may wait for a worker to take it, if none was seen to run or nothing is ahead of it."""
HOW = (
    "Start everything with `make run`, or a worker with `manage.py rqworker`; "
    "with `--workers 1` this command starts a worker itself and stops it afterwards."
)


class Command(BaseCommand):
    """Has experiments done by the workers that run, and prints the figures as tables or JSON."""

    help = "Runs the lab's experiments with the project's workers, and prints what they measured."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Define the options."""
        about = "; ".join(f"{one.name}: {one.things}, {one.smallest} to {one.largest}" for one in ALL.values())
        parser.add_argument("experiments", nargs="*", metavar="experiment", help=f"{', '.join(ALL)} (default: all)")
        parser.add_argument("--size", type=int, help=f"how large ({about})")
        parser.add_argument("--json", action="store_true", help="print the figures as a JSON list")
        parser.add_argument("--workers", type=int, default=0, help="start so many workers, and stop them afterwards")

    def handle(
        self, *args: Any, experiments: list[str], size: int | None, json: bool, workers: int, **options: Any
    ) -> None:
        """Run them one after the other. Raises CommandError with one sentence if that is not possible."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        forms = [_form(name, size) for name in experiments or _possible()]
        found = []
        try:
            with _workers(workers):
                for form in forms:
                    result = self._run(form, patient=workers > 0)
                    found.append(result)
                    if not json:
                        self._print(result)
        except KeyboardInterrupt:
            sys.exit(130)
        finally:
            if json and found:
                self.stdout.write(_as_json(found))

    def _run(self, form: LabForm, *, patient: bool) -> dict[str, Any]:
        """Submit a run and follow it to its outcome. patient: workers are about to be there."""
        (job,) = submit(LabKind(), form.submissions(), owner=None).jobs
        self.stderr.write(f"{job.title} …")
        try:
            self._follow(job, patient=patient)
        finally:
            cancel(job.pk)  # if it is not over
        job.refresh_from_db()
        if job.status != Status.SUCCEEDED:
            raise CommandError(job.error_text or "The run was cancelled.")
        result: dict[str, Any] = job.result or {}
        return result

    def _follow(self, job: Job, *, patient: bool) -> None:
        told, since = "", time.monotonic()
        while not job.is_finished:
            wait = wait_of(job)
            if wait is None or wait.reason == "turn":
                since = time.monotonic()
            elif wait.reason == "no_worker" and not patient:
                raise CommandError(f"No worker is running. {HOW}")
            elif time.monotonic() - since > START_SECONDS:
                raise CommandError(f"No worker took the run within {START_SECONDS:.0f} s: is Redis running? {HOW}")
            line = wait.text if wait else job.progress_text
            if line and line != told:
                self.stderr.write(f"  {job.progress_percent:3} %  {line}")
                told = line
            time.sleep(LOOK_SECONDS)
            job.refresh_from_db()

    def _print(self, result: dict[str, Any]) -> None:
        for part in ALL[result["experiment"]].report(result["found"]):
            self.stdout.write(f"\n{part.heading}\n{'-' * len(part.heading)}")
            for sentence in part.sentences:
                self.stdout.write(sentence)
            for table in part.tables:
                self.stdout.write(f"\n{_as_text(table)}")
        self.stdout.write("")


def _possible() -> list[str]:
    """The experiments that this site can do."""
    return [one.name for one in ALL.values() if options.SANDBOX or not one.needs_network]


def _form(name: str, size: int | None) -> LabForm:
    form = LabForm({"experiment": name, "size": size}, owner=AnonymousUser())
    if not form.is_valid():
        raise CommandError(" ".join(str(text) for texts in form.errors.values() for text in texts))
    return form


@contextmanager
def _workers(count: int) -> Iterator[None]:
    """Let so many workers run, each for both roles."""
    command = [sys.executable, "manage.py", "rqworker"]
    started = [subprocess.Popen(command, cwd=options.BASE_DIR, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _as_text(table: Table) -> str:
    """The table in columns."""
    rows = [list(table.head), *map(list, table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _as_json(found: list[dict[str, Any]]) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False)
