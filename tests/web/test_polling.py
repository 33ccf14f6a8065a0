"""One request for all that a page follows, answered by the middleware or, the first time, by the view."""

import re
from uuid import uuid4

import pytest
from django.http import HttpResponse

from jobs.core import lifecycle
from jobs.models import Worker
from jobs.sentences import Sentence
from jobs.web import polling
from jobs.web.access import COOKIE
from tests.processes import ROOT
from tests.web.conftest import job_of, start, submit_json

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


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


class TestMiddleware:
    URL = TestFollowSeveral.URL

    @pytest.fixture
    def vouched(self, ann):
        """Somebody whose cookie vouches for them."""
        ann.get(self.URL, {"id": uuid4()})
        assert COOKIE in ann.cookies
        return ann

    @pytest.fixture
    def answered(self, rf, vouched):
        """Whether the middleware answers a request itself."""

        def answered(method: str = "get", address: str = self.URL, **query) -> bool:
            rf.cookies = vouched.cookies
            request = getattr(rf, method)(address, query_params=query)
            behind = HttpResponse("the view")
            return polling.middleware(lambda _: behind)(request) is not behind

        return answered

    def test_it_answers_for_jobs_that_the_cookie_vouches_for(self, answered, ann):
        jobs = [job_of(ann), job_of(ann)]
        assert answered(id=[job.pk for job in jobs])
        assert answered("head", id=[jobs[0].pk, jobs[0].pk])

    def test_its_answer_is_the_views(self, vouched, client, ann):
        job = job_of(ann)
        by_middleware = vouched.get(self.URL, {"id": job.pk, "as": "card"})
        del vouched.cookies[COOKIE]
        by_view = vouched.get(self.URL, {"id": job.pk, "as": "card"})
        assert COOKIE not in by_middleware.cookies
        assert COOKIE in by_view.cookies
        assert (by_middleware.json(), by_middleware["ETag"]) == (by_view.json(), by_view["ETag"])

    def test_what_it_can_not_answer_for_is_left_to_the_view(self, answered, ann, bob):
        mine, his = job_of(ann), job_of(bob)
        assert not answered(id=[mine.pk, his.pk])
        assert not answered(id=[mine.pk, uuid4()])
        assert not answered(id=[mine.pk, "1"])
        assert not answered(id=[])

    def test_other_addresses_and_methods_are_left_alone(self, answered, ann):
        job = job_of(ann)
        assert not answered("post", id=job.pk)
        assert not answered(address=f"/jobs/{job.pk}/status.json", id=job.pk)

    def test_no_more_are_asked_for_at_once_than_the_script_knows_of(self, answered, ann):
        copies = submit_json(ann, {"text": "Hello", "copies": polling.AT_ONCE}).json()["jobs"]
        ids = [one["id"] for one in copies]
        assert answered(id=ids)
        assert not answered(id=[*ids, job_of(ann).pk])
        script = (ROOT / "jobs/static/offload/poll.js").read_text()
        assert f"const AT_ONCE = {polling.AT_ONCE};" in script
