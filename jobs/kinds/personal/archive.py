"""What is in the copy: a ZIP file with JSON for rows and, as they are, the files of jobs.

Everything is written as it is read, so memory holds a few hundred rows at a time, however much there is. (Of each file
in it, a ZIP writer remembers the name.)
"""

import json
import mimetypes
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ...contract import Job, Kind, Run, all_worded, installed_kinds

CHUNK = 200
"""Jobs that are read in one go."""
PIECE = 1 << 16
"""Bytes of a file that are copied in one go."""
COMPRESSED = ("image/", "video/", "audio/", "application/zip")
"""How types begin that are not worth compressing again."""


@dataclass(frozen=True)
class Written:
    """How many jobs and files of jobs a copy holds."""

    jobs: int
    files: int


def write(file: IO[bytes], owner: AbstractBaseUser, run: Run) -> Written:
    """Write all that is kept of `owner` into `file`: but for the job that does it, and for secrets."""
    mine = Job.objects.filter(owner=owner.pk).exclude(pk=run.job_id).order_by("created_at", "pk")
    with ZipFile(file, "w") as archive:
        with archive.open(_entry("README.txt"), "w") as read_me:
            read_me.write(_read_me(owner).encode())
        _write_rows(archive, "account.json", [_account(owner)])
        jobs = _write_rows(archive, "jobs.json", _jobs(mine, run))
        files = _write_files(archive, mine, run)
        for kind in installed_kinds():
            for name, rows in kind.belongings(owner.pk):
                _write_rows(archive, f"{kind.name}/{_plain(name)}.json", rows)
    return Written(jobs, files)


def _read_me(owner: AbstractBaseUser) -> str:
    return _(
        "All that this site kept of %(who)s on %(when)s.\n\n"
        "account.json: the account.\n"
        "jobs.json: every job with its attempts and its outcome, the oldest first.\n"
        "files/: the files of jobs, in a folder for each kind and job.\n"
        "The other folders hold, for each kind of job, what it keeps besides.\n\n"
        "Passwords and what opens accounts elsewhere are not in here. Times are in UTC.\n"
    ) % {"who": _address(owner) or owner.get_username(), "when": timezone.now().strftime("%Y-%m-%d %H:%M UTC")}


def _address(owner: AbstractBaseUser) -> str:
    return str(getattr(owner, owner.get_email_field_name(), ""))


def _account(owner: AbstractBaseUser) -> dict[str, Any]:
    """What Django knows of people, as far as this site's user model has it. Its other columns may hold secrets."""
    sign_in, email = get_user_model().USERNAME_FIELD, owner.get_email_field_name()
    known = (sign_in, "first_name", "last_name", email, "date_joined", "last_login")
    return {name: getattr(owner, name) for name in known if hasattr(owner, name)}


def _jobs(mine: "QuerySet[Job]", run: Run) -> Iterator[dict[str, Any]]:
    total = mine.count()
    rows = mine.defer("payload_text", "kept", "traceback").prefetch_related("attempts")
    for number, job in enumerate(rows.iterator(CHUNK), 1):
        total = max(number, total)
        run.progress(50 * number / total, "writing_job", number=number, total=total)
        yield {
            "id": job.pk,
            "kind": job.kind,
            "title": job.title,
            "status": job.status,
            "submitted_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "cancel_asked_at": job.cancel_asked_at,
            "result": all_worded(job.result, job.kind),
            "error": {"code": job.error_code, "text": job.error_text} if job.error_code else None,
            "attempts": [
                {
                    "number": attempt.number,
                    "started_at": attempt.started_at,
                    "ended_at": attempt.ended_at,
                    "outcome": attempt.outcome,
                    "error": {"code": attempt.error_code, "text": attempt.error_text} if attempt.error_code else None,
                }
                for attempt in job.attempts.all()
            ],
        }


def _write_rows(archive: ZipFile, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows as a JSON array, one in a line. Returns how many."""
    count = 0
    with archive.open(_entry(name), "w", force_zip64=True) as target:
        for count, row in enumerate(rows, 1):
            target.write((b"[\n" if count == 1 else b",\n") + _json(row))
        target.write(b"\n]\n" if count else b"[]\n")
    return count


def _json(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False).encode()


def _write_files(archive: ZipFile, mine: "QuerySet[Job]", run: Run) -> int:
    """Copy the files of the jobs. Those that were deleted meanwhile are passed over. Returns how many there were."""
    keepers = {kind.name: kind for kind in installed_kinds() if type(kind).files is not Kind.files}
    theirs = mine.filter(kind__in=keepers)
    total, count = theirs.count(), 0
    for number, job in enumerate(theirs.iterator(CHUNK), 1):
        total = max(number, total)
        for name, open_file in keepers[job.kind].files(job.pk, _payload(job), job.result):
            run.progress(50 + 50 * number / total, "writing_files", number=number, total=total)
            try:
                source = open_file()
            except FileNotFoundError:
                continue
            with source, archive.open(_entry(f"files/{job.kind}/{job.pk}/{_plain(name)}"), "w", force_zip64=True) as to:
                shutil.copyfileobj(source, to, PIECE)
            count += 1
    return count


def _payload(job: Job) -> dict[str, Any]:
    try:
        return job.payload
    except ValueError:
        return {}  # the secret key was changed


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, timezone.now().timetuple()[:6])
    is_compressed = (mimetypes.guess_type(name)[0] or "").startswith(COMPRESSED)
    entry.compress_type = ZIP_STORED if is_compressed else ZIP_DEFLATED
    return entry


def _plain(name: str) -> str:
    """A name without folders, so that nothing is unpacked elsewhere."""
    return PurePosixPath(name.replace("\\", "/")).name or "file"
