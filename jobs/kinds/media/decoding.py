"""Decoding in a process of its own that can do nothing else, and that is trusted in nothing it says."""

import json
import os
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any

from django.db import connections

from ...contract import Failed, Sentence, end_with_parent
from .confinement import Bounds, confine
from .conversion import TIME_LIMIT, Limits, Progress

Work = Callable[[Progress], Any]

BYTES_OF_A_PIXEL = 5
"""More than any format takes: what a file that one decoder writes may have for each pixel that a picture may have."""
_LONGEST_LINE = 1 << 20


def bounds_of(limits: Limits, file_bytes: int = 0) -> Bounds:
    """What a process may use that works within these limits. file_bytes: of one file; 0: of the largest picture."""
    seconds = int(TIME_LIMIT.total_seconds()) * (os.cpu_count() or 1)
    return Bounds(limits.memory, file_bytes or BYTES_OF_A_PIXEL * limits.pixels, seconds)


def untold(percent: float, say: str = "", /, **values: Any) -> None:
    """The progress of a work that nobody follows."""


def confined(work: Work, source: Path, folder: Path, limits: Limits, progress: Progress = untold) -> Any:
    """Do the work in a child process that can read `source`, write into `folder`, and nothing else.

    work: gets what to call with its progress; what it returns has to be JSON. Whatever it changes in memory is lost.
    Returns what it returned: whoever has taken over a decoder has written that, so names in it are to be taken for
    names in `folder`. Raises Failed as the work does, if memory ran out, or if the process died; what `progress` raises
    ends it; RuntimeError with the traceback for what the work did not foresee.
    """
    # A session with the database is nothing that a decoder should find in its memory.
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
    ours, theirs = os.pipe()
    parent = os.getpid()
    with warnings.catch_warnings():
        # From Python 3.12 on, of other threads: a worker's child has none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            end_with_parent(parent)
            _live(work, theirs, partial(confine, source, folder, bounds_of(limits)))
        finally:
            os._exit(1)
    os.close(theirs)
    answer: dict[str, Any] = {}
    with open(ours, "rb") as pipe:
        try:
            while line := pipe.readline(_LONGEST_LINE):
                answer = _heard(line)
                if "percent" in answer:
                    progress(answer["percent"], answer["say"], **answer["with"])
        finally:
            if "done" not in answer:
                with suppress(ProcessLookupError):
                    os.kill(child, SIGKILL)
            os.waitpid(child, 0)
    if "done" in answer:
        return answer["done"]
    if "failed" in answer:
        raise Failed(answer["failed"], say=answer["say"], can_retry=answer["can_retry"], **answer["with"])
    if "broke" in answer:
        raise RuntimeError(answer["broke"])
    raise Failed("decoder_ended")


def _live(work: Work, pipe: int, confine: Callable[[], None]) -> None:
    """The life of the child."""
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):
        # Not closed: objects in memory still believe that these are theirs.
        if int(name) != pipe:
            os.dup2(null, int(name))
    out_of_memory = _line(_told(Failed("too_much_memory", can_retry=False)))

    def tell(percent: float, say: str = "", /, **values: Any) -> None:
        os.write(pipe, _line({"percent": percent, **_said(Sentence(say, **values))}))

    try:
        confine()
        line = _line({"done": work(tell)})
    except Failed as failure:
        line = _line(_told(failure))
    except MemoryError:
        line = out_of_memory
    except BaseException:  # noqa: BLE001 (whatever it is, the parent raises it)
        line = _line({"broke": traceback.format_exc()})
    with open(pipe, "wb") as file:
        file.write(line)
    os._exit(0)


def _told(failure: Failed) -> dict[str, Any]:
    return {"failed": failure.code, "can_retry": failure.can_retry, **_said(failure.sentence)}


def _said(sentence: Sentence) -> dict[str, Any]:
    return {"with": {}, **sentence.as_data()}


def _heard(line: bytes) -> dict[str, Any]:
    """What the child said; nothing if it is nonsense."""
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"
