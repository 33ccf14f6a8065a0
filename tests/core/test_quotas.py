"""How much an owner may have: what counts, what is allowed, and when there is room again. On each database."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import number_format

from jobs.core import lifecycle, quotas
from jobs.core.quotas import BYTES, COMPUTING, JOBS, PACE, QuotaExceeded
from jobs.kind import ClaimLost, Kind, Submission, Use
from jobs.models import Job, Meter, QuotaException
from jobs.worker.execution import perform
from tests.core.test_plans import MANY, analyze, copy
from tests.kind_app.kind import Crunch, Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def accept(owner: User | None, kind: Kind | None = None, count: int = 1, **more: Any) -> list[Job]:
    return lifecycle.submit(kind or Echo(), [Submission({"text": "hi"}, "t", **more)] * count, owner=owner).jobs


def used(owner: User) -> dict[str, float]:
    return {one.quota.name: one.used for one in quotas.standings(owner.pk)}


def refused(owner: User, *uses: Use) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as refusal:
        quotas.check(owner.pk, uses)
    return refusal.value


# --- What counts -----------------------------------------------------------------------------------------------------


def test_jobs_count_until_they_are_done_and_those_of_others_do_not(user, other_user):
    accept(other_user)
    accept(None)
    done, cancelled, *_ = accept(user, count=4)
    assert used(user)["jobs"] == 4
    perform(str(done.pk))
    lifecycle.cancel(cancelled.pk)
    assert used(user)["jobs"] == 2


def test_what_is_scheduled_counts_as_waiting(user):
    later = timezone.now() + timedelta(days=1)
    lifecycle.submit(Echo(), [Submission({"text": "hi"}, "t")], owner=user, run_at=later)
    assert used(user)["jobs"] == 1


def test_jobs_count_for_the_pace_within_a_minute_and_deleting_them_gives_none_back(user):
    old, *fresh = accept(user, count=3)
    Job.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(seconds=61))
    assert used(user)["pace"] == 2
    for job in [old, *fresh]:
        lifecycle.cancel(job.pk)
    assert lifecycle.delete([old.pk, *(job.pk for job in fresh)]) == 3
    assert used(user)["pace"] == 2


def test_what_is_stored_counts_until_its_job_is_deleted(user):
    (job, other) = accept(user, count=2, stored_bytes=1_000)
    running = lifecycle.start(job.pk, "w")
    assert running
    lifecycle.stored(running, 5_000)
    assert used(user)["bytes"] == 6_000
    lifecycle.succeed(running, {})
    assert used(user)["bytes"] == 6_000
    lifecycle.delete([job.pk])
    assert used(user)["bytes"] == 1_000
    lifecycle.cancel(other.pk)
    assert used(user)["bytes"] == 1_000


def test_an_attempt_that_was_given_up_tells_nothing_of_what_is_stored(user):
    (job,) = accept(user)
    running = lifecycle.start(job.pk, "w")
    assert running
    lifecycle.lose(running, lapsed=False)
    with pytest.raises(ClaimLost):
        lifecycle.stored(running, 5_000)


@pytest.mark.parametrize("end", ["succeed", "fail", "try_again", "lose", "cancel"])
def test_time_of_work_counts_however_an_attempt_ends_and_stays_when_its_job_is_deleted(user, end):
    (job,) = accept(user, Crunch())
    running = lifecycle.start(job.pk, "w")
    assert running
    began = timezone.now() - timedelta(seconds=90)
    running.started_at = began
    match end:
        case "succeed":
            lifecycle.succeed(running, {})
        case "fail":
            lifecycle.fail(running, "no")
        case "try_again":
            lifecycle.try_again(running, "away", pause=timedelta(0))
        case "lose":
            lifecycle.lose(running, lapsed=False)
        case "cancel":
            lifecycle.cancel(job.pk)
            assert lifecycle.stop(running)
    assert used(user)["computing"] == pytest.approx(90, abs=30)
    Job.objects.filter(pk=job.pk).delete()
    assert used(user)["computing"] > 0


def test_waiting_for_others_is_no_work_on_files(user):
    perform(str(accept(user)[0].pk))
    assert used(user)["computing"] == 0


def test_what_was_noted_ends_with_its_period(user):
    quotas.meter(user.pk, COMPUTING, 3)
    quotas.meter(user.pk, COMPUTING, 4)
    assert used(user)["computing"] == 7
    Meter.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert used(user)["computing"] == 0
    quotas.meter(user.pk, COMPUTING, 5)
    assert used(user)["computing"] == 5
    assert Meter.objects.count() == 1


# --- What is allowed -------------------------------------------------------------------------------------------------


def test_as_much_as_the_option_says_fits_and_no_more(user, offload):
    offload(QUOTA_JOBS=3)
    accept(user, count=2)
    quotas.check(user.pk, [Use(JOBS, 1)])
    refusal = refused(user, Use(JOBS, 2, "files"))
    assert str(refusal) == (
        "There is no room: of at most 3 jobs, 2 wait or run already. Try it again when some are done, or cancel some."
    )
    assert (refusal.most, refusal.field, refusal.wait) == (3, "files", None)


@pytest.mark.parametrize(("most", "fits"), [(0, True), (1, False), (10**12, True), (10**30, True)])
def test_no_limit_a_small_one_and_a_huge_one(user, offload, most, fits):
    offload(**{f"QUOTA_{name}": most for name in ("JOBS", "PACE", "BYTES", "COMPUTING")})
    accept(user, Crunch(), count=2, stored_bytes=5)
    quotas.meter(user.pk, COMPUTING, 1)
    for quota in (JOBS, PACE, BYTES, COMPUTING):
        if fits:
            quotas.check(user.pk, [Use(quota)])
        else:
            refused(user, Use(quota))


def test_whoever_has_more_than_is_allowed_by_now_keeps_it_and_hears_how_much_it_is(user, offload):
    accept(user, count=5)
    offload(QUOTA_JOBS=2)
    assert "of at most 2 jobs, 5 wait or run already." in str(refused(user, Use(JOBS)))
    assert Job.objects.filter(owner=user).count() == 5


def test_what_is_asked_for_in_two_parts_has_to_fit_together(user, offload):
    offload(QUOTA_JOBS=3)
    quotas.check(user.pk, [Use(JOBS, 1, "one"), Use(JOBS, 2, "two")])
    assert refused(user, Use(JOBS, 1, "one"), Use(JOBS, 3, "two")).field == "two"


def test_nobody_s_jobs_have_no_quota(offload):
    offload(QUOTA_JOBS=1)
    accept(None, count=3)
    quotas.check(None, [Use(JOBS, 100)])


def test_a_person_s_own_exception_counts_before_those_of_groups_and_of_these_the_most_generous(user, other_user):
    def most() -> int:
        return quotas.limits_of(user.pk, [JOBS])["jobs"]

    groups = [Group.objects.create(name=name) for name in "abcd"]
    user.groups.set(groups[:3])
    QuotaException.objects.create(quota="pace", user=user, most=1)
    QuotaException.objects.create(quota="jobs", user=other_user, most=9)
    QuotaException.objects.create(quota="jobs", group=groups[3], most=99)
    assert most() == 1_000
    QuotaException.objects.create(quota="jobs", group=groups[0], most=5)
    assert most() == 5
    QuotaException.objects.create(quota="jobs", group=groups[1], most=7)
    assert most() == 7
    QuotaException.objects.create(quota="jobs", group=groups[2], most=0)
    assert most() == 0
    QuotaException.objects.create(quota="jobs", user=user, most=2)
    assert most() == 2


def test_an_exception_from_a_quota_that_is_gone_harms_nobody(user):
    QuotaException.objects.create(quota="gone", user=user, most=1)
    quotas.check(user.pk, [Use(JOBS)])


# --- When there is room again ----------------------------------------------------------------------------------------


def test_the_pace_allows_more_as_soon_as_enough_of_it_is_a_minute_old(user, offload):
    offload(QUOTA_PACE=3)
    for age in (50, 30, 10):
        (job,) = accept(user)
        Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(seconds=age))
    waits = [refused(user, Use(PACE, count)).wait or 0 for count in (1, 2, 3)]
    assert [round(wait, -1) for wait in waits] == [10, 30, 50]
    assert f"Try it again in {waits[2] - 1}" in str(refused(user, Use(PACE, 3))) or waits[2] >= 49


def test_more_than_is_ever_allowed_is_no_matter_of_time(user, offload):
    offload(QUOTA_PACE=3)
    assert refused(user, Use(PACE, 4)).wait is None


def test_time_of_work_is_there_again_when_its_day_is_over(user, offload):
    offload(QUOTA_COMPUTING=60)
    quotas.meter(user.pk, COMPUTING, 61)
    Meter.objects.update(until=timezone.now() + timedelta(hours=2))
    refusal = refused(user, Use(COMPUTING))
    assert 7_100 < (refusal.wait or 0) <= 7_200
    assert str(refusal) == "Your files may be worked on for 1 minute within a day, and were. Try it again in 2 hours."


# --- How it is told --------------------------------------------------------------------------------------------------


def test_a_standing_is_told_in_words(user, offload):
    offload(QUOTA_JOBS=1_000, QUOTA_PACE=0, QUOTA_BYTES=5 * 1024**3, QUOTA_COMPUTING=14_400)
    accept(user, count=2, stored_bytes=1024)
    quotas.meter(user.pk, COMPUTING, 301.5)
    words = {one.quota.name: str(one).replace("\xa0", " ") for one in quotas.standings(user.pk)}
    assert {name: words[name] for name in ("jobs", "pace", "bytes", "computing")} == {
        "jobs": "2 of 1,000",
        "pace": "2",
        "bytes": "2.0 KB of 5.0 GB",
        "computing": "6 minutes of 4 hours",
    }
    assert number_format(1_000, force_grouping=True) == "1,000"


# --- What it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looked", ["before", "after", "never"])
def test_one_statement_answers_for_a_submit_and_finds_by_indexes_what_counts(user, other_user, looked):
    """looked: when the database last gathered statistics, beside the moment when others had very many jobs."""
    accept(user, count=2)
    if looked == "before":
        analyze()
    copy(MANY, owner=other_user)
    if looked == "after":
        analyze()
    with CaptureQueriesContext(connection) as captured:
        quotas.check(user.pk, quotas.for_jobs(Echo()))
    asked = [query["sql"] for query in captured if "offload_job" in query["sql"]]
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        (sql,) = asked
        cursor.execute(f"{explain} {sql}")
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    used_indexes = set(re.findall(r"\bjob_[a-z_]+\b|Seq Scan on offload_job|SCAN offload_job", plan))
    # The last minute of the whole site, where PostgreSQL knows no better.
    known = [{"job_unfinished", "job_list"}, {"job_unfinished", "job_newest"}]
    if looked == "before" and connection.vendor == "postgresql":
        # It takes all jobs for this owner's then, and may as well read one after the other until there are enough.
        known += [
            {"Seq Scan on offload_job"},
            *({"Seq Scan on offload_job", name} for name in ("job_unfinished", "job_list")),
        ]
    assert used_indexes in known
