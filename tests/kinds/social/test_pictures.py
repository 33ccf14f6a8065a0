"""Pictures of posts: chosen, made to fit, and gone when they are forgotten."""

import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.urls import reverse
from PIL import Image

from jobs.kinds.media.models import MediaFile, Version
from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account, Upload
from jobs.kinds.social.pictures import PicturesKind
from jobs.models import Status
from tests.kinds.social.conftest import attempted, result_of
from tests.kinds.social.pictures import TWO, form_of, noisy, photo, stored, submitted

pytestmark = pytest.mark.django_db(transaction=True)


# --- Asking for them ---


def test_a_post_with_pictures_waits_for_the_job_that_prepares_them(mastodon_account, webhook_account):
    before = stored()
    preparation, *posts = submitted(mastodon_account, webhook_account, pictures=TWO)
    assert (preparation.kind, preparation.title) == ("pictures", "2 pictures for: Hello")
    assert [post.after_id for post in posts] == [preparation.pk] * 2
    assert posts[0].payload == {
        "account": mastodon_account.pk,
        "text": "Hello",
        "pictures": 2,
    }
    assert len(stored() - before) == 2


def test_what_is_not_accepted_leaves_no_file(user, webhook_account):
    before = stored()
    form = form_of(user, [webhook_account], *TWO)
    assert form.is_valid()
    form.submissions()
    form.discard()
    assert stored() == before


def test_a_post_of_pictures_needs_no_text(user, webhook_account):
    form = form_of(user, [webhook_account], *TWO, text=" ")
    assert form.is_valid(), form.errors
    assert form.submissions()[1].title == "A teal field → Webhook My receiver"


@pytest.mark.parametrize(
    ("pictures", "field", "words"),
    [
        ([(photo(), "")], "alt_1", "Please say in words what the picture shows"),
        ([(photo(), "One"), (photo(), " ")], "alt_2", "Please say in words what the picture shows"),
        ([(b"", "One")], "picture_1", "This file is empty"),
        ([(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "One")], "picture_1", "This file is no picture."),
        ([(photo(), "x" * 2001)], "alt_1", "at most 2000 characters"),
        ([(photo(), "x" * 1501)], "alt_1", "takes up to 1500 characters here; these are 1501."),
    ],
)
def test_a_picture_that_can_not_be_posted_is_told_at_its_field(user, mastodon_account, pictures, field, words):
    form = form_of(user, [mastodon_account], *pictures)
    assert list(form.errors) == [field]
    assert words in form.errors[field][0]


def test_a_description_without_its_picture_is_told(user, webhook_account):
    form = form_of(user, [webhook_account], alt_3="A teal field")
    assert form.errors == {"picture_3": ["Please choose the picture that you describe here, or empty the description."]}


def test_a_server_that_takes_fewer_pictures_is_named(user, mastodon_account):
    Account.objects.update(limits={"media": 1})
    form = form_of(user, [mastodon_account], *TWO)
    assert form.errors["picture_1"] == [f"{mastodon_account.who} takes one picture."]


def test_a_picture_larger_than_this_site_takes_is_told(user, webhook_account, offload):
    offload(MEDIA_MAX_BYTES=100)
    assert "The largest that is taken has 100" in form_of(user, [webhook_account], TWO[0]).errors["picture_1"][0]


@pytest.mark.parametrize("visibility", ["private", "direct"])
def test_what_not_everybody_may_see_does_not_go_to_bluesky(user, bluesky_account, mastodon_account, visibility):
    form = form_of(user, [bluesky_account], visibility=visibility)
    assert "On Bluesky everybody sees a post." in form.errors["visibility"][0]
    assert form_of(user, [mastodon_account], visibility=visibility).is_valid()


# --- Pictures that were converted here before ---


@pytest.fixture
def earlier(user) -> MediaFile:
    """A picture of the user's, as the media kind leaves it."""
    file = MediaFile.objects.create(owner=user, name="Harbour", type="image")
    path = storages["default"].save("media/test/source", ContentFile(photo(80, 50)))
    measures = {"format": "JPEG", "bytes": 1000, "width": 80, "height": 50}
    entry = {"name": "picture-80.jpg", "path": path, "type": "image/jpeg", "role": "picture", "bytes": 1, "width": 80}
    Version.objects.create(file=file, number=1, change="upload", path=path, measures=measures, files=[entry], notes=[])
    return file


def test_an_earlier_picture_is_posted_whatever_becomes_of_it(careless, mastodon_account, earlier):
    preparation, post = submitted(mastodon_account, pictures=[], earlier_2=str(earlier.pk), alt_2="Boats")
    storages["default"].delete(earlier.current.path)
    earlier.delete()
    assert attempted(preparation).status == Status.SUCCEEDED
    result_of(attempted(post))
    assert [one["description"] for one in careless.statuses[0]["media_attachments"]] == ["Boats"]


@pytest.mark.parametrize("choice", ["0", "-1", "9" * 30, "999999"])
def test_an_earlier_picture_that_is_not_there_is_told(user, webhook_account, choice):
    form = form_of(user, [webhook_account], earlier_1=choice, alt_1="Boats")
    assert form.errors == {"earlier_1": ["This picture is not there any more. Please choose another."]}


def test_somebody_elses_picture_can_not_be_posted(other_user, earlier, webhook_account):
    Account.objects.update(owner=other_user)
    form = form_of(other_user, [webhook_account], earlier_1=str(earlier.pk), alt_1="Boats")
    assert form.errors == {"earlier_1": ["This picture is not there any more. Please choose another."]}
    assert "Harbour" not in str(form)


def test_a_picture_has_one_source(user, webhook_account, earlier):
    form = form_of(user, [webhook_account], TWO[0], earlier_1=str(earlier.pk))
    assert form.errors == {"earlier_1": ["Please choose one of the two: a file, or an earlier picture."]}


# --- Making them fit ---


def test_each_account_gets_pictures_within_its_limits(mastodon_account, bluesky_account, webhook_account):
    Account.objects.filter(pk=mastodon_account.pk).update(
        limits={"picture_bytes": 10_000_000, "picture_pixels": 50_000}
    )
    preparation, *_ = submitted(
        mastodon_account, bluesky_account, webhook_account, pictures=[(noisy(1500, 1000), "Noise")]
    )
    made = result_of(attempted(preparation))["pictures"]
    sizes = {}
    for account in (mastodon_account, bluesky_account, webhook_account):
        (picture,) = made[str(account.pk)]
        with storages["default"].open(picture["path"]) as file, Image.open(file) as image:
            assert (image.width, image.height) == (picture["width"], picture["height"])
        sizes[account.network] = storages["default"].size(picture["path"]), picture["width"] * picture["height"]
    assert sizes["mastodon"][1] <= 50_000
    assert sizes["bluesky"][0] <= 1_000_000
    assert sizes["webhook"][0] <= 150_000


def test_accounts_with_the_same_limits_share_a_file(mastodon_account, user):
    other = Account.objects.create(**{**vars_of(mastodon_account), "handle": "@bob@careless.test"})
    made = result_of(attempted(submitted(mastodon_account, other, pictures=TWO)[0]))["pictures"]
    assert made[str(mastodon_account.pk)] == made[str(other.pk)]


def vars_of(account: Account) -> dict[str, Any]:
    names = ("owner", "network", "instance", "credentials_text", "limits")
    return {name: getattr(account, name) for name in names}


def test_a_damaged_picture_cancels_the_posts_with_the_reason(careless, mastodon_account):
    preparation, post = submitted(mastodon_account, pictures=[TWO[0], (photo()[:400], "Half a field")])
    preparation = attempted(preparation)
    assert (preparation.status, preparation.can_retry) == (Status.FAILED, False)
    assert preparation.error_text.startswith("Picture 2: The picture can't be read")
    post.refresh_from_db()
    assert (post.status, post.error_code) == (Status.CANCELLED, "after_failed")
    assert "2 pictures for: Hello" in post.error_text
    assert careless.asked == []


def test_what_was_kept_for_a_job_is_forgotten(mastodon_account):
    before = stored()
    preparation, post = submitted(mastodon_account, pictures=TWO)
    preparation = attempted(preparation)
    attempted(post)
    assert len(stored() - before) == 4
    for _ in range(2):
        PicturesKind().forget(preparation.pk, preparation.payload, preparation.result)
        SocialKind().forget(post.pk, post.payload, None)
    assert stored() == before
    assert not Upload.objects.exists()
    PicturesKind().forget(preparation.pk, {}, None)


def test_pictures_that_were_deleted_before_their_post_are_told(careless, mastodon_account):
    preparation, post = submitted(mastodon_account, pictures=TWO)
    attempted(preparation).delete()
    post = attempted(post)
    assert (post.status, post.error_code, post.can_retry) == (Status.FAILED, "pictures_gone", False)
    preparation, post = submitted(mastodon_account, pictures=TWO)
    preparation = attempted(preparation)
    PicturesKind().forget(preparation.pk, preparation.payload, preparation.result)
    assert attempted(post).error_code == "pictures_gone"
    assert careless.statuses == []


def test_the_export_tells_what_was_asked_for(mastodon_account):
    preparation, post = submitted(mastodon_account, pictures=TWO, warning="Fields")
    ((name, opened), _) = PicturesKind().files(preparation.pk, preparation.payload, None)
    with opened() as file:
        assert (name, file.read()) == ("picture-1", photo())
    ((name, opened),) = SocialKind().files(post.pk, post.payload, None)
    assert json.load(opened())["warning"] == "Fields"
    ((name, rows),) = SocialKind().belongings(mastodon_account.owner_id)
    assert (name, [row["handle"] for row in rows]) == ("accounts", ["@ann@careless.test"])


def test_the_owner_and_nobody_else_sees_the_pictures(mastodon_account, client, other_user):
    preparation, _ = submitted(mastodon_account, pictures=TWO)
    address = reverse("social:picture", args=[preparation.pk, 2])
    client.force_login(mastodon_account.owner)
    assert client.get(address).status_code == 404
    attempted(preparation)
    answer = client.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert answer["Content-Security-Policy"].endswith("frame-ancestors 'none'; sandbox")
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8")
    page = client.get(preparation.get_absolute_url()).content.decode()
    assert f'<img src="{address}" alt="A red field"' in page
    assert client.get(reverse("social:picture", args=[preparation.pk, 3])).status_code == 404
    client.force_login(other_user)
    assert client.get(address).status_code == 404
