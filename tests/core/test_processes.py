"""What a process of ours asks of the kernel: its name, and what happens when its parent dies."""

import socket
import subprocess
import sys

import psutil
import pytest

from jobs.core.processes import this_host
from tests.processes import ROOT, wait_until

pytestmark = [pytest.mark.apart, pytest.mark.stack]

FAMILY = """
import os, signal, sys
from jobs.core.processes import end_with_parent
parent = os.getpid()
if os.fork() == 0:
    def told(*_):
        print("told", flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, told)
    end_with_parent(parent, *[signal.Signals[name] for name in sys.argv[1:]])
    print(os.getpid(), flush=True)
signal.pause()
"""
"""A parent, and a child that names itself once it would end with it."""
LONE = (
    "import os, sys; from jobs.core.processes import end_with_parent; end_with_parent(int(sys.argv[1])); print('lives')"
)


def family(*sign: str) -> tuple["subprocess.Popen[str]", psutil.Process]:
    """The parent and its child."""
    parent = subprocess.Popen([sys.executable, "-c", FAMILY, *sign], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    return parent, psutil.Process(int(parent.stdout.readline()))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_child_is_killed_when_its_parent_is():
    parent, child = family()
    assert not is_gone(child)
    parent.kill()
    said, _ = parent.communicate(timeout=20)  # to the end of what both say
    wait_until(lambda: is_gone(child), what="the child is gone")
    assert said == ""


def test_a_child_may_be_told_in_place_of_being_killed():
    parent, _ = family("SIGTERM")
    parent.kill()
    said, _ = parent.communicate(timeout=20)
    assert said == "told\n"


def test_a_child_whose_parent_died_before_it_could_ask_ends_at_once():
    nobody = 2**22 + 1  # no pid is larger than 2^22
    done = subprocess.run([sys.executable, "-c", LONE, str(nobody)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_child_whose_parent_lives_goes_on():
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {LONE!r}, str(os.getpid())], check=True)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "lives\n", done.stderr


def test_the_name_of_a_machine_can_be_kept_whatever_the_kernel_says(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "caf\udce9" + "x" * 60)
    assert this_host() == r"caf\udce9" + "x" * 41
