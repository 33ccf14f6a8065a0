"""How the database finds the rows of a job's way, whatever it believes of the table."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Job, Status
from jobs.sentences import Sentence
from jobs.web import access

pytestmark = pytest.mark.django_db

MANY = 20_000
"""Enough of them that reading an index of them all costs much more than finding one."""


def in_quiet_times() -> None:
    """The database last looked at the table when some jobs had finished, and none waited or ran."""
    copy(MANY, status=Status.SUCCEEDED, has_turn=False, finished_at=timezone.now())
    analyze()
    fill()


def in_busy_times() -> None:
    """It last looked when many waited and ran; now they have all succeeded."""
    fill()
    analyze()
    ended = {"has_turn": False, "lease_until": None, "deadline": None, "finished_at": timezone.now()}
    Job.objects.update(status=Status.SUCCEEDED, **ended)


def never() -> None:
    """It has never looked."""
    fill()


def fill() -> None:
    """Many that wait, and many that run."""
    copy(MANY)
    ends = timezone.now() + timedelta(hours=1)
    copy(MANY, status=Status.RUNNING, attempt=1, lease_until=ends, deadline=ends, worker="w1")


def copy(count: int, **values: object) -> None:
    """Insert so many jobs that are alike."""
    pattern = Job(kind="echo", queue="network", payload_text="{}", title="t", **values)
    pattern.save()
    columns = [connection.ops.quote_name(field.attname) for field in Job._meta.concrete_fields if field.name != "id"]
    new_id, numbers = "gen_random_uuid()", "generate_series(1, %s)"
    if connection.vendor == "sqlite":
        new_id = "lower(hex(randomblob(16)))"
        numbers = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %s) SELECT i FROM n)"
    row = f"SELECT {new_id}, {', '.join(columns)} FROM offload_job, {numbers} AS n WHERE id = %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO offload_job (id, {', '.join(columns)}) {row}",
            [count, Job._meta.pk.get_db_prep_value(pattern.pk, connection)],
        )


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE offload_job")


@pytest.mark.parametrize("looked", [in_quiet_times, in_busy_times, never])
def test_jobs_that_are_asked_for_by_key_are_found_by_key(looked: Callable[[], None]):
    echo = kind_named("echo")
    assert echo
    looked()
    jobs = lifecycle.submit(echo, [Submission({}, "t")] * 30, owner=None).jobs
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    plans: dict[str, str] = {}

    def explained(execute, sql, params, many, context):
        if "offload_job" in sql and " WHERE " in sql and not sql.startswith("EXPLAIN"):
            with connection.cursor() as cursor:
                cursor.execute(f"{explain} {sql}", params[0] if many else params)
                plans[sql] = "\n".join(str(row[-1]) for row in cursor.fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        running = lifecycle.start_all([job.pk for job in jobs], "w1")
        assert not lifecycle.renew("w1", {job.pk: job.attempt for job in running})
        lifecycle.progress(running[0], 50, Sentence("text", text="half"))
        lifecycle.try_again(running.pop(), "away", pause=timedelta(0))
        lifecycle.fail(running.pop(), "refused")
        assert lifecycle.hand_back(running.pop())
        lifecycle.succeed(running[0], {})
        assert len(lifecycle.succeed_all([(job, {}) for job in running[1:]])) == 26
        access._FOLLOW_ONE.rows(job_id=jobs[0].pk, owner=1, visitor="v" * 32, session_key="s" * 32)
    assert len(plans) >= 9
    for sql, plan in plans.items():
        found = "sqlite_autoindex_offload_job_1 (id=?)" in plan or re.search(r"Index .*offload_job_pkey", plan)
        other = re.findall(r"job_(?:runnable|leases|line|list|newest|outcomes)\b|Seq Scan on offload_job", plan)
        other += re.findall(
            r"(?:SCAN|SEARCH) (?:offload_job|U0) (?!USING (?:(?:COVERING )?INDEX sqlite_autoindex|INTEGER PRIMARY)).*",
            plan,
        )
        assert found, f"{sql}\n{plan}"
        assert not other, f"{sql}\n{plan}"
