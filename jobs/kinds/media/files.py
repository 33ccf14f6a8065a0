"""The media kind's files: in the storage, and in a folder for one attempt while it works."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage

from jobs.contract import Failed

_PREFIX = "offload-media-"
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
        raise Failed("file_gone", "The file is not there any more. Please send it again.", can_retry=False) from error


def store(path: Path, folder: str) -> str:
    """Keep the local file in `folder` of the storage, under the same name. Returns its name there."""
    with path.open("rb") as local:
        return default_storage.save(f"{folder}/{path.name}", File(local))


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
