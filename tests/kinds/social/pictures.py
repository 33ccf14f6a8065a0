"""Posts with pictures through the real core, for tests."""

from io import BytesIO
from typing import Any

from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from PIL import Image

from jobs.core import lifecycle
from jobs.kinds.social.forms import PostForm
from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account
from jobs.models import Job, Status
from tests.kinds.social.conftest import attempted


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
