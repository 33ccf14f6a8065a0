"""Real processes for tests: start, wait for a condition with a deadline, stop, and show the log when it went wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from jobs.core.processes import end_with_parent
from jobs.sandbox.services import stop_group
from tests.environment import VAR

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")

PROCESSES: list["Process"] = []
"""Every process of this run, in the order of their starts."""


def wait_until(condition: Callable[[], T], seconds: float = 20, what: str = "") -> T:
    """The condition's first true value. Fails the test when `seconds` have passed without one."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"Not within {seconds} s: {what or condition}")
        time.sleep(0.02)
    return value


class Process:
    """A child process in a session of its own, its output in a log file. It ends when the test run does, however."""

    def __init__(self, command: list[str], env: Mapping[str, str] | None = None, name: str = "process") -> None:
        self.name = name
        self.log_path = VAR / f"{name}-{time.monotonic_ns()}.log"
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(end_with_parent, os.getpid()),
            )
        PROCESSES.append(self)

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def alive(self) -> bool:
        return self.popen.poll() is None

    def signal(self, sign: signal.Signals, *, group: bool = False) -> None:
        if group:
            stop_group(self.pid, sign)
        else:
            self.popen.send_signal(sign)

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM, then SIGKILL to its group if it does not end in time. Returns its exit code."""
        if self.alive():
            self.popen.terminate()
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            stop_group(self.pid, signal.SIGKILL)
            code = self.popen.wait(5)
        stop_group(self.pid, signal.SIGKILL)
        return code


def stop_all(processes: list[Process]) -> None:
    """Stop them side by side."""
    for process in processes:
        if process.alive():
            process.popen.terminate()
    for process in processes:
        process.stop()


def manage(*args: str) -> list[str]:
    """The command line of one management command in this Python."""
    return [sys.executable, "manage.py", *args]
