"""The admin: jobs are found and read by staff, never edited, and moved only by the lifecycle."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import admin
from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Attempt, Job, QuotaException, Status, Submit, Worker

LIST = "/admin/offload/job/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def submit(*titles: str, owner: User | None = None, kind: str = "echo", resource: str = "") -> list[Job]:
    """Accepted jobs; their payload holds a secret."""
    the_kind = kind_named(kind)
    assert the_kind is not None
    submissions = [Submission({"text": "payload-secret"}, title, resource) for title in titles]
    return lifecycle.submit(the_kind, submissions, owner=owner).jobs


def failed(title: str = "A failed job", **values: Any) -> Job:
    """A job whose only attempt failed, with a traceback."""
    (job,) = submit(title, **values)
    started = lifecycle.start(job.pk, "host:1:abc")
    assert started is not None
    lifecycle.fail(started, "went_wrong", traceback="Traceback: <b>line 1</b>\n  line 2")
    job.refresh_from_db()
    return job


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def text_of(client: Client, path: str, **query: str) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, action: str, *jobs: Job) -> str:
    """Choose jobs in the list and run an action. Returns the page that follows."""
    answer = client.post(LIST, {"action": action, "_selected_action": [job.pk for job in jobs]}, follow=True)
    return str(answer.content.decode())


def test_the_list_shows_what_staff_look_for(staff: Client, user: User) -> None:
    submit("Ann's job", owner=user, resource="account:1")
    text = text_of(staff, LIST)
    for part in ("Echo", "pending", "Ann&#x27;s job", "ann", "account:1"):
        assert part.lower() in text.lower()


def test_the_list_takes_as_many_queries_for_twenty_jobs_as_for_one(staff: Client, user: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            staff.get(LIST)
        return len(captured)

    submit("One", owner=user)
    staff.get(LIST)
    once = queries()
    submit(*map(str, range(20)), owner=user)
    assert queries() == once


def test_no_admin_page_loads_a_payload(staff: Client, user: User) -> None:
    job = failed(owner=user)
    made = Submit.objects.create(owner=user, kind="echo", idempotency_key="k", fingerprint="f")
    Job.objects.filter(pk=job.pk).update(submit=made)
    for path in (LIST, page(job), f"/admin/offload/submit/{made.pk}/change/"):
        with CaptureQueriesContext(connection) as captured:
            text = text_of(staff, path)
        assert "payload-secret" not in text
        assert not [query for query in captured.captured_queries if "payload_text" in query["sql"]]


def test_a_jobs_page_shows_every_field_but_the_payload(staff: Client) -> None:
    job = failed()
    fields = [str(name).removeprefix("the_") for _, options in admin.JobAdmin.fieldsets for name in options["fields"]]
    shown = {re.sub("_text$", "_said", name) for name in fields}  # in words
    assert shown == {field.name for field in Job._meta.concrete_fields} - {"payload_text"}
    assert "It went wrong." in text_of(staff, page(job))


def test_a_jobs_page_shows_its_attempts_with_tracebacks_as_text(staff: Client) -> None:
    job = failed()
    Attempt.objects.filter(job=job).update(traceback="Traceback: <b>of the attempt</b>")
    text = text_of(staff, page(job))
    assert "<pre>Traceback: &lt;b&gt;of the attempt&lt;/b&gt;</pre>" in text
    assert "host:1:abc" in text


def test_a_result_is_shown_as_indented_json(staff: Client) -> None:
    (job,) = submit("Done")
    started = lifecycle.start(job.pk, "host:1:abc")
    assert started is not None
    lifecycle.succeed(started, {"url": "https://example.org/?a=1&b=2"})
    assert "<pre>{\n  &quot;url&quot;: &quot;https://example.org/?a=1&amp;b=2&quot;\n}</pre>" in text_of(
        staff, page(job)
    )


def test_a_jobs_page_links_to_its_owner(staff: Client, user: User) -> None:
    assert f"/admin/auth/user/{user.pk}/change/" in text_of(staff, page(failed(owner=user)))


@pytest.mark.parametrize("model", ["job", "submit", "worker"])
def test_nothing_of_ours_can_be_added(staff: Client, model: str) -> None:
    assert staff.get(f"/admin/offload/{model}/add/").status_code == 403


def test_a_job_can_be_neither_changed_nor_deleted(staff: Client) -> None:
    job = failed()
    assert staff.post(page(job), {"title": "Another", "status": "succeeded"}).status_code == 403
    assert staff.post(f"{LIST}{job.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in text_of(staff, LIST)
    job.refresh_from_db()
    assert (job.title, job.status) == ("A failed job", Status.FAILED)


def test_a_whole_id_finds_its_job(staff: Client) -> None:
    first, _ = submit("First one", "Second one")
    text = text_of(staff, LIST, q=f" {first.pk} ")
    assert "First one" in text
    assert "Second one" not in text
    assert "Second one" not in text_of(staff, LIST, q=str(uuid4()))


@pytest.mark.parametrize("query", ["holiday", "ann@example", "account:7"])
def test_the_search_finds_titles_owners_and_resources(staff: Client, user: User, other_user: User, query: str) -> None:
    submit("Post holiday pictures", owner=user, resource="account:7")
    submit("Something else", owner=other_user)
    text = text_of(staff, LIST, q=query)
    assert "holiday" in text
    assert "Something else" not in text


@pytest.mark.parametrize("query", [{"kind": "crunch"}, {"queue": "media"}, {"status__exact": "failed"}])
def test_filters_narrow_the_list(staff: Client, query: dict[str, str]) -> None:
    submit("A pending one")
    failed("The other", kind="crunch")
    text = text_of(staff, LIST, **query)
    assert "The other" in text
    assert "A pending one" not in text


def test_the_list_can_be_narrowed_to_a_time(staff: Client) -> None:
    (old,) = submit("An old one")
    submit("A new one")
    Job.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=40))
    text = text_of(staff, LIST, created_at__gte=(timezone.now() - timedelta(days=7)).isoformat())
    assert "A new one" in text
    assert "An old one" not in text


def test_the_list_counts_no_further_than_its_limit(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "COUNT_UP_TO", 3)
    submit(*"abcde")
    assert "3 jobs" in text_of(staff, LIST)


def test_failed_jobs_can_be_tried_again_and_the_message_counts_both_sides(staff: Client) -> None:
    first, second = failed("First"), failed("Second")
    (pending,) = submit("Third")
    text = act(staff, "retry", first, second, pending)
    assert "2 jobs will be tried again." in text
    assert "1 job stayed as before" in text
    assert set(Job.objects.values_list("status", flat=True)) == {Status.PENDING}


def test_pending_jobs_can_be_cancelled_and_the_message_counts_both_sides(staff: Client) -> None:
    (pending,) = submit("First")
    done = failed("Second")
    text = act(staff, "cancel", pending, done)
    assert "1 job cancelled or told to stop." in text
    assert "1 job stayed as before" in text
    pending.refresh_from_db()
    done.refresh_from_db()
    assert (pending.status, done.status) == (Status.CANCELLED, Status.FAILED)


def test_jobs_on_one_resource_are_tried_again_in_their_first_order(staff: Client) -> None:
    old, new = failed("Old", resource="account:1"), failed("New", resource="account:1")
    act(staff, "retry", new, old)
    assert list(Job.objects.order_by("position")) == [old, new]


def test_an_action_takes_the_oldest_jobs_and_says_that_more_are_left(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "MOVE_AT_ONCE", 2)
    jobs = submit("1", "2", "3")
    text = act(staff, "cancel", *jobs)
    assert "2 jobs cancelled or told to stop." in text
    assert "run the action again" in text
    assert Job.objects.filter(status=Status.PENDING).count() == 1


def test_a_jobs_page_offers_the_one_action_that_fits(staff: Client) -> None:
    (pending,) = submit("Waits")
    text = text_of(staff, page(pending))
    assert "Cancel this job" in text
    assert "Try this job again" not in text
    done = failed()
    text = text_of(staff, page(done))
    assert "Try this job again" in text
    assert "Cancel this job" not in text


def test_staff_who_may_only_view_get_no_actions(user: User) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = Client()
    client.force_login(user)
    job = failed()
    assert "Try this job again" not in text_of(client, page(job))
    assert "host:1:abc" in text_of(client, page(job))
    act(client, "retry", job)
    job.refresh_from_db()
    assert job.status == Status.FAILED


def test_submits_and_workers_are_listed(staff: Client, user: User) -> None:
    Submit.objects.create(owner=user, kind="echo", idempotency_key="k", fingerprint="f")
    Worker.objects.create(name="host:1:abc", role="media", concurrency=2)
    assert "echo" in text_of(staff, "/admin/offload/submit/")
    assert "host:1:abc" in text_of(staff, "/admin/offload/worker/")
    assert "host:1:abc" in text_of(staff, "/admin/offload/worker/host_3A1_3Aabc/change/")
    assert text_of(staff, "/admin/offload/submit/", q="ann@")


def test_the_admins_first_page_links_the_monitor(staff: Client) -> None:
    assert 'href="/admin/monitor/"' in text_of(staff, "/admin/")
    assert staff.get("/admin/monitor/").status_code == 200


def test_a_person_who_is_no_staff_sees_nothing_of_it(client: Client, user: User) -> None:
    client.force_login(user)
    job = failed()
    for path in (LIST, page(job), "/admin/monitor/"):
        assert client.get(path).status_code == 302


@pytest.mark.django_db
def test_staff_sign_in_on_the_sites_own_page_which_limits_guesses(client: Client, user: User) -> None:
    answer = client.get("/admin/", follow=True)
    assert answer.request["PATH_INFO"] == "/accounts/login/"
    assert client.post("/admin/login/", {"username": user.username, "password": "guess"}).status_code == 302


def test_the_admin_carries_the_sites_name_and_icon(staff: Client) -> None:
    content = staff.get("/admin/").content.decode()
    assert "Offload administration" in content
    assert "offload/icon.svg" in content


# --- Exceptions from quotas ------------------------------------------------------------------------------------------

EXCEPTIONS = "/admin/offload/quotaexception/"


def test_staff_make_an_exception_for_a_person_and_read_what_that_person_uses(staff: Client, user: User) -> None:
    submit("One", "Two", owner=user)
    asked = {"quota": "jobs", "user": user.pk, "group": "", "most": 7}
    assert staff.post(f"{EXCEPTIONS}add/", asked).status_code == 302
    exception = QuotaException.objects.get()
    assert (exception.quota, exception.user, exception.group, exception.most) == ("jobs", user, None, 7)
    shown = text_of(staff, f"{EXCEPTIONS}{exception.pk}/change/")
    assert "<p>Jobs that wait or run: 2 of 7</p>" in shown
    assert "Connected accounts: 0 of 50" in shown
    assert "1 exception from a quota" in text_of(staff, EXCEPTIONS, q="ann@example.org")


def test_an_exception_is_for_a_person_or_a_group_once_and_for_a_quota_that_there_is(staff: Client, user: User) -> None:
    group = Group.objects.create(name="Editors")
    QuotaException.objects.create(quota="jobs", group=group, most=0)
    for wrong, sentence in (
        ({"user": user.pk, "group": group.pk}, "Choose a person or a group, one of the two."),
        ({"user": "", "group": ""}, "Choose a person or a group, one of the two."),
        ({"user": "", "group": group.pk}, "This group has an exception from this quota already."),
        ({"user": user.pk, "group": "", "quota": "gone"}, "Select a valid choice."),
        ({"user": user.pk, "group": "", "most": -1}, "greater than or equal to 0"),
    ):
        answer = staff.post(f"{EXCEPTIONS}add/", {"quota": "jobs", "most": 5, **wrong})
        assert answer.status_code == 200
        assert sentence in answer.text
    assert QuotaException.objects.count() == 1
    assert "–" in text_of(staff, f"{EXCEPTIONS}{QuotaException.objects.get().pk}/change/")


def test_a_list_of_exceptions_costs_the_same_however_long_it_is(staff: Client, user: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text_of(staff, EXCEPTIONS)
        return len(captured)

    QuotaException.objects.create(quota="jobs", user=user, most=1)
    before = queries()
    for number in range(5):
        QuotaException.objects.create(quota="jobs", group=Group.objects.create(name=str(number)), most=1)
    assert queries() == before
