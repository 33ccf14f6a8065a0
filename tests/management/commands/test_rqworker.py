"""`manage.py rqworker` as it is called."""

import subprocess

import pytest

from tests.processes import ROOT, manage

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_a_wrong_option_gets_one_clear_sentence():
    result = subprocess.run(
        manage("rqworker", "--role", "network", "--concurrency", "0"), cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "must be 1 or more" in result.stderr
    assert "Traceback" not in result.stderr
