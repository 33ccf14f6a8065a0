"""The list of somebody's jobs: whose they are, filtered, searched, and page by page."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.core import lifecycle
from jobs.models import Job
from jobs.sentences import Sentence
from jobs.web import job_list
from tests.web.conftest import JSON, fail, job_of, start, submit_json

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_my_jobs_are_listed_newest_first_and_nobody_elses(ann, bob):
    for text in ("first", "second"):
        job_of(ann, text=text)
    job_of(bob, text="not hers")
    page = ann.get("/jobs/").content.decode()
    assert page.index("second") < page.index("first")
    assert "not hers" not in page


def test_an_empty_list_says_what_to_do(ann):
    page = ann.get("/jobs/").content.decode()
    assert "No jobs yet." in page
    assert 'href="/jobs/new/echo/"' in page


def test_every_job_is_on_exactly_one_page(ann):
    submit_json(ann, {"text": "Hello", "copies": 50})
    submit_json(ann, {"text": "Hello", "copies": 10})
    seen, after = [], ""
    while after is not None:
        page = ann.get("/jobs/", {"after": after} if after else {})
        seen += [job.pk for job in page.context["page"].jobs]
        after = page.context["page"].next
    assert len(seen) == len(set(seen)) == 60


def test_a_page_behind_a_job_that_is_not_there_is_not_found(ann):
    for after in (uuid4(), "1", "x" * 300):
        assert ann.get("/jobs/", {"after": after}).status_code == 404


@pytest.mark.parametrize("asked", [{"kind": "teleport"}, {"status": "happy"}, {"q": "a\x00b"}, {"q": "x" * 101}])
def test_a_filter_that_makes_no_sense_gets_400_and_the_form_again(ann, asked):
    response = ann.get("/jobs/", asked)
    assert response.status_code == 400
    assert 'class="errorlist' in response.content.decode()


def test_the_list_can_be_filtered_by_kind_and_status_and_searched_in_titles(ann):
    def titles(**asked):
        return [job.title for job in ann.get("/jobs/", asked).context["page"].jobs]

    for text in ("a red apple", "a green apple", "a pear"):
        job_of(ann, text=text)
    fail(Job.objects.get(title="a red apple"))
    Job.objects.filter(title="a pear").update(kind="crunch")
    assert titles(q="APPLE") == ["a green apple", "a red apple"]
    assert titles(status="failed") == ["a red apple"]
    assert titles(kind="crunch") == ["a pear"]
    assert titles(kind="echo", status="pending", q="apple") == ["a green apple"]
    assert titles(q="%") == []
    assert "No job is like that." in ann.get("/jobs/", {"q": "plum"}).content.decode()


def test_a_search_looks_through_a_part_of_a_long_list_and_leads_on(ann, monkeypatch):
    monkeypatch.setattr(job_list, "WINDOW", 10)
    job_of(ann, text="a needle")
    submit_json(ann, {"text": "Hello", "copies": 24})
    found, after, looks = [], "", 0
    while after is not None:
        page = ann.get("/jobs/", {"q": "needle", **({"after": after} if after else {})}).context["page"]
        assert page.looked_at == (10 if page.next else None)
        found += [job.title for job in page.jobs]
        after, looks = page.next, looks + 1
    assert (found, looks) == (["a needle"], 3)


def test_the_next_page_keeps_the_filter(ann):
    submit_json(ann, {"text": "Hello", "copies": 30})
    assert "?q=hell&amp;after=" in ann.get("/jobs/?q=hell").content.decode()


@pytest.mark.parametrize("query", [{}, {"q": "needle", "status": "failed", "kind": "echo"}])
def test_the_plan_of_a_page_in_the_middle_walks_the_index_of_the_list(ann, other_user, query):
    submit_json(ann, {"text": "Hello", "copies": 50})
    others = (Job(owner=other_user, kind="echo", queue="network", payload_text="{}") for _ in range(3000))
    Job.objects.bulk_create(others)
    middle = Job.objects.filter(title="Hello").order_by("-created_at", "-pk")[20].pk
    with CaptureQueriesContext(connection) as captured:
        ann.get("/jobs/", {**query, "after": middle})
    (sql,) = [one["sql"] for one in captured if "LIMIT 26" in one["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE offload_job")
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            condition = r"Index Scan using job_list.*\n\s*Index Cond: \(\(owner_id = .*created_at <= "
            assert re.search(condition, plan), plan
            assert "Sort" not in plan
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = "\n".join(row[3] for row in cursor.fetchall())
            assert re.search(r"USING INDEX job_list \(owner_id=\? AND created_at[<>]", plan), plan
            assert "TEMP B-TREE" not in plan


def test_a_page_behind_a_job_of_somebody_else_is_not_found(ann, bob):
    job = job_of(ann)
    assert bob.get("/jobs/", {"after": job.pk}).status_code == 404


def test_a_line_says_what_its_job_waits_for_how_far_it_is_or_why_it_failed(ann):
    job_of(ann, text="waits")
    lifecycle.progress(start(job_of(ann, text="runs")), 40, Sentence("text", text="Frame 4 of 10"))
    fail(job_of(ann, text="fails"))
    page = ann.get("/jobs/").content.decode()
    for sentence in ("No worker is running", "Frame 4 of 10", "The job was told to fail."):
        assert sentence in page
    assert page.count('data-poll="/jobs/status.json?as=line"') == 2


def test_nobody_is_led_to_the_sign_in_page(client):
    assert client.get("/jobs/")["Location"].startswith("/accounts/login/?next=/jobs/")
    assert client.get("/jobs/", headers=JSON).status_code == 401


def test_the_number_of_queries_does_not_grow_with_the_jobs(ann, django_assert_max_num_queries):
    submit_json(ann, {"text": "Hello", "copies": 25})
    with django_assert_max_num_queries(10):
        ann.get("/jobs/")
