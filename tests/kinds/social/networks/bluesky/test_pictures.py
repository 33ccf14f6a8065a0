"""Pictures of a post to Bluesky: blobs that a record embeds."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.kinds.social.models import Upload
from jobs.kinds.social.post import REUSE
from jobs.models import Status
from tests.kinds.social.conftest import attempted, result_of
from tests.kinds.social.pictures import TWO, posted
from tests.servers.bluesky import PUT, UPLOAD
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db(transaction=True)


def test_pictures_are_embedded_in_a_bluesky_post(pds, bluesky_account):
    (job,) = posted(bluesky_account, pictures=TWO, language="de", warning="Fields")
    result_of(job)
    ((_, record),) = pds.records.items()
    assert (record["text"], record["langs"]) == ("CW: Fields\n\nHello", ["de"])
    images = record["embed"]["images"]
    assert record["embed"]["$type"] == "app.bsky.embed.images"
    assert [image["alt"] for image in images] == ["A teal field", "A red field"]
    assert images[0]["aspectRatio"] == {"width": 60, "height": 40}
    blob = images[0]["image"]
    assert (blob["mimeType"], blob["size"]) == ("image/jpeg", len(pds.blobs[blob["ref"]["$link"]]))


def test_a_session_that_expires_while_pictures_are_uploaded_is_refreshed(pds, bluesky_account):
    pds.expire()
    (job,) = posted(bluesky_account, pictures=TWO)
    result_of(job)
    assert len(pds.blobs) == 2


def test_a_lost_reply_of_bluesky_is_repeated_with_the_same_pictures(pds, bluesky_account):
    pds.misbehave(PUT, pds.put_record_without_answer)
    (job,) = posted(bluesky_account, pictures=TWO)
    Upload.objects.update(uploaded_at=timezone.now() - REUSE - timedelta(seconds=1))
    result_of(attempted(job))
    first, second = pds.calls(PUT)
    assert first.json == second.json
    assert (len(pds.records), len(pds.calls(UPLOAD))) == (1, 4)


@pytest.mark.parametrize(
    "blob", [None, {}, {"ref": "x"}, {"ref": {"$link": "x\ny"}, "size": 1}, {"ref": {"$link": "x"}}]
)
def test_a_blob_that_is_none_is_not_used(pds, bluesky_account, blob):
    pds.misbehave(UPLOAD, Reply({"blob": blob}))
    (job,) = posted(bluesky_account, pictures=TWO[:1])
    assert (job.status, job.error_code) == (Status.PENDING, "not_understood")
