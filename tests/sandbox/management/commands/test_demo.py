"""`manage.py demo` as it is called."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.processes import ROOT, manage

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_a_demo_that_cannot_start_says_why():
    with TemporaryDirectory(prefix="offload-demo-test-") as folder:
        deep = Path(folder) / ("deep" * 25)
        deep.mkdir()
        done = subprocess.run(
            manage("demo"),
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(deep)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert "is too long for a socket" in done.stderr
    assert "Traceback" not in done.stderr
