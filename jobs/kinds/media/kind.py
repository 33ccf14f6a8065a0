"""The media kind: a picture, a video or a sound in, files that every browser shows out."""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings

from jobs.contract import Failed, Kind, KindForm, Role, Run
from jobs.kinds.media import files, formats, pictures, recordings
from jobs.kinds.media.conversion import Limits, Output
from jobs.kinds.media.forms import MediaForm


class MediaKind(Kind):
    """Converts one uploaded file; the files it makes are the owner's alone (see views.file)."""

    name: ClassVar[str] = "media"
    label: ClassVar[str] = "Media file"
    invitation: ClassVar[str] = (
        "Send a picture, a video or a sound and get it back in the formats that every browser shows, "
        "without the place and the names that cameras write into files."
    )
    role: ClassVar[Role] = Role.MEDIA
    form: ClassVar[type[KindForm] | None] = MediaForm
    max_attempts: ClassVar[int] = 3
    time_limit: ClassVar[timedelta] = timedelta(minutes=15)
    urls: ClassVar[str | None] = "jobs.kinds.media.urls"
    summary_template: ClassVar[str] = "media/_result.html"

    def run(self, run: Run) -> dict[str, Any]:
        """Convert the file and keep what came out below a folder of this attempt."""
        limits = Limits(settings.MEDIA_MAX_PIXELS, settings.MEDIA_MAX_SECONDS, settings.MEDIA_MAX_MEMORY)
        with files.working_folder() as folder:
            source = folder / "source"
            files.fetch(run.payload["source"], source)
            with source.open("rb") as file:
                found = formats.recognise(file.read(formats.HEAD_BYTES))
            if found is None:
                raise Failed("unknown_type", f"This is no file that we can convert. Please send {formats.ACCEPTED}.")
            convert = pictures.convert if found.is_picture else recordings.convert
            converted = convert(source, found, folder, limits, run.progress)
            facts = {"format": found.label, "bytes": source.stat().st_size, **converted.source}
            stored = _store(converted.outputs, f"media/{run.job_id}", run.attempt)
        return {"type": converted.type, "source": facts, "files": stored, "notes": converted.notes}


def _store(outputs: list[Output], folder: str, attempt: int) -> list[dict[str, Any]]:
    """Keep the outputs below `folder`, all of them or none, and delete what earlier attempts left there.

    Later attempts are not touched: this one may have been given up without knowing it. Returns how the result names the
    files.
    """
    try:
        stored = [_entry(output, files.store(output.path, f"{folder}/{attempt}")) for output in outputs]
    except BaseException:
        files.delete_folder(f"{folder}/{attempt}")
        raise
    for earlier in range(1, attempt):
        files.delete_folder(f"{folder}/{earlier}")
    return stored


def _entry(output: Output, path: str) -> dict[str, Any]:
    """An output as JSON. path: its name in the storage."""
    entry: dict[str, Any] = {
        "name": output.path.name,
        "path": path,
        "type": output.type,
        "role": output.role,
        "bytes": output.path.stat().st_size,
    }
    measures = {"width": output.width, "height": output.height, "seconds": output.seconds}
    return entry | {name: value for name, value in measures.items() if value is not None}
