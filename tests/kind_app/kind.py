"""Two kinds that do what their payload says: one for each role of worker."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from jobs.contract import Failed, Kind, Role, Run, TryAgain, connect, exchange
from tests.kind_app.forms import EchoForm


def note(run: Run, word: str) -> None:
    """Append `word job attempt` to the payload's log: a trace outside the database that no rollback takes back."""
    if path := run.payload.get("log"):
        with Path(path).open("a") as log:
            log.write(f"{word} {run.job_id} {run.attempt}\n")


def wait(seconds: float) -> None:
    """Spend time as a kind that waits for others does."""
    time.sleep(seconds)


def compute(seconds: float) -> None:
    """Spend time as a kind that computes does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def hang() -> None:
    """Work on for ever, whatever is raised."""
    while True:
        try:
            time.sleep(0.05)
        except Exception:  # noqa: BLE001 (this is the fault under test)
            continue


SENTENCES = {
    "step": "Step %(step)s of %(steps)s",
    "told_to_fail": "The job was told to fail.",
    "told_to_wait": "The other side is away.",
    # What tests say in the kind's name.
    "away": "The other side is away.",
    "no": "It said no.",
    "refused": "The server refused it.",
    "revoked": "Connect the account again.",
    "text": "%(text)s",
    "went_wrong": "It went wrong.",
}


class Echo(Kind):
    """Gives its text back, waiting. payload: what EchoForm describes; all but text is optional."""

    name = "echo"
    label = "Echo"
    invitation = "Send a text and get it back."
    role = Role.NETWORK
    form = EchoForm
    max_attempts = 3
    time_limit = timedelta(seconds=5)
    backoff = timedelta(seconds=0.2)
    sentences = SENTENCES
    spend: Callable[[float], None] = staticmethod(wait)

    def run(self, run: Run) -> dict[str, Any]:
        note(run, "start")
        seconds, steps = run.payload.get("seconds", 0), run.payload.get("steps", 1)
        for step in range(1, steps + 1):
            self.spend(seconds / steps)
            run.progress(100 * step / steps, "step", step=step, steps=steps)
        match run.payload.get("outcome", "succeed"):
            case "fail":
                raise Failed("told_to_fail")
            case "try_again":
                raise TryAgain("told_to_wait")
            case "crash":
                raise RuntimeError("the job was told to crash")
            case "exit":
                os._exit(1)
            case "hang":
                hang()
        note(run, "end")
        return {"text": run.payload["text"]}

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Delete the job's log. On the way (payload: `forget`) its process may die, or something break."""
        if path := payload.get("log"):
            match payload.get("forget"):
                case "exit" if Path(path).exists():
                    Path(path).unlink()
                    os._exit(1)
                case "crash":
                    raise RuntimeError("the job was told to crash when it is forgotten")
            Path(path).unlink(missing_ok=True)

    def files(
        self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None
    ) -> Iterable[tuple[str, Callable[[], BinaryIO]]]:
        """The job's log."""
        if path := payload.get("log"):
            yield "log.txt", lambda: Path(path).open("rb")  # noqa: SIM115


class Strict(Echo):
    """The same; when it fails, the line behind it waits."""

    name = "strict"
    label = "Strict"
    holds_line = True


class Crunch(Echo):
    """The same, computing."""

    name = "crunch"
    label = "Crunch"
    invitation = "Let a processor work on a text."
    role = Role.MEDIA
    spend = staticmethod(compute)


class Caller(Kind):
    """Reads from a server on this machine until there is no more. payload: `port`; `seconds` that each exchange has;
    `times`, how many exchanges there are.
    """

    name = "caller"
    label = "Caller"
    role = Role.NETWORK
    time_limit = timedelta(seconds=3)
    sentences = SENTENCES

    def run(self, run: Run) -> dict[str, Any]:
        """Result: `read`, the bytes that came."""
        read = 0
        for _ in range(run.payload["times"]):
            with (
                suppress(OSError),
                exchange(run.payload["seconds"]),
                connect("127.0.0.1", run.payload["port"], 60) as connection,
            ):
                while some := connection.recv(100):
                    read += len(some)
        return {"read": read}
