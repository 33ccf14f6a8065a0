"""What a request for jobs says, and what makes a repetition of it recognisable."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import Job
from tests.kind_app.forms import EchoForm
from tests.web.conftest import JSON, NEW, job_of, submit_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


class TestJson:
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

    def test_what_can_not_be_kept_gets_400_and_a_sentence(self, ann):
        response = ann.post(
            "/jobs/new/tally/",
            json.dumps({"ledger": 1, "object": "x" * 201, "change": "+1"}),
            content_type="application/json",
        )
        assert response.status_code == 400
        (sentence,) = response.json()["errors"]["__all__"]
        assert sentence.startswith("The name of what this changes is too long")
        assert not Job.objects.exists()

    def test_numbers_truth_and_null_in_json_mean_what_they_say(self, ann):
        job = job_of(ann, seconds=0.5, steps=2, resource=None)
        assert (job.payload["seconds"], job.payload["steps"], job.resource) == (0.5, 2, "")


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
