"""A copy of all that is kept of a person, as one ZIP file that only they can fetch."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import Expression, QuerySet
from django.utils.translation import gettext_lazy

from ...contract import Job, Kind, Quota, Role, Run, options
from . import archive
from .sentences import SENTENCES

FOLDER = "export"


def _copies(owner: Expression) -> "QuerySet[Job]":
    """Those that are there, and those that are being made."""
    mine = Job.objects.filter(owner=owner, kind=ExportKind.name)
    return mine.unfinished() | mine.filter(stored_bytes__gt=0)


EXPORTS = Quota(
    name="exports",
    label=gettext_lazy("Copies of my data"),
    option="QUOTA_EXPORTS",
    rows=_copies,
    refusal=gettext_lazy(
        "There is no room: of at most %(most)s copies of your data, %(used)s are there already. "
        "Delete one of them first."
    ),
)


def stored_as(job_id: UUID, attempt: int) -> str:
    """The storage's name of the file that an attempt wrote."""
    return f"{FOLDER}/{job_id}/{attempt}.zip"


class ExportKind(Kind):
    """Writes the file. It may be large: it is made on disk, piece by piece, on a worker for what computes."""

    name = "export"
    label = gettext_lazy("Copy of my data")
    role = Role.MEDIA
    max_attempts = 3
    time_limit = timedelta(hours=1)
    urls = f"{__package__}.urls"
    nav = ((gettext_lazy("My data"), "export:home"),)
    summary_template = "personal/_export.html"
    sentences = SENTENCES
    quotas = (EXPORTS,)

    def run(self, run: Run) -> dict[str, Any]:
        """Result: bytes of the file, and how many jobs and files are in it."""
        # Without a name: if this process dies, nothing is left. Not in the system's folder, which may be in memory.
        with TemporaryFile(dir=options.VAR_DIR) as file:
            written = archive.write(file, get_user_model()._default_manager.get(pk=run.owner_id), run)
            size = file.tell()
            file.seek(0)
            default_storage.save(stored_as(run.job_id, run.attempt), File(file))
            run.stored(size)
        for earlier in range(1, run.attempt):
            default_storage.delete(stored_as(run.job_id, earlier))
        return {"bytes": size, "jobs": written.jobs, "files": written.files}

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Delete the file, and what attempts left that were given up."""
        folder = f"{FOLDER}/{job_id}"
        with suppress(FileNotFoundError):
            for name in default_storage.listdir(folder)[1]:
                default_storage.delete(f"{folder}/{name}")
            default_storage.delete(folder)
