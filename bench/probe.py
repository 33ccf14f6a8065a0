"""What every system's job does, the same code for all: work, and a note of when, outside any database.

The environment says where: BENCH_LOG is the file for the notes, BENCH_URL the slow server.
"""

import os
import struct
import threading
import time
from functools import cache
from pathlib import Path

import requests

NOTE = struct.Struct("<idd")
"""A note: the job's number, when its code began and ended (Unix time)."""

_local = threading.local()


@cache
def _log(_pid: int) -> int:
    return os.open(os.environ["BENCH_LOG"], os.O_WRONLY | os.O_APPEND)


def note(number: int, began: float, ended: float) -> None:
    """Keep a note. One short write in append mode: the notes of several processes do not mix."""
    os.write(_log(os.getpid()), NOTE.pack(number, began, ended))


def read(path: Path) -> list[tuple[int, float, float]]:
    """All notes."""
    return [(number, began, ended) for number, began, ended in NOTE.iter_unpack(path.read_bytes())]


def call() -> None:
    """Call the outside world as a kind does: with requests, on a session of this thread."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    _local.session.get(os.environ["BENCH_URL"], timeout=30).raise_for_status()


def work(task: str, number: int, began: float | None = None) -> None:
    """Do one job. task: "noop" or "api". began: when its first line ran, if that is not just now."""
    began = began or time.time()
    if task == "api":
        call()
    note(number, began, time.time())
