"""The pictures of a post at its network: handed over once, whatever becomes of an attempt."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.core import lifecycle
from jobs.kinds.social.models import Upload
from jobs.kinds.social.post import REUSE
from jobs.models import Status
from tests.kinds.social.conftest import attempted, result_of
from tests.kinds.social.pictures import TWO, posted
from tests.servers.mastodon import MEDIA, STATUSES
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_further_attempt_uploads_nothing_again(careless, mastodon_account):
    careless.misbehave(STATUSES, Reply("", 502))
    (job,) = posted(mastodon_account, pictures=TWO)
    assert job.status == Status.PENDING
    result_of(attempted(job))
    assert len(careless.calls(MEDIA)) == 2
    assert len(careless.statuses[0]["media_attachments"]) == 2


def test_a_broken_upload_goes_on_where_it_broke(careless, mastodon_account):
    careless.misbehave(MEDIA, careless.upload, DROPPED)
    (job,) = posted(mastodon_account, pictures=TWO)
    assert (job.status, job.error_code) == (Status.PENDING, "no_answer")
    result_of(attempted(job))
    assert len(careless.calls(MEDIA)) == 3
    assert len(careless.statuses[0]["media_attachments"]) == 2


def test_a_picture_that_waited_for_long_is_uploaded_again(careless, mastodon_account):
    careless.misbehave(STATUSES, Reply("", 502))
    (job,) = posted(mastodon_account, pictures=TWO)
    Upload.objects.filter(number=1).update(uploaded_at=timezone.now() - REUSE - timedelta(seconds=1))
    result_of(attempted(job))
    assert len(careless.calls(MEDIA)) == 3


def test_after_a_refusal_the_pictures_are_uploaded_anew(careless, mastodon_account):
    careless.misbehave(STATUSES, Reply({"error": "Validation failed: Media was not found"}, 422))
    (job,) = posted(mastodon_account, pictures=TWO)
    assert (job.status, job.can_retry) == (Status.FAILED, True)
    assert lifecycle.retry(job.pk)
    result_of(attempted(job))
    assert len(careless.calls(MEDIA)) == 4
