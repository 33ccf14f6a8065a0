"""The experiments with real workers."""

import psutil
import pytest

from jobs.core import lifecycle
from jobs.kinds.lab.models import Value
from jobs.models import Job, Status
from tests.conftest import StartWorker
from tests.kinds.lab.conftest import accepted, found_by, over
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


def test_the_race_is_lost_without_protection_and_never_with_it(start_worker: StartWorker, user):
    start_worker()
    found = found_by(accepted(user, "race", 10))
    assert found["on"]["counts"] == {"4": 0, "10": 0, "12": 0, "20": 10}
    assert sum(found["off"]["counts"].values()) == 10
    assert found["off"]["counts"]["20"] < 10
    first, second = found["on"]["example"]
    assert (first["task"], second["task"]) == ("+2", "×5")
    assert first["wrote_at"] <= second["read_at"]
    assert (first["read"], first["wrote"], second["read"], second["wrote"]) == (2, 4, 4, 20)
    first, second = found["off"]["example"]
    assert max(first["read_at"], second["read_at"]) < min(first["wrote_at"], second["wrote_at"])


def test_locks_keep_values_right_and_one_for_each_lets_jobs_run_together(start_worker: StartWorker, user):
    start_worker("--concurrency", "2")
    found = found_by(accepted(user, "locks", 2))
    facts = {
        mode: (found[mode]["right"], found[mode]["together"], found[mode]["on_one"]) for mode in ("global", "each")
    }
    assert facts == {"global": (2, 1, 1), "each": (2, 2, 1)}
    assert found["none"]["on_one"] == 2
    assert found["none"]["right"] < 2
    assert all(found[mode]["cpu"] > 0 for mode in ("global", "each", "none"))
    assert all(found["comparison"][way]["wall"] > 0 for way in ("sequence", "threads", "processes"))


@pytest.mark.django_db(transaction=True, databases=["default", "sandbox"])
def test_visitors_and_others_are_answered_while_a_queue_does_the_waiting(start_worker: StartWorker, user, sandbox):
    worker = start_worker()
    found = found_by(accepted(user, "offload", 20))
    assert (found["waits"]["count"], found["queues"]["count"], found["queues"]["outcome"]["count"]) == (20, 20, 20)
    assert found["waits"]["median"] >= found["api"]
    assert found["waits"]["others"]["count"] > 0
    assert found["queues"]["others"]["count"] > 0
    programs = [process.cmdline() for process in psutil.Process(worker.pid).children(recursive=True)]
    assert not [program for program in programs if "jobs.kinds.lab.server" in program]


def test_without_the_practice_network_a_run_says_so(start_worker: StartWorker, user):
    start_worker("--role", "network", env={"SANDBOX_URL": "http://127.0.0.1:9"})
    job = over(accepted(user, "offload", 10))
    assert job.error_code == "practice_network"
    assert "The practice network does not answer" in job.error_text


def test_without_a_worker_that_computes_a_run_says_so_and_leaves_no_step(start_worker: StartWorker, user):
    start_worker("--role", "network")
    job = over(accepted(user, "locks", 2))
    assert job.error_code == "no_worker"
    assert "rqworker --role media" in job.error_text
    assert not Job.objects.filter(status=Status.PENDING).exists()


def test_a_step_that_is_cancelled_ends_the_run_and_the_other_steps(start_worker: StartWorker, user):
    start_worker("--role", "network")
    job = accepted(user, "locks", 2)
    steps = Job.objects.filter(kind="lab_addition")
    wait_until(steps.exists, what="the first step")
    assert lifecycle.cancel(steps[0].pk)
    assert over(job).error_code == "step_failed"
    assert not Job.objects.filter(status=Status.PENDING).exists()


def test_a_run_that_is_cancelled_takes_its_steps_along(start_worker: StartWorker, user):
    start_worker("--role", "network")
    job = accepted(user, "locks", 2)
    wait_until(Job.objects.filter(kind="lab_addition").exists, what="the first step")
    assert lifecycle.cancel(job.pk)
    assert over(job).status == Status.CANCELLED
    wait_until(lambda: not Job.objects.unfinished().exists(), what="no step is left")


def test_a_new_run_clears_what_was_left_behind(start_worker: StartWorker, user):
    left = Value.objects.create(number=7)
    start_worker("--role", "network")
    found_by(accepted(user, "race", 1))
    assert not Value.objects.filter(pk=left.pk).exists()


def test_the_steps_are_nobodys_and_clutter_no_list(start_worker: StartWorker, ann, user):
    start_worker("--role", "network")
    job = accepted(user, "race", 2)
    found_by(job)
    assert list(Job.objects.filter(owner=user)) == [job]
    step = Job.objects.filter(kind="lab_operation")[0]
    assert ann.get(step.get_absolute_url()).status_code == 404
    assert "+2" not in ann.get("/jobs/").content.decode()
