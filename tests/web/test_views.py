"""The pages and JSON of jobs, as a browser and as a program sees them."""

import json
import re
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job, Status, Worker
from jobs.sentences import Sentence
from jobs.web import job_list
from jobs.web.access import SESSION_KEY
from tests.kind_app.forms import EchoForm
from tests.kind_app.kind import Strict

NEW = "/jobs/new/echo/"
JSON = {"Accept": "application/json"}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def submit_json(client, body, **headers):
    return client.post(NEW, json.dumps(body), content_type="application/json", headers={**JSON, **headers})


def job_of(client, **fields) -> Job:
    return Job.objects.get(pk=submit_json(client, {"text": "Hello", **fields}).json()["id"])


def start(job: Job) -> Job:
    running = lifecycle.start(job.pk, "a worker")
    assert running
    return running


def fail(job: Job, *, can_retry: bool = True) -> None:
    lifecycle.fail(start(job), "told_to_fail", can_retry=can_retry, traceback="line 1")


def succeed(job: Job) -> None:
    lifecycle.succeed(start(job), {"text": "Hello"})


class TestSubmit:
    def test_the_form_has_a_field_for_everything_the_kind_asks(self, ann):
        page = ann.get(NEW).content.decode()
        assert "Send a text and get it back." in page
        assert 'name="text"' in page
        assert 'enctype="multipart/form-data"' in page

    def test_a_browser_is_sent_to_the_page_of_its_job(self, ann):
        response = ann.post(NEW, {"text": "Hello"})
        job = Job.objects.get()
        assert (response.status_code, response["Location"]) == (303, f"/jobs/{job.pk}/")
        assert (job.title, job.kind, job.status) == ("Hello", "echo", Status.PENDING)

    def test_a_program_gets_202_and_is_told_where_and_when_to_look(self, ann):
        response = submit_json(ann, {"text": "Hello"})
        job = Job.objects.get()
        assert response.status_code == 202
        assert response["Location"] == f"/jobs/{job.pk}/status.json"
        assert response["Retry-After"] == "1"
        assert response.json()["id"] == str(job.pk)

    def test_a_program_may_send_a_form_and_ask_for_json(self, ann):
        response = ann.post(NEW, {"text": "Hello"}, headers=JSON)
        assert response.status_code == 202

    def test_a_browser_that_would_take_anything_gets_a_page(self, ann):
        for accept in ("*/*", "text/html,application/xhtml+xml,*/*;q=0.8"):
            assert ann.post(NEW, {"text": "Hello"}, headers={"Accept": accept}).status_code == 303

    def test_an_invalid_form_comes_back_with_what_was_typed_and_a_sentence_at_its_field(self, ann):
        response = ann.post(NEW, {"text": "", "resource": "shelf 3"})
        page = response.content.decode()
        assert response.status_code == 400
        assert 'value="shelf 3"' in page
        assert 'aria-invalid="true"' in page
        assert "id_text_error" in page
        assert "This field is required." in page
        assert not Job.objects.exists()

    def test_a_program_gets_the_errors_by_field(self, ann):
        response = submit_json(ann, {"seconds": "soon", "outcome": "joy"})
        assert response.status_code == 400
        assert response.json()["errors"] == {
            "text": ["This field is required."],
            "seconds": ["Enter a number."],
            "outcome": ["Select a valid choice. joy is not one of the available choices."],
        }

    @pytest.mark.parametrize(
        "body",
        [
            "{",
            "[]",
            '"text"',
            '{"text": {"a": 1}}',
            '{"text": [[1]]}',
            '{"text": "\\ud800"}',
            "[" * 100_000,
            b"\xff",
        ],
    )
    def test_json_that_makes_no_sense_gets_400_and_a_sentence(self, ann, body):
        response = ann.post(NEW, body, content_type="application/json")
        assert response.status_code == 400
        (sentence,) = response.json()["errors"]["__all__"]
        assert sentence.endswith(".")

    @given(st.dictionaries(st.sampled_from(list(EchoForm.base_fields)), ANYTHING))
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_whatever_the_fields_hold_the_answer_is_an_acceptance_or_a_sentence(self, ann, fields):
        response = submit_json(ann, {"text": "Hello", **fields})
        assert response.status_code in {202, 400}
        assert response.status_code == 202 or all(response.json()["errors"].values())

    def test_a_json_body_that_is_too_large_gets_413_and_a_sentence(self, ann):
        response = submit_json(ann, {"text": "x" * 3_000_000})
        assert response.status_code == 413
        assert response.json()["errors"] == {"__all__": ["A JSON body may have at most 2,621,440 bytes."]}

    def test_a_form_that_is_cut_off_gets_400_and_a_page(self, ann):
        response = ann.post(NEW, b"--x\r\nContent-Dis", content_type="multipart/form-data; boundary=" + "y" * 300)
        assert response.status_code == 400
        assert "could not be read" in response.content.decode()

    def test_numbers_truth_and_null_in_json_mean_what_they_say(self, ann):
        job = job_of(ann, seconds=0.5, steps=2, resource=None)
        assert (job.payload["seconds"], job.payload["steps"], job.resource) == (0.5, 2, "")

    def test_a_kind_that_does_not_exist_is_not_found(self, ann):
        assert ann.get("/jobs/new/teleport/").status_code == 404
        assert ann.post("/jobs/new/teleport/", {"text": "Hello"}).status_code == 404

    def test_a_kind_without_a_form_is_not_found(self, ann):
        assert ann.get("/jobs/new/email/").status_code == 404

    def test_nobody_is_led_to_the_sign_in_page(self, client):
        for response in (client.get(NEW), client.post(NEW, {"text": "Hello"})):
            assert response.status_code == 302
            assert response["Location"].startswith("/accounts/login/?next=/jobs/new/echo/")

    def test_a_program_that_is_not_signed_in_gets_401_as_json(self, client):
        response = submit_json(client, {"text": "Hello"})
        assert (response.status_code, response.json()) == (401, {"errors": {"__all__": ["Sign in first."]}})
        assert not Job.objects.exists()

    def test_other_methods_are_not_allowed(self, ann):
        for method in (ann.put, ann.patch, ann.delete):
            response = method(NEW)
            assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")

    def test_head_answers_like_get_without_a_body(self, ann):
        response = ann.head(NEW)
        assert (response.status_code, response.content) == (200, b"")

    def test_a_post_without_a_csrf_token_does_nothing_and_says_what_to_do(self, user):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        page = strict.post(NEW, {"text": "Hello"})
        assert page.status_code == 403
        assert "Please send it again" in page.content.decode()
        answer = submit_json(strict, {"text": "Hello"})
        assert answer.status_code == 403
        assert "X-CSRFToken" in answer.json()["errors"]["__all__"][0]
        assert not Job.objects.exists()

    def test_a_program_with_the_csrf_token_in_its_header_is_heard(self, user):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        strict.get(NEW)
        token = strict.cookies["csrftoken"].value
        assert submit_json(strict, {"text": "Hello"}, **{"X-CSRFToken": token}).status_code == 202

    def test_several_jobs_of_one_submit_are_shown_together(self, ann):
        response = ann.post(NEW, {"text": "Hello", "copies": 3})
        submit_page = response["Location"]
        assert response.status_code == 303
        page = ann.get(submit_page)
        assert page.status_code == 200
        assert page.content.decode().count("data-id=") == 3

    def test_a_program_gets_the_status_of_each_of_several_jobs(self, ann):
        response = submit_json(ann, {"text": "Hello", "copies": 3})
        assert response.status_code == 202
        ids = {body["id"] for body in response.json()["jobs"]}
        assert ids == {str(job.pk) for job in Job.objects.all()}
        followed = ann.get(response["Location"], headers=JSON)
        assert {body["id"] for body in followed.json()["jobs"]} == ids


class TestIdempotency:
    KEY = {"Idempotency-Key": "one-two-three"}

    def test_the_same_key_returns_the_same_job(self, ann):
        first = submit_json(ann, {"text": "Hello"}, **self.KEY)
        again = submit_json(ann, {"text": "Hello"}, **self.KEY)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json()["id"] == again.json()["id"]
        assert Job.objects.count() == 1

    def test_the_same_key_with_another_body_is_refused(self, ann):
        submit_json(ann, {"text": "Hello"}, **self.KEY)
        response = submit_json(ann, {"text": "Bye"}, **self.KEY)
        assert response.status_code == 422
        assert "Use a new key" in response.json()["errors"]["__all__"][0]
        assert Job.objects.count() == 1

    def test_the_same_key_for_another_kind_is_refused(self, ann):
        submit_json(ann, {"text": "Hello"}, **self.KEY)
        body = {"data": json.dumps({"text": "Hello"}), "content_type": "application/json"}
        assert ann.post("/jobs/new/crunch/", **body, headers={**JSON, **self.KEY}).status_code == 422

    def test_two_people_may_use_the_same_key(self, ann, bob):
        assert (
            submit_json(ann, {"text": "Hello"}, **self.KEY).json()["id"]
            != (submit_json(bob, {"text": "Hello"}, **self.KEY).json()["id"])
        )

    def test_a_repeated_submit_of_several_jobs_returns_all_of_them(self, ann):
        first = submit_json(ann, {"text": "Hello", "copies": 2}, **self.KEY).json()["jobs"]
        again = submit_json(ann, {"text": "Hello", "copies": 2}, **self.KEY).json()["jobs"]
        assert {body["id"] for body in first} == {body["id"] for body in again}

    def test_the_contents_of_files_count(self, ann):
        def send(content):
            upload = SimpleUploadedFile("a.bin", content)
            return ann.post(NEW, {"text": "Hello", "attachment": upload}, headers={**JSON, **self.KEY})

        assert [send(content).status_code for content in (b"same", b"same", b"else")] == [202, 202, 422]
        assert Job.objects.count() == 1

    def test_a_form_and_json_with_the_same_fields_are_the_same_submit(self, ann):
        submit_json(ann, {"text": "Hello", "steps": 2}, **self.KEY)
        response = ann.post(NEW, {"text": "Hello", "steps": "2"}, headers={**JSON, **self.KEY})
        assert response.status_code == 202
        assert Job.objects.count() == 1

    def test_an_invalid_submit_does_not_use_up_its_key(self, ann):
        assert submit_json(ann, {"text": ""}, **self.KEY).status_code == 400
        assert submit_json(ann, {"text": "Hello"}, **self.KEY).status_code == 202

    @pytest.mark.parametrize("key", ["x" * 201, "käse", "a\tb"])
    def test_a_key_that_can_not_be_kept_gets_400(self, ann, key):
        response = submit_json(ann, {"text": "Hello"}, **{"Idempotency-Key": key})
        assert response.status_code == 400
        assert "Idempotency-Key" in response.json()["errors"]["__all__"][0]

    def test_pressing_the_button_twice_makes_one_job(self, ann):
        key = ann.get(NEW).context["form_key"]
        first, second = (ann.post(NEW, {"text": "Hello", "form_key": key})["Location"] for _ in range(2))
        assert first == second
        assert Job.objects.count() == 1

    def test_going_back_and_changing_the_text_is_a_new_submit(self, ann):
        key = ann.get(NEW).context["form_key"]
        for text in ("Hello", "Bye"):
            assert ann.post(NEW, {"text": text, "form_key": key}).status_code == 303
        assert Job.objects.count() == 2

    def test_an_invalid_form_keeps_its_key(self, ann):
        key = ann.get(NEW).context["form_key"]
        assert ann.post(NEW, {"text": "", "form_key": key}).context["form_key"] == key

    def test_what_a_form_kept_is_discarded_when_the_jobs_are_not_accepted(self, ann, monkeypatch):
        before = EchoForm.discarded
        monkeypatch.setattr(EchoForm, "submissions", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            submit_json(ann, {"text": "Hello"})
        assert EchoForm.discarded == before + 1


class TestFollow:
    def test_a_pending_job_says_why_it_waits_and_offers_to_cancel(self, ann):
        job = job_of(ann)
        page = ann.get(f"/jobs/{job.pk}/").content.decode()
        assert "Waiting" in page
        assert "No worker is running" in page
        assert f'formaction="/jobs/{job.pk}/cancel/"' in page
        assert f'data-poll="/jobs/status.json?as=card" data-id="{job.pk}"' in page
        assert '<noscript><meta http-equiv="refresh"' in page

    def test_a_running_job_shows_its_progress(self, ann):
        job = job_of(ann)
        lifecycle.progress(start(job), 40, Sentence("text", text="Frame 4 of 10"))
        page = ann.get(f"/jobs/{job.pk}/").content.decode()
        assert "Frame 4 of 10" in page
        assert 'max="100" value="40"' in page

    def test_a_job_that_is_done_shows_its_result_and_asks_no_more(self, ann):
        job = job_of(ann)
        succeed(job)
        page = ann.get(f"/jobs/{job.pk}/").content.decode()
        assert "Done" in page
        assert "<dd>Hello</dd>" in page
        assert "data-poll" not in page
        assert "http-equiv" not in page

    def test_a_failed_job_shows_the_sentence_and_a_way_to_try_again(self, ann):
        job = job_of(ann)
        fail(job)
        page = ann.get(f"/jobs/{job.pk}/").content.decode()
        assert "The job was told to fail." in page
        assert f'formaction="/jobs/{job.pk}/retry/"' in page
        assert "line 1" not in page

    def test_the_page_leads_to_another_job_of_its_kind(self, ann):
        job = job_of(ann)
        page = ann.get(f"/jobs/{job.pk}/").content.decode()
        assert '<a href="/jobs/new/echo/">New job of this kind</a>' in page

    def test_a_job_whose_kind_is_gone_still_has_its_page(self, ann):
        job = job_of(ann)
        Job.objects.filter(pk=job.pk).update(kind="teleport")
        assert "teleport" in ann.get(f"/jobs/{job.pk}/").content.decode()
        assert ann.get(f"/jobs/{job.pk}/status.json").json()["kind"] == "teleport"

    def test_jobs_of_one_submit_lead_to_each_other_and_a_single_one_does_not(self, ann):
        for body, count in (({"text": "Hello"}, 0), ({"text": "Hello", "copies": 2}, 1)):
            submit_json(ann, body, **{"Idempotency-Key": f"key {count}"})
            job = Job.objects.latest("created_at")
            assert ann.get(f"/jobs/{job.pk}/").content.decode().count("All jobs of this submit") == count

    def test_a_failure_for_good_offers_no_retry(self, ann):
        job = job_of(ann)
        fail(job, can_retry=False)
        assert "/retry/" not in ann.get(f"/jobs/{job.pk}/").content.decode()

    def test_a_title_with_markup_is_only_text(self, ann):
        job = job_of(ann, text="<script>alert(1)</script>")
        for address in (f"/jobs/{job.pk}/", "/jobs/", "/"):
            assert "<script>alert" not in ann.get(address).content.decode()
        assert "<script>alert" not in ann.get(f"/jobs/{job.pk}/status.json?as=card").json()["html"]

    def test_a_job_of_somebody_else_does_not_exist(self, ann, bob, client):
        job = job_of(ann, copies=1)
        addresses = [f"/jobs/{job.pk}/", f"/jobs/{job.pk}/status.json"]
        for stranger in (bob, client):
            assert [stranger.get(address).status_code for address in addresses] == [404, 404]
            for action in ("retry", "cancel", "skip"):
                assert stranger.post(f"/jobs/{job.pk}/{action}/").status_code == 404
        job.refresh_from_db()
        assert job.status == Status.PENDING

    def test_a_submit_of_somebody_else_does_not_exist(self, ann, bob, client):
        page = submit_json(ann, {"text": "Hello", "copies": 2})["Location"]
        assert [one.get(page).status_code for one in (ann, bob, client)] == [200, 404, 404]

    def test_a_job_that_does_not_exist_is_not_found(self, ann):
        assert ann.get(f"/jobs/{uuid4()}/").status_code == 404
        assert ann.get("/jobs/1/").status_code == 404

    def test_a_visitors_job_belongs_to_the_session_that_started_it(self, ann, client):
        job = job_of(ann)
        Job.objects.filter(pk=job.pk).update(owner=None, visitor="v" * 32)
        assert client.get(f"/jobs/{job.pk}/").status_code == 404
        session = client.session
        session[SESSION_KEY] = "v" * 32
        session.save()
        assert client.get(f"/jobs/{job.pk}/").status_code == 200
        assert client.get(f"/jobs/{job.pk}/status.json").status_code == 200

    def test_pages_of_jobs_are_kept_by_no_shared_cache(self, ann):
        job = job_of(ann)
        for address in (f"/jobs/{job.pk}/", "/jobs/", NEW):
            response = ann.get(address)
            assert set(response["Cache-Control"].split(", ")) == {"private", "no-cache"}
            assert "Cookie" in response["Vary"]

    def test_reading_pages_answer_head_and_no_post(self, ann):
        job = job_of(ann)
        for address in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/status.json", "/jobs/", "/"):
            assert ann.head(address).status_code == 200
            assert ann.post(address).status_code == 405


class TestFollowSeveral:
    URL = "/jobs/status.json"

    def test_one_request_answers_for_several_jobs(self, ann):
        jobs = [job_of(ann, text=text) for text in ("first", "second")]
        lifecycle.progress(start(jobs[0]), 40, Sentence("text", text="Frame 4 of 10"))
        body = ann.get(self.URL, {"id": [job.pk for job in jobs]}).json()
        assert [(one["title"], one["status"]) for one in body["jobs"]] == [("second", "pending"), ("first", "running")]
        assert body["poll_after"] == 1
        assert body["jobs"][0] == ann.get(f"/jobs/{jobs[1].pk}/status.json").json()

    def test_a_list_asks_for_lines_and_a_page_of_a_job_for_its_card(self, ann):
        job = job_of(ann)
        answers = [ann.get(self.URL, {"id": job.pk, "as": how}).json() for how in ("line", "card")]
        line, card = (answer["jobs"][0]["html"] for answer in answers)
        assert 'class="line"' in line
        assert "<article" in card

    def test_jobs_of_others_and_those_that_are_not_there_are_left_out(self, ann, bob, client):
        job = job_of(ann)
        for stranger in (bob, client):
            ids = [str(job.pk), str(uuid4())]
            answer = {"jobs": [], "gone": sorted(ids), "poll_after": None}
            assert stranger.get(self.URL, {"id": ids}).json() == answer

    def test_an_unchanged_answer_is_304_and_a_changed_one_is_not(self, ann):
        jobs = [job_of(ann), job_of(ann)]
        query = {"id": [job.pk for job in jobs]}
        etag = ann.get(self.URL, query)["ETag"]
        assert ann.get(self.URL, query, headers={"If-None-Match": etag}).status_code == 304
        start(jobs[0])
        assert ann.get(self.URL, query, headers={"If-None-Match": etag}).status_code == 200

    def test_with_the_versions_that_it_has_a_page_is_told_only_what_changed(self, ann):
        jobs = [job_of(ann, text=text) for text in ("first", "second", "third")]
        query = {"id": [job.pk for job in jobs], "as": "line", "only": "changes"}
        all_of_it = ann.get(self.URL, query)
        start(jobs[1])
        answer = ann.get(self.URL, query, headers={"If-None-Match": all_of_it["ETag"]})
        assert len(all_of_it.json()["jobs"]) == 3
        assert [(one["title"], one["status"]) for one in answer.json()["jobs"]] == [("second", "running")]
        assert (answer.json()["gone"], answer.json()["poll_after"]) == ([], 1)
        assert ann.get(self.URL, query, headers={"If-None-Match": answer["ETag"]}).status_code == 304

    def test_without_being_asked_for_changes_only_it_tells_everything(self, ann):
        jobs = [job_of(ann), job_of(ann)]
        query = {"id": [job.pk for job in jobs]}
        etag = ann.get(self.URL, query)["ETag"]
        start(jobs[0])
        assert len(ann.get(self.URL, query, headers={"If-None-Match": etag}).json()["jobs"]) == 2

    def test_the_etag_is_made_of_the_versions_in_the_answer(self, ann):
        jobs = [job_of(ann), job_of(ann)]
        answer = ann.get(self.URL, {"id": [job.pk for job in jobs]})
        assert answer["ETag"] == '"{}.{}"'.format(*(one["version"] for one in answer.json()["jobs"]))
        single = ann.get(f"/jobs/{jobs[0].pk}/status.json")
        assert single["ETag"] == f'"{single.json()["version"]}"'

    def test_a_page_knows_the_versions_of_what_it_shows(self, ann):
        job = job_of(ann)
        for address, how in ((f"/jobs/{job.pk}/", "card"), ("/jobs/", "line")):
            (version,) = re.findall('data-version="([^"]+)"', ann.get(address).content.decode())
            query = {"id": job.pk, "as": how}
            assert ann.get(self.URL, query, headers={"If-None-Match": f'"{version}"'}).status_code == 304

    def test_what_is_gone_is_named_and_asking_again_is_304(self, ann):
        job, nowhere = job_of(ann), uuid4()
        query = {"id": [job.pk, nowhere], "only": "changes"}
        answer = ann.get(self.URL, query)
        assert answer.json()["gone"] == [str(nowhere)]
        assert ann.get(self.URL, query, headers={"If-None-Match": answer["ETag"]}).status_code == 304

    def test_a_change_of_the_zone_changes_what_is_shown(self, ann):
        job = job_of(ann)
        query = {"id": job.pk, "as": "card"}
        etag = ann.get(self.URL, query)["ETag"]
        ann.cookies["time_zone"] = "Asia/Tokyo"
        assert ann.get(self.URL, query, headers={"If-None-Match": etag}).status_code == 200

    @pytest.mark.parametrize("ids", [[], ["1"], [uuid4() for _ in range(51)]])
    def test_no_ids_bad_ids_and_too_many_get_400_and_a_sentence(self, ann, ids):
        response = ann.get(self.URL, {"id": ids})
        assert response.status_code == 400
        assert response.json()["errors"]["id"][0].endswith(".")

    def test_the_number_of_queries_does_not_grow_with_the_jobs(self, ann, django_assert_max_num_queries):
        Worker.objects.create(name="w", role="network", concurrency=1)
        ids = [one["id"] for one in submit_json(ann, {"text": "Hello", "copies": 50, "resource": "r"}).json()["jobs"]]
        with django_assert_max_num_queries(10):
            ann.get(self.URL, {"id": ids})


class TestChange:
    def test_a_pending_job_can_be_cancelled(self, ann):
        job = job_of(ann)
        response = ann.post(f"/jobs/{job.pk}/cancel/")
        assert (response.status_code, response["Location"]) == (303, f"/jobs/{job.pk}/")
        job.refresh_from_db()
        assert job.status == Status.CANCELLED

    def test_cancelling_too_late_says_so(self, ann):
        job = job_of(ann)
        succeed(job)
        page = ann.post(f"/jobs/{job.pk}/cancel/", follow=True).content.decode()
        assert "It was too late to cancel this job" in page
        assert ann.post(f"/jobs/{job.pk}/cancel/", headers=JSON).status_code == 409

    def test_a_failed_job_can_be_tried_again(self, ann):
        job = job_of(ann)
        fail(job)
        assert ann.post(f"/jobs/{job.pk}/retry/").status_code == 303
        job.refresh_from_db()
        assert job.status == Status.PENDING

    def test_trying_again_twice_says_that_it_is_on_its_way(self, ann):
        job = job_of(ann)
        fail(job)
        assert ann.post(f"/jobs/{job.pk}/retry/", headers=JSON).json()["status"] == "pending"
        page = ann.post(f"/jobs/{job.pk}/retry/", follow=True).content.decode()
        assert "can&#x27;t be tried again" in page

    def test_a_failed_job_that_keeps_others_waiting_can_be_left_behind(self, ann, user):
        first, second = lifecycle.submit(Strict(), [Submission({}, "Hello", "shelf")] * 2, owner=user).jobs
        fail(first)
        assert ann.get(f"/jobs/{second.pk}/status.json").json()["wait"]["reason"] == "held"
        assert "Skip it" in ann.get(f"/jobs/{first.pk}/").content.decode()
        skip = ann.get(f"/jobs/{first.pk}/status.json").json()["links"]["skip"]
        assert ann.post(skip).status_code == 303
        assert ann.get(f"/jobs/{second.pk}/status.json").json()["wait"]["reason"] != "held"
        assert "skip" not in ann.get(f"/jobs/{first.pk}/status.json").json()["links"]
        assert ann.post(skip, headers=JSON).status_code == 409

    def test_reading_an_action_changes_nothing(self, ann):
        job = job_of(ann)
        assert ann.get(f"/jobs/{job.pk}/cancel/").status_code == 405
        job.refresh_from_db()
        assert job.status == Status.PENDING


class TestList:
    def test_my_jobs_are_listed_newest_first_and_nobody_elses(self, ann, bob):
        for text in ("first", "second"):
            job_of(ann, text=text)
        job_of(bob, text="not hers")
        page = ann.get("/jobs/").content.decode()
        assert page.index("second") < page.index("first")
        assert "not hers" not in page

    def test_an_empty_list_says_what_to_do(self, ann):
        page = ann.get("/jobs/").content.decode()
        assert "No jobs yet." in page
        assert 'href="/jobs/new/echo/"' in page

    def test_every_job_is_on_exactly_one_page(self, ann):
        submit_json(ann, {"text": "Hello", "copies": 50})
        submit_json(ann, {"text": "Hello", "copies": 10})
        seen, after = [], ""
        while after is not None:
            page = ann.get("/jobs/", {"after": after} if after else {})
            seen += [job.pk for job in page.context["page"].jobs]
            after = page.context["page"].next
        assert len(seen) == len(set(seen)) == 60

    def test_a_page_behind_a_job_that_is_not_there_is_not_found(self, ann):
        for after in (uuid4(), "1", "x" * 300):
            assert ann.get("/jobs/", {"after": after}).status_code == 404

    @pytest.mark.parametrize("asked", [{"kind": "teleport"}, {"status": "happy"}, {"q": "a\x00b"}, {"q": "x" * 101}])
    def test_a_filter_that_makes_no_sense_gets_400_and_the_form_again(self, ann, asked):
        response = ann.get("/jobs/", asked)
        assert response.status_code == 400
        assert 'class="errorlist' in response.content.decode()

    def test_the_list_can_be_filtered_by_kind_and_status_and_searched_in_titles(self, ann):
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

    def test_a_search_looks_through_a_part_of_a_long_list_and_leads_on(self, ann, monkeypatch):
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

    def test_the_next_page_keeps_the_filter(self, ann):
        submit_json(ann, {"text": "Hello", "copies": 30})
        assert "?q=hell&amp;after=" in ann.get("/jobs/?q=hell").content.decode()

    @pytest.mark.parametrize("query", [{}, {"q": "needle", "status": "failed", "kind": "echo"}])
    def test_the_plan_of_a_page_in_the_middle_walks_the_index_of_the_list(self, ann, other_user, query):
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

    def test_a_page_behind_a_job_of_somebody_else_is_not_found(self, ann, bob):
        job = job_of(ann)
        assert bob.get("/jobs/", {"after": job.pk}).status_code == 404

    def test_a_line_says_what_its_job_waits_for_how_far_it_is_or_why_it_failed(self, ann):
        job_of(ann, text="waits")
        lifecycle.progress(start(job_of(ann, text="runs")), 40, Sentence("text", text="Frame 4 of 10"))
        fail(job_of(ann, text="fails"))
        page = ann.get("/jobs/").content.decode()
        for sentence in ("No worker is running", "Frame 4 of 10", "The job was told to fail."):
            assert sentence in page
        assert page.count('data-poll="/jobs/status.json?as=line"') == 2

    def test_nobody_is_led_to_the_sign_in_page(self, client):
        assert client.get("/jobs/")["Location"].startswith("/accounts/login/?next=/jobs/")
        assert client.get("/jobs/", headers=JSON).status_code == 401

    def test_the_number_of_queries_does_not_grow_with_the_jobs(self, ann, django_assert_max_num_queries):
        submit_json(ann, {"text": "Hello", "copies": 25})
        with django_assert_max_num_queries(10):
            ann.get("/jobs/")


class TestHome:
    def test_it_says_what_this_is_and_invites_to_each_kind_with_a_form(self, client):
        page = client.get("/").content.decode()
        assert "Hand over slow work" in page
        assert "Send a text and get it back." in page
        assert 'href="/jobs/new/email/"' not in page
        assert "Sign up" in page

    def test_it_shows_my_latest_jobs(self, ann, bob):
        job_of(ann, text="a text of mine")
        assert "a text of mine" in ann.get("/").content.decode()
        assert "a text of mine" not in bob.get("/").content.decode()

    def test_only_staff_see_the_link_to_the_admin(self, ann, user):
        assert 'href="/admin/"' not in ann.get("/").content.decode()
        user.is_staff = True
        user.save()
        assert 'href="/admin/"' in ann.get("/").content.decode()

    def test_signing_out_is_a_post(self, ann):
        assert 'formaction="/accounts/logout/"' in ann.get("/").content.decode()

    def test_an_unknown_address_gets_a_kind_page(self, client):
        response = client.get("/nowhere/")
        assert response.status_code == 404
        assert "There is nothing here" in response.content.decode()

    def test_a_program_is_told_in_json_that_nothing_is_there(self, client):
        response = client.get("/jobs/00000000-0000-0000-0000-000000000000/", headers={"accept": "application/json"})
        assert response.status_code == 404
        assert response.json()["errors"]["__all__"]

    @pytest.mark.parametrize("accept", ["text/html", "application/json"])
    def test_a_body_that_can_not_be_read_gets_a_sentence_and_the_right_status(self, ann, accept):
        headers = {"accept": accept}
        broken = ann.post("/jobs/new/echo/", b"--x", content_type="multipart/form-data", headers=headers)
        huge = ann.post("/jobs/new/echo/", {"text": "x" * 3_000_000}, headers=headers)
        assert (broken.status_code, huge.status_code) == (400, 413)
        assert broken["Content-Type"].startswith(accept)
        assert huge["Content-Type"].startswith(accept)
