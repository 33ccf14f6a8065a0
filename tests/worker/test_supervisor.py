"""The processes behind `manage.py rqworker`: one for each role, started again by accident and ended by a signal."""

import signal

import psutil
import pytest

from jobs.core import lifecycle
from jobs.models import Attempt, Job, Status, Worker
from jobs.worker import supervisor
from tests.conftest import StartWorker
from tests.processes import wait_until
from tests.worker.conftest import accept, finished

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


def test_without_a_flag_it_serves_every_role(start_worker: StartWorker):
    start_worker()
    accept("echo")
    accept("crunch")
    wait_until(lambda: finished(2))
    assert {worker.role for worker in Worker.objects.all()} == {"network", "media"}


def test_ctrl_c_ends_it_with_all_its_children_and_hands_running_jobs_back(start_worker: StartWorker):
    process = start_worker("--grace", "0.1")
    wait_until(lambda: Worker.objects.count() == 2)
    accept("echo", seconds=30)
    accept("crunch", seconds=30)
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() == 2)
    parent = psutil.Process(process.pid)
    # A process for each role, and (a moment after its job's row says running) one for the job that computes.
    wait_until(lambda: len(parent.children(recursive=True)) == 3)
    family = [parent, *parent.children(recursive=True)]
    process.signal(signal.SIGINT, group=True)
    assert process.popen.wait(10) == 0
    wait_until(lambda: not any(member.is_running() for member in family))
    assert set(Job.objects.values_list("status", flat=True)) == {Status.PENDING}
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {Attempt.Outcome.HANDED_BACK}


def test_what_a_worker_left_running_is_handed_back_and_nobody_elses_is(redis):
    left, other = accept("echo", 2)
    for job, worker in ((left, "gone"), (other, "alive")):
        assert lifecycle.start(job.pk, worker)
    supervisor.hand_back("gone")
    assert Job.objects.runnable().get() == left
    assert Job.objects.get(pk=other.pk).status == Status.RUNNING
    assert Attempt.objects.get(job=left).outcome == Attempt.Outcome.HANDED_BACK


def test_a_process_that_ends_by_accident_is_started_again(start_worker: StartWorker):
    process = start_worker("--role", "network")
    (first,) = psutil.Process(process.pid).children()
    first.kill()
    wait_until(lambda: [one for one in psutil.Process(process.pid).children() if one != first], what="another starts")
    accept("echo")
    wait_until(lambda: finished(1))
