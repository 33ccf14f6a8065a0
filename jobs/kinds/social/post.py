"""A post as the networks are handed it, and the pictures that go with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.utils import timezone

from ...contract import Failed, Run
from .http import host_of
from .lengths import Rules, WarningPlace, text_on
from .models import Account, Upload

REUSE = timedelta(minutes=45)
"""How long an uploaded picture may wait for its post. Bluesky servers keep one for an hour at the least, Mastodon for a
day. https://atproto.com/specs/blob#blob-lifecycle"""


@dataclass(frozen=True)
class PreparedPicture:
    """A picture that was prepared for one network. path: in the storage. type: media type. width, height: pixels."""

    path: str
    type: str
    width: int
    height: int
    alt: str

    def read(self) -> bytes:
        """Its content. Raises Failed if it is gone."""
        try:
            with default_storage.open(self.path) as file:
                return bytes(file.read())
        except FileNotFoundError:
            raise Failed("pictures_gone", can_retry=False) from None


@dataclass(frozen=True)
class Post:
    """What is posted.

    text: with its warning above it, where the network knows no warnings.
    warning: what to say before the text is shown. language: a code such as "de". visibility: one of forms.VISIBILITIES.
    Each "" where the person said nothing.
    """

    text: str
    warning: str = ""
    language: str = ""
    visibility: str = ""
    pictures: tuple[PreparedPicture, ...] = ()

    @classmethod
    def of(cls, payload: Mapping[str, Any], rules: Rules, prepared: list[dict[str, Any]]) -> "Post":
        """The post that a job's payload asks for, by the rules of its network.

        prepared: its pictures, as the job that prepared them left them.
        """
        said = {name: payload.get(name, "") for name in ("text", "warning", "language", "visibility")}
        said["text"] = text_on(rules, said["text"], said["warning"])
        if rules.warning is WarningPlace.ABOVE:
            said["warning"] = ""
        return cls(**said, pictures=tuple(PreparedPicture(**picture) for picture in prepared))


def upload_all(account: Account, post: Post, run: Run, upload: Callable[[PreparedPicture, int], Any]) -> list[Any]:
    """The references under which the network knows the post's pictures, in their order.

    upload: hands a picture and its number (from 1) to the network and returns the reference, JSON data. What an earlier
    attempt handed over a short while ago is not sent again. An upload that no post names has no effect: networks delete
    it; so it is no reason to keep the job from being cancelled, and is not told by `Run.keep`.
    """
    fresh = Upload.objects.filter(job_id=run.job_id, uploaded_at__gt=timezone.now() - REUSE)
    references = dict(fresh.values_list("number", "reference"))
    total = len(post.pictures)
    for number, picture in enumerate(post.pictures, 1):
        if number in references:
            continue
        percent = 10 + 80 * (number - 1) / total
        run.progress(percent, "uploading", number=number, total=total, host=host_of(account.instance))
        references[number] = upload(picture, number)
        row = {"reference": references[number], "uploaded_at": timezone.now()}
        with run.transaction():
            Upload.objects.update_or_create(job_id=run.job_id, number=number, defaults=row)
    return [references[number] for number in range(1, total + 1)]


def forget_uploads(job_id: UUID) -> None:
    """Let a further attempt hand over the pictures anew."""
    Upload.objects.filter(job_id=job_id).delete()
