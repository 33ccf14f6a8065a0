"""What other kinds may use of this one: a person's pictures, and any picture made to fit where it shall go.

Other modules of the media kind are its own (tests/test_architecture.py). Choosing and fitting go together like this:

    for picture in library.pictures_of(owner_id):          # in a form
        ...                                                # offer picture.id, show picture.thumbnail
    picture = library.picture_of(owner_id, chosen_id)      # None: not theirs, or not there any more
    payload = {"picture": picture.path}

    with default_storage.open(run.payload["picture"]) as file:   # in a job with Role.MEDIA
        fitted = library.fit(file, max_bytes=1_000_000, max_pixels=4_000_000, formats=["image/jpeg", "image/webp"])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from shutil import copyfileobj
from typing import Any, BinaryIO

from django.core.files import File
from django.db.models import QuerySet

from ...contract import Failed, OwnerKey, options
from . import formats as known
from . import pictures
from .conversion import Limits
from .files import delete_folder as delete_folder
from .files import working_folder
from .models import Version

_ENCODERS = {"image/jpeg": "JPEG", "image/webp": "WEBP", "image/png": "PNG", "image/avif": "AVIF"}
"""Pillow's name of each format, in the order in which they are preferred."""


@dataclass(frozen=True)
class LibraryPicture:
    """A picture that somebody sent, as its newest version is.

    id: of the file. path: the storage's name of the version at its full size, which later edits don't change; it goes
    when its owner deletes it. thumbnail: where its owner sees it small; "" if its job was deleted. width, height: in
    pixels. bytes: of the file at `path`.
    """

    id: int
    name: str
    path: str
    thumbnail: str
    width: int
    height: int
    bytes: int


def pictures_of(owner_id: OwnerKey, limit: int = 24) -> list[LibraryPicture]:
    """The newest pictures of a person that the media kind has converted, the newest first."""
    return [_picture(version) for version in _newest(owner_id)[:limit]]


def picture_of(owner_id: OwnerKey, id: int) -> LibraryPicture | None:
    """The person's picture with this id, or None."""
    version = _newest(owner_id).filter(file=id).first()
    return _picture(version) if version else None


@dataclass(frozen=True)
class Fitted:
    """A picture that keeps to limits. format: its MIME type. width, height: pixels."""

    content: bytes
    format: str
    width: int
    height: int


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with these bytes (a few thousand do) is of a kind that `fit` takes."""
    found = known.recognise(head[: known.HEAD_BYTES])
    return found is not None and found.is_picture


def fit(source: "BinaryIO | File[Any]", *, max_bytes: int, max_pixels: int, formats: Sequence[str]) -> Fitted:
    """Make the picture keep to limits: upright, in sRGB, without any metadata, smaller only where it must be.

    source: a file of any format that the media kind takes, at its start. max_pixels: width × height.
    formats: MIME types that are taken. A picture without transparency becomes a JPEG if that is among them.
    Decodes what strangers made, in a confined process: call it in a job with Role.MEDIA, which can be killed.
    Of an animation the first picture is taken. Raises Failed with a sentence of the media kind: the file is no picture,
    is damaged, has too many pixels for this site, or none of `formats` can be written.
    """
    head = source.read(known.HEAD_BYTES)
    source.seek(0)
    found = known.recognise(head)
    if found is None or not found.is_picture:
        raise Failed("no_picture", can_retry=False)
    encoders = [encoder for mime, encoder in _ENCODERS.items() if mime in formats]
    if not encoders:
        raise Failed("no_format")
    limits = Limits(options.MEDIA_MAX_PIXELS, options.MEDIA_MAX_SECONDS, options.MEDIA_MAX_MEMORY)
    with working_folder() as folder:
        local, target = folder / "source", folder / "fitted"
        with local.open("wb") as file:
            copyfileobj(source, file, 1 << 20)
        encoder, width, height = pictures.shrink(local, found, target, limits, encoders, max_bytes, max_pixels)
        content = target.read_bytes()
    mime = next(mime for mime, name in _ENCODERS.items() if name == encoder)
    return Fitted(content, mime, width, height)


def _newest(owner_id: OwnerKey) -> "QuerySet[Version]":
    """The newest version of each of the person's pictures."""
    mine = Version.objects.newest().filter(file__owner=owner_id, file__type="image")
    return mine.select_related("file").order_by("-file")


def _picture(version: Version) -> LibraryPicture:
    file, measures = version.file, version.measures
    return LibraryPicture(
        file.pk,
        file.name,
        version.path,
        version.thumbnail,
        measures["width"],
        measures["height"],
        measures["bytes"],
    )
