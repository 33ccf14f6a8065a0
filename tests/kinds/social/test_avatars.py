"""Pictures of accounts: fetched and made small by a media job, and replaced."""

import io

import pytest
from django.core.files.storage import storages
from django.urls import reverse
from PIL import Image

from jobs.kinds.social.models import Account
from jobs.models import Job, Status
from tests.kinds.social.conftest import database, result_of
from tests.kinds.social.connecting import done, picture, shown, signed_in
from tests.servers.stand_in import DROPPED, Reply, StandIn

pytestmark = pytest.mark.django_db


def bomb() -> bytes:
    """A small file of a picture with too many pixels."""
    file = io.BytesIO()
    Image.new("1", (8000, 8000)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_fetched_by_a_media_job_and_not_before(page, pds):
    pds.routes["GET /ann.png"] = Reply(picture())
    signed_in(page, pds)
    job = Job.objects.get(kind="avatar")
    assert (job.queue, job.title, pds.calls("GET /ann.png")) == ("media", "Picture of Bluesky @ann.test", [])
    assert not Account.objects.get().avatar
    assert shown().avatar
    assert "It is shown beside the account." in page.get(job.get_absolute_url()).content.decode()


def test_a_new_picture_replaces_the_file_of_the_old_one(page, pds):
    pds.routes["GET /ann.png"] = Reply(picture())
    signed_in(page, pds)
    before = shown().avatar
    signed_in(page, pds)
    after = shown().avatar
    assert (before.storage.exists(str(before.name)), after.storage.exists(str(after.name))) == (False, True)


@pytest.mark.parametrize(
    "answer",
    [Reply("<svg onload='alert(1)'/>"), Reply(b""), Reply(picture()[:400]), Reply(bomb()), Reply("", 404), DROPPED],
    ids=["SVG", "empty", "truncated", "too many pixels", "404", "no answer"],
)
def test_an_account_whose_picture_is_none_is_connected_without_one(page, pds, answer):
    pds.routes["GET /ann.png"] = answer
    signed_in(page, pds)
    account = shown()
    assert not account.avatar
    assert page.get(reverse("social:avatar", args=[account.pk])).status_code == 404
    job = Job.objects.get(kind="avatar")
    assert (job.status, job.result, job.attempt) == (Status.SUCCEEDED, {"shown": False}, 1)
    assert "The account works without one." in page.get(job.get_absolute_url()).content.decode()


def test_a_picture_at_a_private_address_is_not_fetched(page, pds):
    with StandIn() as local:
        pds.routes["GET /xrpc/app.bsky.actor.getProfile"] = Reply({"avatar": f"{local.origin}/ann.png"})
        signed_in(page, pds)
        shown()
        assert local.asked == []


def test_of_an_account_that_is_gone_nothing_is_fetched(page, pds):
    signed_in(page, pds)
    Account.objects.all().delete()
    assert result_of(done(Job.objects.get(kind="avatar"))) == {"shown": False}
    assert pds.calls("GET /ann.png") == []


@pytest.mark.django_db(transaction=True)
def test_the_picture_of_an_account_that_is_disconnected_meanwhile_leaves_no_file(page, pds):
    def disconnected_meanwhile(asked):
        with database():
            Account.objects.all().delete()
        return Reply(picture())

    pds.routes["GET /ann.png"] = disconnected_meanwhile
    signed_in(page, pds)
    before = files()
    assert result_of(done(Job.objects.get(kind="avatar"))) == {"shown": False}
    assert files() == before


def files() -> list[str]:
    """The stored pictures of accounts."""
    storage = storages["default"]
    return sorted(storage.listdir("social/avatars")[1]) if storage.exists("social/avatars") else []
