"""Pictures of accounts: fetched once, re-encoded small, so that nothing of what a server sent reaches a browser."""

import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.utils.translation import gettext_lazy

from ...contract import Failed, JobError, Kind, Role, Run
from ..media import library
from . import http
from .models import Account

SIZE = 96
"""An avatar has as many pixels as a square of this side, which is twice what pages show."""
MAX_BYTES = 8 * SIZE * SIZE
"""More than a PNG of that size takes."""


class AvatarKind(Kind):
    """Decodes what strangers made, hence a media job. An account is no worse for lacking a picture: it never fails.

    Payload: `account`, its key; `url`, where its picture is.
    """

    name = "avatar"
    label = gettext_lazy("Picture of an account")
    role = Role.MEDIA
    max_attempts = 2
    time_limit = timedelta(minutes=1)
    summary_template = "social/_avatar.html"

    def run(self, run: Run) -> dict[str, Any]:
        """Result: `shown`, whether the account has a picture now."""
        account = Account.objects.filter(pk=run.payload["account"], owner=run.owner_id).first()
        run.progress(0)
        picture = _fetch(run.payload["url"], account.who) if account else None
        return {"shown": bool(account and picture and _store(run, account, picture))}


def _store(run: Run, account: Account, picture: bytes) -> bool:
    """Let the account have the picture. Returns whether it is still there to have one."""
    before, storage = account.avatar.name, account.avatar.storage
    account.avatar.save(f"{uuid4().hex}.png", ContentFile(picture), save=False)
    unused = account.avatar.name
    try:
        with run.transaction():
            if Account.objects.filter(pk=account.pk).update(avatar=account.avatar.name):
                unused = before
    finally:
        if unused:
            storage.delete(unused)
    return unused == before


def _fetch(url: str, who: str) -> bytes | None:
    """The picture at a URL as a small PNG, None if there is none."""
    try:
        answer = http.request("GET", url, who)
    except JobError:
        return None
    if not answer.ok:
        return None
    try:
        return library.fit(
            io.BytesIO(answer.body), max_bytes=MAX_BYTES, max_pixels=SIZE * SIZE, formats=["image/png"]
        ).content
    except Failed:
        return None  # it is no picture, or only the beginning of one
