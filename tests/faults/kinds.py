"""Kinds whose effect is counted outside: each job changes one number in the ledger, under a key of its own."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from jobs.contract import Kind, KindForm, Role, Run, Submission, TryAgain
from tests import hostile
from tests.faults.ledger import Visit

PAUSE_SECONDS = 3
"""How long the job that is told to wait for the other side pauses."""


def misbehave(how: str) -> dict[str, Any] | None:
    """Fail in the way that `how` names. Returns a result that PostgreSQL would not take as it is, or None."""
    match how:
        case "swallow":
            while True:
                try:
                    time.sleep(0.05)
                except Exception:  # noqa: BLE001 (this is the fault under test)
                    continue
        case "hold the GIL":
            sum(range(10**15))
        case "exit 0":
            os._exit(0)
        case "SystemExit":
            raise SystemExit(0)
        case "MemoryError":
            bytearray(10**15)
        case "out of memory":
            os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does to a process that used up the memory
        case "wait for the other side":
            raise TryAgain("away", not_before=timezone.now() + timedelta(seconds=PAUSE_SECONDS))
        case "NUL":
            return {"text": "a\x00b"}
    return None


class TallyForm(KindForm):
    """ledger: its port. object: the number to change, also the resource. change: `+2` or `*5`. seconds: it takes."""

    ledger = forms.IntegerField()
    object = forms.CharField()
    change = forms.RegexField(r"^[+*]\d+$")
    seconds = forms.FloatField(required=False)

    def submissions(self) -> list[Submission]:
        data = self.cleaned_data
        return [Submission(data, f"{data['object']} {data['change']}", data["object"])]


class Tally(Kind):
    """Changes a number of the ledger.

    payload: ledger, object, change, and optionally seconds (that it takes), hold (`before` or `after`: there the first
    attempt waits until the test lets it go on), misbehave (see there), misbehave_once (the first attempt only).
    """

    name = "tally"
    label = "Tally"
    role = Role.NETWORK
    form = TallyForm
    max_attempts = 10
    time_limit = timedelta(seconds=30)
    backoff = timedelta(seconds=0.2)
    sentences = {"away": "The other side is away."}

    def run(self, run: Run) -> dict[str, Any]:
        asked = run.payload
        with Visit(asked["ledger"], asked["object"], run.job_id, run.attempt) as visit:
            held = asked.get("hold") if run.attempt == 1 else None
            if held == "before":
                visit.wait()
            time.sleep(asked.get("seconds") or 0)
            first_only = asked.get("misbehave_once", "") if run.attempt == 1 else ""
            odd = misbehave(asked.get("misbehave", first_only))
            value = visit.change(asked["change"], key=str(run.job_id))
            if held == "after":
                visit.wait()
        return odd or {"value": value}


class Grind(Tally):
    """The same, each attempt in a process of its own."""

    name = "grind"
    label = "Grind"
    role = Role.MEDIA


class Tell(Kind):
    """Hands over a value. payload: place and value, by their names in tests/hostile.py."""

    name = "tell"
    label = "Tell"
    role = Role.NETWORK
    max_attempts = 2
    backoff = timedelta(hours=1)
    sentences = {"text": "It said: %(text)s"}

    def run(self, run: Run) -> dict[str, Any]:
        return hostile.PLACES[run.payload["place"]](run, hostile.VALUES[run.payload["value"]])


class TellApart(Tell):
    """The same, each attempt in a process of its own."""

    name = "tell_apart"
    label = "Tell apart"
    role = Role.MEDIA


class Brief(Grind):
    """The same, with little time and few attempts."""

    name = "brief"
    label = "Brief"
    time_limit = timedelta(seconds=2)
    max_attempts = 2
