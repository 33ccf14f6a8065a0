"""The lab's work."""

import subprocess
import sys

import pytest

from jobs.kinds.lab.work import work
from tests.processes import ROOT

pytestmark = [pytest.mark.apart, pytest.mark.stack]


def test_a_bare_python_does_the_same_work():
    command = [sys.executable, "-m", "jobs.kinds.lab.work", "1000"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout == str(work(1000)).encode()
