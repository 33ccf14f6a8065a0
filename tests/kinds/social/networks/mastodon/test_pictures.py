"""Pictures of a post to Mastodon: uploaded once, in order, and waited for."""

import pytest

from jobs.core import lifecycle
from jobs.models import Job, Status
from jobs.worker import execution
from tests.kinds.social.conftest import attempted, database, result_of
from tests.kinds.social.pictures import TWO, posted, submitted
from tests.servers.mastodon import MEDIA, STATUSES, multipart
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db(transaction=True)


def test_pictures_are_posted_in_order_with_their_descriptions_and_names_of_their_own(careless, mastodon_account):
    fields = {"warning": "Fields", "language": "de", "visibility": "unlisted"}
    (job,) = posted(mastodon_account, pictures=TWO, **fields)
    assert result_of(job)["url"] == f"{careless.origin}/@ann/1"
    (status,) = careless.statuses
    assert [one["description"] for one in status["media_attachments"]] == ["A teal field", "A red field"]
    assert (status["spoiler_text"], status["language"], status["visibility"]) == ("Fields", "de", "unlisted")
    names = [multipart(call)["file"].get_filename() for call in careless.calls(MEDIA)]
    assert names == [f"{job.pk}-1.jpeg", f"{job.pk}-2.jpeg"]


def test_a_lost_reply_leaves_one_status_with_its_pictures(careless, mastodon_account):
    careless.misbehave(STATUSES, careless.publish_without_answer)
    (job,) = posted(mastodon_account, pictures=TWO, warning="Fields & “more”")
    result_of(attempted(job))
    assert len(careless.statuses) == 1


def test_another_status_with_the_same_text_and_other_pictures_is_not_taken_for_the_lost_one(careless, mastodon_account):
    def somebody_posts_elsewhere(asked):
        careless.statuses.append({"id": "by-hand", "content": "<p>Hello</p>", "media_attachments": []})
        return DROPPED

    careless.misbehave(STATUSES, somebody_posts_elsewhere)
    (job,) = posted(mastodon_account, pictures=TWO)
    assert result_of(attempted(job))["url"].endswith("/2")


def test_pictures_that_the_server_left_out_are_told(careless, mastodon_account, client):
    def forgetful(asked):
        careless.publish(asked)
        careless.statuses[-1]["media_attachments"].pop()
        return Reply(careless.statuses[-1])

    careless.misbehave(STATUSES, forgetful)
    (job,) = posted(mastodon_account, pictures=TWO)
    assert result_of(job)["missing"] == 1
    client.force_login(mastodon_account.owner)
    assert "One picture is missing there" in client.get(job.get_absolute_url()).content.decode()


def test_a_picture_is_waited_for_while_the_server_processes_it(careless, mastodon_account):
    careless.routes["POST /api/v2/media"] = lambda asked: Reply({"id": "m1", "type": "image", "url": None}, 202)
    careless.routes["GET /api/v1/media/m1"] = Reply({"id": "m1"})
    careless.misbehave("GET /api/v1/media/m1", Reply({"id": "m1"}, 206), Reply({"id": "m1"}, 206))
    (job,) = posted(mastodon_account, pictures=TWO[:1])
    result_of(job)
    assert len(careless.calls("GET /api/v1/media/m1")) == 3
    assert careless.calls(STATUSES)[0].body.endswith(b"media_ids%5B%5D=m1")


def test_a_server_that_is_busy_with_a_picture_for_long_is_asked_later(careless, mastodon_account, monkeypatch):
    monkeypatch.setattr("jobs.kinds.social.networks.mastodon.client.PROCESSING_SECONDS", 0)
    careless.routes["POST /api/v2/media"] = Reply({"id": "m1"}, 202)
    careless.routes["GET /api/v1/media/m1"] = Reply({"id": "m1"}, 206)
    (job,) = posted(mastodon_account, pictures=TWO[:1])
    assert (job.status, job.error_code) == (Status.PENDING, "processing")


@pytest.mark.parametrize("media_id", [None, 5, "../statuses", "x" * 300])
def test_an_id_that_is_none_is_not_used(careless, mastodon_account, media_id):
    careless.misbehave(MEDIA, Reply({"id": media_id}))
    (job,) = posted(mastodon_account, pictures=TWO[:1])
    assert (job.status, job.error_code) == (Status.PENDING, "not_understood")


def test_a_post_can_be_cancelled_between_two_uploads(careless, mastodon_account, monkeypatch):
    monkeypatch.setattr(execution, "PROGRESS_SECONDS", 0)
    preparation, post = submitted(mastodon_account, pictures=TWO)
    attempted(preparation)

    def cancelled_meanwhile(asked):
        with database():
            lifecycle.cancel(post.pk)
        return careless.upload(asked)

    careless.misbehave(MEDIA, cancelled_meanwhile)
    assert attempted(post).status == Status.CANCELLED
    assert (len(careless.calls(MEDIA)), careless.statuses) == (1, [])


def test_the_page_tells_which_picture_is_uploaded_where(careless, mastodon_account, monkeypatch):
    monkeypatch.setattr(execution, "PROGRESS_SECONDS", 0)
    told = []

    def noted(asked):
        with database():
            told.append(Job.objects.get(kind="social").progress_text)
        return careless.upload(asked)

    careless.misbehave(MEDIA, noted, noted)
    posted(mastodon_account, pictures=TWO)
    host = careless.origin.removeprefix("http://")
    assert told == [f"Uploading picture {number} of 2 to {host}" for number in (1, 2)]
