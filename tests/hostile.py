"""What a kind may hand over as a text or as data, whether it means to or not; in which places; and who looks at it."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from jobs.contract import Failed, Job, OnHold, Run, Sentence, TryAgain
from jobs.models import Status
from jobs.web.polling import AT_ONCE


class Unprintable:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def nested(levels: int) -> Any:
    """Lists and objects in each other."""
    value: Any = "deep"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


def doubled(levels: int) -> Any:
    """A list that holds another twice, and so on: small in memory, and endless when it is written down."""
    value: Any = []
    for _ in range(levels):
        value = [value, value]
    return value


def within(levels: int) -> Sentence:
    """Sentences in each other."""
    said = Sentence("text", text="inside")
    for _ in range(levels):
        said = Sentence("text", text=said)
    return said


MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;"

TOO_MUCH: dict[str, Any] = {
    "1 MB": "x" * 1_000_000,
    "900 levels": nested(900),
    "20 doublings": doubled(20),
    "1 MB in pieces": {str(number): "x" * 100 for number in range(10_000)},
}
"""What can't be a result."""

VALUES: dict[str, Any] = {
    "surrogate": "caf\udce9.txt",
    "surrogate pair in halves": "\ud83d\ude00",
    "NUL": "a\x00b",
    "controls": "".join(map(chr, [*range(1, 32), 0x7F, 0x85, 0x2028, 0x202E, 0xFEFF, 0xFFFF])),
    "markup": MARKUP,
    "placeholders": "%(text)s %s % {} {{ 7 }} {% now %}",
    "nothing": "",
    "None": None,
    "bool": True,
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "5,000 digits": -(10**5000),
    "bytes": b"\xff\x00caf\xe9",
    "set": {1, "a\x00", b"\xff"},
    "object": object(),
    "unprintable": Unprintable(),
    "class": Unprintable,
    "names": {1: "a", None: "b", ("a", 1): "c", "\ud800\x00": "d", "items": 5, MARKUP: MARKUP},
    "looks like a sentence": {"say": "text", "with": [1]},
    "sentence of nobody": {"say": "\ud800", "by": {"a": 1}, "with": None},
    "moment long ago": {"say": "text", "with": {"text": {"at": "0001-01-01T00:00:00+14:00"}}},
    "span without end": {"say": "text", "with": {"text": {"lasts": 1e15}}},
    "sentences in each other": within(200),
    **TOO_MUCH,
}


# --- Where it is handed over ----------------------------------------------------------------------------------------


def _raise(error: Exception) -> dict[str, Any]:
    raise error


def _progress(run: Run, value: Any) -> dict[str, Any]:
    run.progress(50, "text", text=value)
    return {"said": Job.objects.get(pk=run.job_id).progress_text}


def _keep(run: Run, value: Any) -> dict[str, Any]:
    run.keep(value=value)
    assert run.kept == Job.objects.get(pk=run.job_id).kept
    return {}


PLACES: dict[str, Callable[[Run, Any], dict[str, Any]]] = {
    "result": lambda run, value: {"value": value, "items": value},
    "kept": _keep,
    "progress": _progress,
    "error": lambda run, value: _raise(Failed("text", text=value)),
    "code": lambda run, value: _raise(Failed(value)),
    "sentence": lambda run, value: _raise(Failed("text", text=Sentence(value, kind=value, text=value))),
    "another try": lambda run, value: _raise(TryAgain("text", text=value)),
    "hold": lambda run, value: _raise(OnHold("text", text=value)),
    "bug": lambda run, value: _raise(RuntimeError(value)),
}
"""What the code of a kind does with a value. Its sentence `text` has one place."""


def expected(place: str, value: str) -> tuple[str, str]:
    """The status, and how the error's code begins, of a job that handed the value over in that place, once."""
    if value in TOO_MUCH and place in {"result", "kept"}:
        return Status.FAILED, "result_too_large" if place == "result" else "internal_error"
    if place in {"result", "kept", "progress"}:
        return Status.SUCCEEDED, ""
    if place in {"another try", "hold"}:
        return Status.PENDING, "text"
    return Status.FAILED, {"bug": "internal_error", "code": ""}.get(place, "text")


# --- Who looks at it ------------------------------------------------------------------------------------------------


def look_at(jobs: Sequence[Job], owner: Client, staff: Client) -> None:
    """Open what shows several jobs: to their owner and to staff, as pages and as JSON."""
    for begin in range(0, len(jobs), AT_ONCE):
        ids = [job.pk for job in jobs[begin : begin + AT_ONCE]]
        for template in ("card", "line"):
            _opens(owner, f"/jobs/status.json?{urlencode({'id': ids, 'as': template}, doseq=True)}")
    _opens(owner, "/jobs/")
    for page in ("job/", "worker/"):
        _opens(staff, f"/admin/offload/{page}")
    _opens(staff, "/admin/monitor/")


def look_closely_at(job: Job, owner: Client, staff: Client) -> None:
    """Open what shows this job alone."""
    _opens(owner, job.get_absolute_url())
    _opens(owner, f"{job.get_absolute_url()}status.json")
    _opens(staff, f"/admin/offload/job/{job.pk}/change/")


def _opens(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, address
    assert "<script>alert" not in answer.content.decode() or "json" in answer["Content-Type"], address
