"""Jobs side by side, on threads and in child processes: how many, and when a lease is due."""

import psutil
import pytest

from jobs.core import lifecycle
from jobs.models import Attempt, Job, Status
from jobs.worker.runners import RESERVED, RESULTS, Claim
from tests.conftest import StartWorker
from tests.environment import DATABASE
from tests.processes import wait_until
from tests.servers.dripping import Dripping
from tests.worker.conftest import accept, finished, results_wait

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


def test_jobs_that_wait_run_side_by_side_in_one_process(start_worker: StartWorker):
    start_worker("--role", "network", "--concurrency", "8")
    jobs = accept("echo", 8, seconds=1)
    wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() == 8)
    wait_until(lambda: finished(8))
    assert len({attempt.worker for attempt in Attempt.objects.filter(job__in=jobs)}) == 1


def test_no_more_jobs_run_at_once_than_it_was_told(start_worker: StartWorker):
    start_worker("--role", "media", "--concurrency", "1")
    accept("crunch", 3, seconds=0.2)
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, Job.objects.filter(status=Status.RUNNING).count())
        return finished(3)

    wait_until(done)
    assert most == 1


def test_what_is_claimed_and_has_no_outcome_yet_is_bounded(start_worker: StartWorker):
    """Not only what runs: also what is done, while results are not written as fast as jobs end."""
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, Job.objects.filter(status=Status.RUNNING).count())
        return finished(1_000)

    accept("echo", 1_000, steps=0)
    bound = 8 + RESULTS
    with results_wait():
        start_worker("--role", "network", "--concurrency", "8")
        full = bound - RESERVED if DATABASE == "postgresql" else 0
        wait_until(lambda: Job.objects.filter(status=Status.RUNNING).count() >= full)
    wait_until(done, seconds=30)
    assert most <= bound


def open_to(port: int, process: psutil.Process) -> int:
    """How many connections a process has to a port of this machine."""
    return sum(one.raddr.port == port for one in process.net_connections("tcp") if one.raddr)


def test_servers_that_drip_hold_a_worker_up_for_the_time_of_an_exchange_and_leave_nothing(start_worker: StartWorker):
    worker = start_worker("--role", "network", "--concurrency", "32")
    (process,) = psutil.Process(worker.pid).children()
    accept("echo")
    wait_until(lambda: finished(1))
    threads = process.num_threads()
    with Dripping(b"", drop=b"drop") as server:
        slow = accept("caller", 64, port=server.port, seconds=1, times=1)
        wait_until(lambda: server.served >= 32, what="all places are taken")
        (another,) = accept("echo")
        wait_until(lambda: Job.objects.get(pk=another.pk).status == Status.SUCCEEDED)
        wait_until(lambda: finished(66))
        wait_until(lambda: open_to(server.port, process) == 0, what="all connections are gone")
        assert server.served == 64
        results = Job.objects.filter(pk__in=[job.pk for job in slow]).values_list("result", flat=True)
        assert all(result and result["read"] for result in results)
    wait_until(lambda: process.num_threads() <= threads, what="all threads are gone")


def test_a_job_that_waits_for_a_server_at_its_time_limit_leaves_no_thread_and_no_connection(start_worker: StartWorker):
    worker = start_worker("--role", "network", "--concurrency", "2")
    (process,) = psutil.Process(worker.pid).children()
    accept("echo")
    wait_until(lambda: finished(1))
    threads = process.num_threads()
    with Dripping(b"") as server:
        jobs = accept("caller", 2, port=server.port, seconds=60, times=100)
        wait_until(lambda: server.served == 2, what="both are called")
        following = accept("echo", 2)
        wait_until(lambda: open_to(server.port, process) == 0, what="all connections are gone")
        wait_until(lambda: process.num_threads() <= threads, what="all threads are gone")
        wait_until(lambda: server.left == 2, what="the server has seen them go")
        assert server.served == 2
        wait_until(lambda: finished(1 + len(following)))
    failed = Job.objects.filter(pk__in=[job.pk for job in jobs])
    assert {(job.status, job.error_code) for job in failed} == {(Status.FAILED, "time_limit")}
    assert worker.log.count("ended at its time limit") == 2


def test_a_lease_is_renewed_when_a_quarter_of_it_is_over(offload):
    offload(LEASE_SECONDS=10)
    claim = Claim(Job(), renewed_at=100, ends_at=200)
    assert not claim.is_due(102.4)
    assert claim.is_due(102.5)


def test_a_lease_of_a_job_whose_outcome_is_about_to_be_written_is_renewed_later(offload):
    offload(LEASE_SECONDS=10)
    claim = Claim(Job(), renewed_at=100, ends_at=103, has_ended=True)
    assert not claim.is_due(103.9)
    assert claim.is_due(104)


def test_a_lease_is_looked_at_when_the_time_of_its_job_is_up(offload):
    offload(LEASE_SECONDS=10)
    claim = Claim(Job(), renewed_at=100, ends_at=101)
    assert not claim.is_due(100.9)
    assert claim.is_due(101)


def test_a_computing_job_that_reaches_no_safe_point_is_ended_by_its_worker(start_worker: StartWorker):
    worker = start_worker("--role", "media")
    (job,) = accept("crunch", seconds=60)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.RUNNING).exists())
    (server,) = psutil.Process(worker.pid).children()
    (child,) = wait_until(server.children)
    assert lifecycle.cancel(job.pk)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.CANCELLED).exists(), seconds=5)
    wait_until(lambda: not child.is_running(), what="the process is gone")
    (following,) = accept("crunch")
    wait_until(lambda: Job.objects.filter(pk=following.pk, status=Status.SUCCEEDED).exists())
