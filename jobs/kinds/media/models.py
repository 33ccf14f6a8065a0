"""The uploaded files, and every version that edits made of one."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.urls import reverse

from ...contract import Job, Status, worded
from . import files
from .sentences import KIND

MAX_NAME = 150
"""Characters of a file's name."""


class MediaFile(models.Model):
    """A file that somebody sent, with all its versions.

    type: image, video or audio. name: what its owner calls it.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=MAX_NAME)
    type = models.CharField(max_length=10)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The file's page."""
        return reverse("media:detail", args=[self.pk])

    @property
    def resource(self) -> str:
        """The line in which its edits wait."""
        return f"file:{self.pk}"

    @property
    def current(self) -> "Version":
        """The newest version. The upload's own was made together with the file, so there is always one."""
        return self.versions.latest("number")

    def tidy(self) -> set[str]:
        """Delete the versions whose jobs were deleted, with what is stored of them; with the last one the file itself.

        Its newest version is what further edits start from, so it stays as long as there is an edit that has not
        succeeded (and could): the end of that one, or its deletion, tidies again. Returns the folders that are left.
        """
        # The files go first: whoever is interrupted between finds the row again.
        newest = self.versions.last()
        unmade = Job.objects.filter(resource=self.resource).exclude(status=Status.SUCCEEDED)
        for version in self.versions.filter(job=None):
            if version == newest and unmade.exists():
                continue
            for folder in files.folders_of(version.stored):
                files.delete_folder(folder)
            version.delete()
        left = list(self.versions.all())
        if not left:
            self.delete()
        return files.folders_of(name for version in left for name in version.stored)


class VersionQuerySet(models.QuerySet["Version"]):
    """Which versions count."""

    def newest(self) -> "VersionQuerySet":
        """Of each file the newest."""
        return self.filter(~Exists(Version.objects.filter(file=OuterRef("file"), number__gt=OuterRef("number"))))


class Version(models.Model):
    """What one job made of a file: the upload as it came (number 1), or an edit of the version before.

    Two edits of the same version would claim the same number, so the database refuses the second. job: at most one
    version for each, so an edit that is repeated counts once. change: what was done, as a sentence. path: the
    storage's name of what further edits start from. measures: of that: format, bytes, and where they apply width and
    height (pixels, upright) and seconds. files: made for the web out of it. notes: sentences for the owner.
    """

    file = models.ForeignKey(MediaFile, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    job = models.OneToOneField(Job, models.SET_NULL, null=True, related_name="+")
    change = models.JSONField()
    path = models.CharField(max_length=200)
    measures = models.JSONField()
    files = models.JSONField()
    notes = models.JSONField()
    made_at = models.DateTimeField(db_default=Now())

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="media_version_once_for_each_file")]
        indexes = [models.Index(fields=["path"], name="media_version_path")]

    def __str__(self) -> str:
        return f"{self.file}, version {self.number}"

    @property
    def stored(self) -> list[str]:
        """The storage's names of all that belongs to it."""
        return [self.path, *(entry["path"] for entry in self.files)]

    @property
    def stored_bytes(self) -> int:
        """How many bytes that is."""
        sizes: list[int] = [self.measures["bytes"], *(entry["bytes"] for entry in self.files)]
        return sum(sizes)

    @property
    def thumbnail(self) -> str:
        """Where its owner sees it small; "" if its job was deleted."""
        seen = [entry for entry in self.files if entry["type"].startswith("image/")]
        if self.job_id is None or not seen:
            return ""
        small = min(seen, key=lambda entry: (entry["width"], entry["bytes"]))
        return reverse("media:file", args=[self.job_id, small["name"]])

    @property
    def change_text(self) -> str:
        """What was done, in words."""
        return worded(self.change, KIND)

    @property
    def told(self) -> dict[str, Any]:
        """What it is, as JSON data for its owner."""
        return {
            "file": self.file.name,
            "version": self.number,
            "change": self.change_text,
            "measures": self.measures,
            "made_at": self.made_at.isoformat(),
        }

    @property
    def result(self) -> dict[str, Any]:
        """The result of the job that made it."""
        return {
            "type": self.file.type,
            "source": self.measures,
            "files": self.files,
            "notes": self.notes,
            "file": self.file.pk,
            "name": self.file.name,
            "version": self.number,
        }
