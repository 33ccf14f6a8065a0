"""The API of the practice network: posts and pictures."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.utils import timezone

from jobs.sandbox.models import MediaAttachment
from tests.processes import wait_until
from tests.sandbox.client import png

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_the_same_key_makes_one_post(network, ann):
    key = str(uuid4())
    first, second = ann.toot("once", key), ann.toot("once", key)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert len(ann.statuses()) == 1
    assert [call["effect"] for call in network.calls("/api/v1/statuses")] == [True, False]


def test_the_same_key_at_the_same_time_makes_one_post(network, ann):
    key = str(uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ann.toot("once", key), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(ann.statuses()) == 1


def test_a_key_belongs_to_its_token(network, ann):
    key = str(uuid4())
    bob = network.connect()
    assert ann.toot("mine", key).json()["id"] != bob.toot("mine", key).json()["id"]


def test_a_form_is_read_like_json(network, ann):
    form = {"status": "Form", "spoiler_text": "Careful", "visibility": "unlisted", "language": "en"}
    status = network.post("/api/v1/statuses", headers=ann.headers, data=form).json()
    expected = {"spoiler_text": "Careful", "visibility": "unlisted", "language": "en", "sensitive": True}
    assert {name: status[name] for name in expected} == expected
    assert network.get(f"/api/v1/statuses/{status['id']}").json() == status


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"status": ""}, "Validation failed: Text can't be blank"),
        ({"status": "x" * 501}, "Validation failed: Text character limit of 500 exceeded"),
        ({"status": "x" * 400, "spoiler_text": "y" * 101}, "Validation failed: Text character limit of 500 exceeded"),
        ({"status": "x", "visibility": "secret"}, "Validation failed: visibility is invalid"),
        ({"status": 5}, "Validation failed: status is invalid"),
        ({"status": "x", "language": "x" * 21}, "Validation failed: language is invalid"),
        ({"status": "x", "media_ids": ["1", "2", "3", "4", "5"]}, "Cannot attach more than 4 files"),
        ({"status": "x", "media_ids": ["no"]}, "Validation failed: Media was not found"),
    ],
)
def test_a_wrong_post_is_refused_as_mastodon_does(network, ann, given, error):
    response = network.post("/api/v1/statuses", headers=ann.headers, json=given)
    assert (response.status_code, response.json()) == (422, {"error": error})
    assert ann.statuses() == []


def test_an_address_counts_as_23_characters_and_an_emoji_as_one(ann):
    assert ann.toot("x" * 476 + " https://example.org/" + "y" * 500).status_code == 200
    assert ann.toot("👩‍👩‍👧‍👦" * 500).status_code == 200
    assert ann.toot("👩‍👩‍👧‍👦" * 501).status_code == 422


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_json_that_is_no_object_is_a_bad_request(network, ann, body):
    headers = {**ann.headers, "Content-Type": "application/json"}
    assert network.post("/api/v1/statuses", headers=headers, data=body).status_code == 400


def test_an_accounts_own_posts_are_listed_newest_first(network, ann):
    ids = [ann.toot(text).json()["id"] for text in ("one", "two", "three")]
    path = f"/api/v1/accounts/{ann.me().json()['id']}/statuses"
    assert [status["id"] for status in network.get(path, params={"limit": 2}).json()] == ids[:0:-1]


def test_a_post_that_does_not_exist_is_404(network):
    assert network.get("/api/v1/statuses/999999999").json() == {"error": "Record not found"}
    assert network.get("/api/v1/accounts/999999999/statuses").status_code == 404
    page = network.get("/@nobody/1")
    assert page.status_code == 404
    assert "There is nothing here" in page.text


def test_a_picture_is_processed_described_and_posted(network, ann):
    uploaded = ann.upload(png(), description="A teal field")
    assert uploaded.status_code == 202
    assert uploaded.json()["url"] is None
    pk = uploaded.json()["id"]
    wait_until(lambda: ann.media(pk).status_code == 200, what="the picture is processed")
    status = ann.toot("", media_ids=[pk]).json()
    (picture,) = status["media_attachments"]
    assert picture["description"] == "A teal field"
    served = network.get(picture["url"].removeprefix(network.url))
    assert served.content == png()
    assert (served.headers["Content-Type"], served.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert ann.toot("again", media_ids=[pk]).status_code == 422


@pytest.mark.django_db(transaction=True, databases=["default", "sandbox"])
def test_a_picture_that_is_still_processed_can_not_be_posted(ann):
    pk = ann.upload(png()).json()["id"]
    MediaAttachment.objects.filter(pk=pk).update(created_at=timezone.now() + timedelta(hours=1))
    assert ann.media(pk).status_code == 206
    response = ann.toot("too early", media_ids=[pk])
    assert response.status_code == 422
    assert "not finished processing" in response.json()["error"]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_description_can_be_changed_until_the_picture_is_posted(network, ann, as_json):
    pk = ann.upload(png()).json()["id"]
    body: Any = {"json" if as_json else "data": {"description": "Better"}}
    response = requests.put(f"{network.url}/api/v1/media/{pk}", headers=ann.headers, timeout=20, **body)
    assert (response.status_code, response.json()["description"]) == (200, "Better")


def test_somebody_elses_picture_does_not_exist(network, ann):
    pk = ann.upload(png()).json()["id"]
    bob = network.connect()
    assert bob.media(pk).status_code == 404
    assert bob.toot("stolen", media_ids=[pk]).status_code == 422


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", png()[:40]])
def test_what_is_no_picture_is_refused(ann, content):
    response = ann.upload(content)
    assert response.status_code == 422
    assert response.json()["error"].startswith("Validation failed: File")
