"""Pictures of accounts: fetched, made small, and replaced."""

import io

import pytest
from django.urls import reverse
from PIL import Image

from jobs.kinds.social.models import Account
from tests.kinds.social.connecting import (
    picture,
    signed_in,
)
from tests.servers.stand_in import DROPPED, Reply, StandIn

pytestmark = pytest.mark.django_db


def bomb() -> bytes:
    """A small file of a picture with too many pixels."""
    file = io.BytesIO()
    Image.new("1", (8000, 8000)).save(file, "PNG")
    return file.getvalue()


def test_a_new_picture_replaces_the_file_of_the_old_one(page, pds):
    pds.routes["GET /ann.png"] = Reply(picture())
    signed_in(page, pds)
    before = Account.objects.get().avatar
    signed_in(page, pds)
    after = Account.objects.get().avatar
    assert (before.storage.exists(str(before.name)), after.storage.exists(str(after.name))) == (False, True)


@pytest.mark.parametrize(
    "answer",
    [Reply("<svg onload='alert(1)'/>"), Reply(b""), Reply(picture()[:400]), Reply(bomb()), Reply("", 404), DROPPED],
    ids=["SVG", "empty", "truncated", "too many pixels", "404", "no answer"],
)
def test_an_account_whose_picture_is_none_is_connected_without_one(page, pds, answer):
    pds.routes["GET /ann.png"] = answer
    signed_in(page, pds)
    account = Account.objects.get()
    assert not account.avatar
    assert page.get(reverse("social:avatar", args=[account.pk])).status_code == 404


def test_a_picture_at_a_private_address_is_not_fetched(page, pds):
    with StandIn() as local:
        pds.routes["GET /xrpc/app.bsky.actor.getProfile"] = Reply({"avatar": f"{local.origin}/ann.png"})
        signed_in(page, pds)
        assert local.asked == []
