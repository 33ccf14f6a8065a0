"""Pictures of posts: chosen, made to fit, handed over once, and gone when they are forgotten."""

import base64
import json
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from PIL import Image

from jobs.core import lifecycle
from jobs.kinds.media.models import MediaFile, Version
from jobs.kinds.social.forms import PostForm
from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account, Upload
from jobs.kinds.social.pictures import PicturesKind
from jobs.kinds.social.post import REUSE
from jobs.models import Job, Status
from jobs.worker import execution
from tests.kinds.social.conftest import attempted, database, result_of
from tests.servers.bluesky import PUT, UPLOAD
from tests.servers.mastodon import multipart
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db(transaction=True)

STATUSES, MEDIA = "POST /api/v1/statuses", "POST /api/v1/media"


def photo(width: int = 60, height: int = 40, colour: str = "teal") -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height), colour).save(content, "JPEG")
    return content.getvalue()


def noisy(width: int, height: int) -> bytes:
    """A picture that can't be made small by compressing it."""
    content = BytesIO()
    Image.effect_noise((width, height), 100).save(content, "PNG")
    return content.getvalue()


def form_of(owner: Any, accounts: list[Account], *pictures: tuple[bytes, str], **fields: str) -> PostForm:
    """A filled-in form. pictures: contents and what they show."""
    data = QueryDict(mutable=True)
    data.update({"text": "Hello", **fields})
    data.setlist("accounts", [str(account.pk) for account in accounts])
    files: MultiValueDict[str, Any] = MultiValueDict()
    for number, (content, alt) in enumerate(pictures, 1):
        data[f"alt_{number}"] = alt
        files[f"picture_{number}"] = SimpleUploadedFile("same name.jpg", content)
    return PostForm(data, files, owner=owner)


def submitted(*accounts: Account, pictures: list[tuple[bytes, str]], **fields: str) -> list[Job]:
    """The jobs of a post with pictures: the one that prepares them, and one for each account."""
    form = form_of(accounts[0].owner, list(accounts), *pictures, **fields)
    assert form.is_valid(), form.errors
    return lifecycle.submit(SocialKind(), form.submissions(), owner=accounts[0].owner).jobs


def posted(*accounts: Account, pictures: list[tuple[bytes, str]], **fields: str) -> list[Job]:
    """The jobs of the posts after their first attempts."""
    preparation, *posts = submitted(*accounts, pictures=pictures, **fields)
    assert attempted(preparation).status == Status.SUCCEEDED
    return [attempted(post) for post in posts]


def stored() -> set[str]:
    """All files of posts in the storage."""

    def below(folder: str) -> set[str]:
        folders, names = storages["default"].listdir(folder)
        return {f"{folder}/{name}" for name in names}.union(*(below(f"{folder}/{name}") for name in folders))

    return (
        {name for name in below("social") if "avatars" not in name} if storages["default"].exists("social") else set()
    )


TWO = [(photo(), "A teal field"), (photo(colour="red"), "A red field")]


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


def test_a_picture_larger_than_this_site_takes_is_told(user, webhook_account, settings):
    settings.MEDIA_MAX_BYTES = 100
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
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8")
    page = client.get(preparation.get_absolute_url()).content.decode()
    assert f'<img src="{address}" alt="A red field"' in page
    assert client.get(reverse("social:picture", args=[preparation.pk, 3])).status_code == 404
    client.force_login(other_user)
    assert client.get(address).status_code == 404


# --- Mastodon ---


def test_pictures_are_posted_in_order_with_their_descriptions_and_names_of_their_own(careless, mastodon_account):
    fields = {"warning": "Fields", "language": "de", "visibility": "unlisted"}
    (job,) = posted(mastodon_account, pictures=TWO, **fields)
    assert result_of(job)["url"] == f"{careless.origin}/@ann/1"
    (status,) = careless.statuses
    assert [one["description"] for one in status["media_attachments"]] == ["A teal field", "A red field"]
    assert (status["spoiler_text"], status["language"], status["visibility"]) == ("Fields", "de", "unlisted")
    names = [multipart(call)["file"].get_filename() for call in careless.calls(MEDIA)]
    assert names == [f"{job.pk}-1.jpeg", f"{job.pk}-2.jpeg"]


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


# --- Bluesky ---


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


# --- Webhook ---


def test_a_webhook_gets_pictures_and_everything_that_was_said(receiver, webhook_account):
    receiver.routes["POST /hook"] = Reply()
    (job,) = posted(webhook_account, pictures=TWO, warning="Fields", language="de", visibility="private")
    result_of(job)
    data = receiver.asked[0].json["data"]
    assert (data["warning"], data["language"], data["visibility"]) == ("Fields", "de", "private")
    assert [picture["alt"] for picture in data["pictures"]] == ["A teal field", "A red field"]
    with Image.open(BytesIO(base64.b64decode(data["pictures"][0]["content"]))) as image:
        assert (image.format, image.size) == ("JPEG", (60, 40))
