"""The pages and JSON of jobs, as a browser and as a program sees them."""

from uuid import uuid4

import pytest
from django.test import Client

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job, Status
from jobs.sentences import Sentence
from jobs.web.access import SESSION_KEY
from tests.kind_app.forms import EchoForm
from tests.kind_app.kind import Strict
from tests.web.conftest import JSON, NEW, fail, job_of, start, submit_json, succeed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


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

    def test_a_form_that_is_cut_off_gets_400_and_a_page(self, ann):
        response = ann.post(NEW, b"--x\r\nContent-Dis", content_type="multipart/form-data; boundary=" + "y" * 300)
        assert response.status_code == 400
        assert "could not be read" in response.content.decode()

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
        (said,) = answer.json()["errors"]["__all__"]
        assert "X-CSRFToken" in said
        assert "cookie csrftoken" in said
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
            assert set(response["Cache-Control"].split(", ")) >= {"private", "no-cache"}
            assert "Cookie" in response["Vary"]

    def test_reading_pages_answer_head_and_no_post(self, ann):
        job = job_of(ann)
        for address in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/status.json", "/jobs/", "/"):
            assert ann.head(address).status_code == 200
            assert ann.post(address).status_code == 405


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
