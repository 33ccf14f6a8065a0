"""The media kind's files: in the storage, and in a folder for one attempt while it works."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO, cast
from zipfile import ZipFile, ZipInfo

from django.core.files import File
from django.core.files.storage import default_storage
from django.utils.text import slugify

from ...contract import Failed

_PREFIX = "offload-media-"
_PIECE = 1 << 16
_ABANDONED_SECONDS = 3600
"""No attempt may run that long, so an older folder belongs to one that was killed."""


@contextmanager
def working_folder() -> Iterator[Path]:
    """A new, private folder on this machine, deleted afterwards. So are those that killed attempts left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        yield Path(name)


def fetch(name: str, target: Path) -> None:
    """Copy the stored file `name` to `target`. Raises Failed if it is gone."""
    try:
        with default_storage.open(name) as stored, target.open("wb") as local:
            shutil.copyfileobj(stored, local, 1 << 20)
    except FileNotFoundError as error:
        raise Failed("file_gone", can_retry=False) from error


def store(path: Path, folder: str) -> str:
    """Keep the local file in `folder` of the storage, under the same name. Returns its name there."""
    with path.open("rb") as local:
        return default_storage.save(f"{folder}/{path.name}", File(local))


def folders_of(names: Iterable[str]) -> set[str]:
    """The folders that hold stored files of these names: one for each upload, and one for each job's outcome."""
    return {"/".join(name.split("/")[:2]) for name in names if name}


def delete_folder(folder: str) -> None:
    """Delete `folder` and all that is stored below it. Nothing there: nothing happens."""
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        default_storage.delete(f"{folder}/{name}")
    for name in folders:
        delete_folder(f"{folder}/{name}")
    with suppress(OSError):
        # Storages with real folders keep empty ones; the others know no such name and do nothing.
        default_storage.delete(folder)


def web_name(name: str) -> str:
    """What somebody calls a file, without its suffix, as it can stand in an address and in any file system."""
    return slugify(PurePath(name).stem, allow_unicode=True)[:60] or "file"


def download_name(name: str, made: str) -> str:
    """What the file `made` out of the one called `name` is called where its owner downloads it."""
    return f"{web_name(name)}-{made}"


def archive(entries: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """A ZIP file, made while it is sent, piece by piece. Nothing is compressed: the formats have done that.

    entries: names in the archive and in the storage. What is not there any more is left out.
    """
    pipe = _Pipe()
    with ZipFile(cast(IO[bytes], pipe), "w") as target:
        for name, path in entries:
            try:
                stored = default_storage.open(path)
            except FileNotFoundError:
                continue
            head = ZipInfo(name, time.localtime()[:6])
            head.file_size = stored.size
            with stored, target.open(head, "w") as copy:
                while piece := stored.read(_PIECE):
                    copy.write(piece)
                    yield pipe.take()
    yield pipe.take()


class _Pipe:
    """A file that can only be written, and whose content is taken away again and again."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, data: bytes) -> int:
        self._content += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        content = bytes(self._content)
        self._content.clear()
        return content
