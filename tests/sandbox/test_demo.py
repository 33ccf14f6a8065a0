"""`manage.py demo`: six real outcomes, and nothing left."""

import json
import os
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from jobs.sandbox.demo import check_place_is_gone
from jobs.sandbox.visitor import Outcome, Unexpected, Visitor
from tests.processes import ROOT, Process, manage, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_the_demo_brings_every_kind_to_its_outcome_and_leaves_nothing():
    with TemporaryDirectory(prefix="offload-demo-test-") as folder:
        done = subprocess.run(
            manage("demo"), cwd=ROOT, env=os.environ | {"TMPDIR": folder}, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [(line["kind"], line["status"]) for line in lines] == [
            ("email", "succeeded"),
            ("media", "succeeded"),
            ("media", "succeeded"),
            ("media", "succeeded"),
            ("social", "succeeded"),
            ("social", "succeeded"),
        ]
        for line in lines:
            assert 0 < line["seconds_to_answer"] < line["seconds_to_outcome"]
            assert line["url"].startswith("http://127.0.0.1:")
        assert list(Path(folder).glob("offload-demo-*")) == []


def test_a_demo_that_is_stopped_stops_what_it_started():
    with TemporaryDirectory(prefix="offload-demo-test-") as folder:
        # Without PYTHONUNBUFFERED: each line has to come at once all the same.
        demo = Process(["env", "-u", "PYTHONUNBUFFERED", *manage("demo")], {"TMPDIR": folder}, name="demo")
        wait_until(lambda: '"kind"' in demo.log or not demo.alive(), seconds=120, what="the first outcome")
        processes = psutil.Process(demo.pid).children(recursive=True)
        assert processes
        demo.signal(signal.SIGTERM)
        assert demo.popen.wait(30) == 143, demo.log
        wait_until(lambda: not any(one.is_running() for one in processes), seconds=5, what="every process is gone")
        assert list(Path(folder).glob("offload-demo-*")) == []


def test_a_photo_page_without_files_does_not_pass_as_clean():
    visitor = Visitor("http://127.0.0.1:1")
    outcome = Outcome({"id": "1", "result": {"files": []}}, "/jobs/1/", 0.1, 0.2)
    with pytest.raises(Unexpected, match="offers no files"):
        check_place_is_gone(visitor, outcome)
    visitor.close()
