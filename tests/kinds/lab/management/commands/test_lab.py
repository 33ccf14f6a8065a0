"""`manage.py lab` as a process."""

import json
import os
import signal
import subprocess

import pytest

from jobs.models import Job, Status, Worker
from tests.conftest import StartWorker
from tests.processes import ROOT, Process, manage, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


@pytest.fixture
def lab(child_env, redis, transactional_db):
    """Run the command to its end."""

    def lab(*args: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            manage("lab", *args), cwd=ROOT, env={**os.environ, **child_env}, capture_output=True, text=True
        )

    return lab


def test_it_prints_figures_as_json(lab, start_worker: StartWorker):
    start_worker("--role", "network")
    done = lab("race", "--size", "3", "--json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)
    assert (run["experiment"], run["size"]) == ("race", 3)
    assert run["found"]["on"]["counts"]["20"] == 3


def test_it_prints_tables_and_tells_on_the_side_how_far_it_is(lab, start_worker: StartWorker):
    start_worker("--role", "network")
    done = lab("race", "--size", "3")
    assert done.returncode == 0, done.stderr
    assert "Protection on" in done.stdout
    assert "Race: 3 repetitions" in done.stderr


def test_without_workers_it_says_how_to_start_them(lab):
    done = lab("race", "--size", "3")
    assert done.returncode == 1
    assert "No worker is running." in done.stderr
    assert "manage.py rqworker" in done.stderr
    assert Job.objects.get().status == Status.CANCELLED


def test_it_starts_workers_itself_and_stops_them(lab):
    done = lab("race", "--size", "3", "--json", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["found"]["on"]["counts"]["20"] == 3
    assert not Worker.objects.exists()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["nonsense"], "nonsense is not one of the available choices"),
        (["race", "--size", "1000"], "Please choose 1 to 100 repetitions."),
        (["race", "locks", "--size", "50"], "Please choose 2 to 8 values."),
    ],
)
def test_a_wrong_argument_gets_one_sentence(lab, args, sentence):
    done = lab(*args)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not Job.objects.exists()


def test_ctrl_c_cancels_a_run_that_waits(child_env, start_worker: StartWorker):
    start_worker("--role", "media")
    Worker.objects.update(role="network")
    process = Process(manage("lab", "race"), child_env, name="lab")
    wait_until(lambda: "Race: 20 repetitions" in process.log, what="the run is submitted")
    process.signal(signal.SIGINT)
    assert process.popen.wait(20) == 130
    assert "Traceback" not in process.log
    assert Job.objects.get().status == Status.CANCELLED
