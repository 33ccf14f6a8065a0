"""The monitor's numbers."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.conf import options
from jobs.kind import installed_kinds
from jobs.models import Status
from jobs.staff import monitor
from tests.staff.conftest import FAR, make, worker


def line(kind: str = "echo", queue: str = "network") -> monitor.KindNumbers:
    (found,) = [line for line in monitor.lines() if (line.kind, line.queue) == (kind, queue)]
    return found


@pytest.mark.django_db
def test_every_installed_kind_has_a_line_even_without_jobs() -> None:
    assert {(line.queue, line.kind, line.due) for line in monitor.lines()} == {
        (kind.role.queue, kind.name, 0) for kind in installed_kinds()
    }


@pytest.mark.django_db
def test_pending_jobs_are_told_apart_by_what_they_wait_for() -> None:
    make()
    make(run_at=timezone.now() + FAR)
    make(resource="account:1", position=1)
    make(resource="account:1", position=2, has_turn=False)
    make(resource="account:1", position=3, has_turn=False, run_at=timezone.now() + FAR)
    found = line()
    assert (found.due, found.later, found.behind, found.running) == (2, 1, 2, 0)


@pytest.mark.django_db
def test_running_jobs_are_counted_for_their_kind_and_their_worker() -> None:
    worker(name="host:1:abc", dropped=3)
    make(Status.RUNNING, worker="host:1:abc")
    make(Status.RUNNING, worker="host:2:gone")
    assert line().running == 2
    (found,) = monitor.workers()
    assert (found.name, found.running, found.concurrency, found.dropped, found.silent) == (
        "host:1:abc",
        1,
        4,
        3,
        False,
    )


@pytest.mark.django_db
def test_outcomes_are_counted_for_24_hours() -> None:
    make(Status.SUCCEEDED)
    make(Status.SUCCEEDED, finished_at=timezone.now() - timedelta(hours=23))
    make(Status.SUCCEEDED, finished_at=timezone.now() - timedelta(hours=25))
    make(Status.FAILED)
    make(Status.CANCELLED)
    found = line()
    assert (found.succeeded, found.failed, found.cancelled) == (2, 1, 1)


@pytest.mark.django_db
def test_the_longest_wait_is_that_of_the_oldest_due_job_in_seconds() -> None:
    make(run_at=timezone.now() - timedelta(seconds=90))
    make(run_at=timezone.now() - timedelta(seconds=10))
    make(run_at=timezone.now() - FAR, resource="a", position=2, has_turn=False)
    oldest = line().oldest_due_seconds
    assert oldest is not None
    assert 89 < oldest < 120
    assert line("crunch", "media").oldest_due_seconds is None


@pytest.mark.django_db
def test_jobs_of_a_kind_that_is_not_installed_any_more_have_a_line_too() -> None:
    make(kind="gone")
    assert (line("gone").due, line("gone").label) == (1, "gone")


@pytest.mark.django_db
def test_a_worker_that_was_silent_for_too_long_is_marked() -> None:
    worker(seen=timezone.now() - timedelta(seconds=options.WORKER_SILENT_SECONDS + 30))
    (found,) = monitor.workers()
    assert found.silent
    assert found.seen_seconds > options.WORKER_SILENT_SECONDS


@pytest.mark.django_db
def test_the_numbers_take_five_queries_however_many_jobs_there_are(redis: Any, django_assert_num_queries: Any) -> None:
    for kind in ("echo", "gone", "other"):
        make(kind=kind)
        make(Status.FAILED, kind=kind)
    with django_assert_num_queries(5):
        monitor.numbers()
