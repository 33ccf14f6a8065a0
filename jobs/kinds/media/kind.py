"""The media kinds: a file in, files that every browser shows out; and edits of such a file, one after the other."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, ClassVar, cast
from uuid import UUID

from django.core.files.storage import default_storage
from django.utils.translation import gettext_lazy

from ...contract import Failed, Kind, KindForm, OwnerKey, Role, Run, Sentence, Text, options
from . import files, formats, operations, pictures, recordings
from .conversion import TIME_LIMIT, Limits, Output, Recipe
from .forms import EditForm, MediaForm
from .models import MediaFile, Version
from .operations import Cut, PictureOperation
from .presets import recipe_of
from .sentences import KIND, SENTENCES


class _VersionKind(Kind):
    """A job that makes one version of a file, however often it is attempted."""

    role: ClassVar[Role] = Role.MEDIA
    max_attempts: ClassVar[int] = 3
    time_limit: ClassVar[timedelta] = TIME_LIMIT
    summary_template: ClassVar[str] = "media/_result.html"
    sentences = SENTENCES
    stylesheet: ClassVar[str] = "media/media.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Make the version. What it is made of lies in the storage, in a folder of this attempt."""
        # An attempt may end after its version was written and before its outcome was.
        version = Version.objects.select_related("file").filter(job=run.job_id).first() or self.make(run)
        return version.result

    @abstractmethod
    def make(self, run: Run) -> Version:
        """Do the work and write the version's row."""

    def files(
        self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None
    ) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
        """The files that the job made."""
        for entry in (result or {}).get("files", ()):
            yield entry["name"], partial(_open, entry["path"])

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Delete the version that the job made with all its files, and the file with its last version.

        While an edit may still start from that version it stays, see `MediaFile.tidy`.
        """
        named = [told["file"] for told in (payload, result or {}) if "file" in told]
        source = payload.get("source", "")
        if source and not named:
            named = list(Version.objects.filter(path=source).values_list("file", flat=True))
        kept: set[str] = set()
        for file in MediaFile.objects.filter(pk__in=named):
            kept |= file.tidy()
        for folder in {f"media/{job_id}", *files.folders_of([source])} - kept:
            files.delete_folder(folder)


class MediaKind(_VersionKind):
    """Converts one uploaded file, its first version; the files it makes are the owner's alone (see views.file)."""

    name: ClassVar[str] = KIND
    label: ClassVar[Text] = gettext_lazy("Media files")
    invitation: ClassVar[Text] = gettext_lazy(
        "Send pictures, videos and sounds and get them back in the formats that every browser shows, "
        "without the place and the names that cameras write into files."
    )
    form: ClassVar[type[KindForm] | None] = MediaForm
    urls: ClassVar[str | None] = f"{__package__}.urls"
    nav: ClassVar[tuple[tuple[Text, str], ...]] = ((gettext_lazy("Files"), "media:files"),)

    def make(self, run: Run) -> Version:
        """Convert the upload and make the file's row."""
        name, path = run.payload["name"], run.payload["source"]
        try:
            with files.working_folder() as folder:
                source, found = _fetch(path, folder)
                convert = pictures.convert if found.is_picture else recordings.convert
                converted = convert(source, found, folder, _limits(), run.progress, recipe_of(run.payload))
                measures = {"format": found.label, "bytes": source.stat().st_size, **converted.source}
                stored = _store(converted.outputs, run, beside=measures["bytes"])
        except Failed as failure:
            if not failure.can_retry:
                for useless in files.folders_of([path]):
                    files.delete_folder(useless)
                run.stored(0)
            raise
        with run.transaction():
            file = MediaFile.objects.create(owner_id=run.owner_id, name=name, type=converted.type)
            return Version.objects.create(
                file=file,
                number=1,
                job_id=run.job_id,
                change=Sentence("upload").as_data(),
                path=path,
                measures=measures,
                files=stored,
                notes=converted.notes,
            )

    def files(
        self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None
    ) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
        """The files that the job made, and the one that was sent."""
        yield from super().files(job_id, payload, result)
        if "source" in payload:
            suffix = PurePath(payload.get("name", "")).suffix
            yield f"original{suffix if suffix.isascii() else ''}", partial(_open, payload["source"])

    def stored_beside(self, owner_id: OwnerKey) -> int:
        """Versions that stay although their jobs are deleted: see `MediaFile.tidy`."""
        return sum(version.stored_bytes for version in Version.objects.filter(job=None, file__owner=owner_id))

    def belongings(self, owner_id: OwnerKey) -> Iterator[tuple[str, Iterable[Mapping[str, Any]]]]:
        """Which files the person has, and what was done with them."""
        versions = Version.objects.filter(file__owner=owner_id).select_related("file").order_by("file", "number")
        yield "files", (version.told for version in versions.iterator(500))


class EditKind(_VersionKind):
    """Edits of one file run one at a time, in the order in which they were submitted, each on what the last one left.

    The line holds behind an edit that failed for good: a box to crop to, say, was chosen with the turn before it in
    mind. The owner decides whether that is tried again, skipped or cancelled.
    """

    name: ClassVar[str] = "edit"
    label: ClassVar[Text] = gettext_lazy("Edit of a media file")
    invitation: ClassVar[Text] = gettext_lazy(
        "Rotate, crop and convert pictures, cut videos and sounds: as many edits of a file at once as you like, "
        "they are made in order, and every version is kept."
    )
    form: ClassVar[type[KindForm] | None] = EditForm
    holds_line: ClassVar[bool] = True

    def make(self, run: Run) -> Version:
        """Change the newest version and make the files for the web of what came out."""
        file = MediaFile.objects.filter(pk=run.payload["file"]).first()
        if file is None:
            raise Failed("file_gone", say="file_deleted", can_retry=False)
        current = file.current
        operation = operations.operation_of(run.payload)
        operation.check(current.measures)
        limits = _limits()
        with files.working_folder() as folder:
            source, found = _fetch(current.path, folder)
            if isinstance(operation, Cut):
                part = (operation.start, operation.end)
                recipe = Recipe(sound_only=file.type == "audio")
                converted = recordings.convert(source, found, folder, limits, run.progress, recipe, part)
                stored = _store(converted.outputs, run)
                edited, found = stored[0], formats.MP4 if file.type == "video" else formats.M4A
            else:
                run.progress(0, "editing")
                change = cast(PictureOperation, operation)
                whole = pictures.edit(source, found, folder / "edited.png", limits, change.apply)
                found = formats.PNG
                converted = pictures.convert(whole.path, found, folder, limits, run.progress, encoder=change.encoder)
                edited, *stored = _store([whole, *converted.outputs], run)
        measures = {name: edited[name] for name in ("bytes", "width", "height", "seconds") if name in edited}
        with run.transaction():
            version = Version.objects.create(
                file=file,
                number=current.number + 1,
                job_id=run.job_id,
                change=operation.sentence.as_data(),
                path=edited["path"],
                measures={"format": found.label, **measures},
                files=stored,
                notes=converted.notes,
            )
        file.tidy()
        return version


def _open(path: str) -> BinaryIO:
    return cast(BinaryIO, default_storage.open(path))


def _limits() -> Limits:
    return Limits(options.MEDIA_MAX_PIXELS, options.MEDIA_MAX_SECONDS, options.MEDIA_MAX_MEMORY)


def _fetch(path: str, folder: Path) -> tuple[Path, formats.Format]:
    """Copy what is stored as `path` into the local folder. Returns where it lies and its format."""
    source = folder / "source"
    files.fetch(path, source)
    with source.open("rb") as file:
        found = formats.recognise(file.read(formats.HEAD_BYTES))
    if found is None:
        raise Failed("unknown_type", accepted=Sentence("accepted"), can_retry=False)
    return source, found


def _store(outputs: list[Output], run: Run, *, beside: int = 0) -> list[dict[str, Any]]:
    """Keep the outputs in a folder of this attempt, all of them or none, and delete what earlier attempts left.

    beside: bytes that are stored for the job elsewhere. Later attempts are not touched: this one may have been given up
    without knowing it. Returns how the result names the files.
    """
    folder = f"media/{run.job_id}"
    try:
        stored = [_entry(output, files.store(output.path, f"{folder}/{run.attempt}")) for output in outputs]
        run.stored(beside + sum(entry["bytes"] for entry in stored))
    except BaseException:
        files.delete_folder(f"{folder}/{run.attempt}")
        raise
    for earlier in range(1, run.attempt):
        files.delete_folder(f"{folder}/{earlier}")
    return stored


def _entry(output: Output, path: str) -> dict[str, Any]:
    """An output as JSON. path: its name in the storage."""
    entry: dict[str, Any] = {
        "name": output.path.name,
        "path": path,
        "type": output.type,
        "role": output.role,
        "bytes": output.bytes,
    }
    measures = {"width": output.width, "height": output.height, "seconds": output.seconds}
    return entry | {name: value for name, value in measures.items() if value is not None}
