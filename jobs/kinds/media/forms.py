"""How a media file and its edits are asked for, and what can be said about them before any work is done."""

import unicodedata
from dataclasses import fields
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from jobs.contract import Failed, Job, KindForm, Submission
from jobs.kinds.media import files, formats, pictures
from jobs.kinds.media.models import MAX_NAME, MediaFile
from jobs.kinds.media.operations import OPERATIONS, Operation, payload_of

MOST_PIXELS = 1_000_000
"""No side of a picture is as long."""


class MediaForm(KindForm):
    """One picture, video or sound."""

    file = forms.FileField(
        label="File",
        help_text=f"Send {formats.ACCEPTED}.",
        widget=forms.ClearableFileInput(
            attrs={"accept": "image/*,video/*,audio/*,.heic,.heif,.avif,.mkv,.flac,.m4a,.opus"}
        ),
        error_messages={
            "required": "Please choose a file.",
            "missing": "Please choose a file.",
            "empty": "This file is empty (0 bytes). Please choose another, or save it again where it comes from.",
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder = ""

    def clean_file(self) -> "UploadedFile[Any]":
        """Check size and type; what takes longer to find out (a picture cut short, say) the job will tell."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        size = file.size or 0
        if size > settings.MEDIA_MAX_BYTES:
            raise forms.ValidationError(
                f"This file has {filesizeformat(size)}. The largest that can be converted has "
                f"{filesizeformat(settings.MEDIA_MAX_BYTES)}.",
                code="too_large",
            )
        file.seek(0)
        head = file.read(formats.HEAD_BYTES)
        file.seek(0)
        if formats.recognise(head) is None:
            text = "This is a text file (SVG drawings, web pages and playlists are text too)"
            found = text if formats.is_text(head) else "This is no file that we can convert"
            raise forms.ValidationError(f"{found}. Please send {formats.ACCEPTED}.", code="unknown_type")
        return file

    def submissions(self) -> list[Submission]:
        """One job. Keeps the upload in the storage, in a folder of its own."""
        upload: UploadedFile[Any] = self.cleaned_data["file"]
        title = _clean(upload.name or "") or "Media file"
        self._folder = f"media/{uuid4()}"
        try:
            source = default_storage.save(f"{self._folder}/source", upload)
        except BaseException:
            self.discard()
            raise
        return [Submission(payload={"source": source, "name": title}, title=title)]

    def discard(self) -> None:
        """Delete what `submissions` kept."""
        if self._folder:
            files.delete_folder(self._folder)


class EditForm(KindForm):
    """One operation on one of the owner's files, shown as a section for each operation that fits the file.

    It has the fields of the operation that is asked for, and no others.
    """

    file = forms.ModelChoiceField(
        MediaFile.objects.none(),
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Please choose one of your files."),
    )
    operation = forms.ChoiceField(
        choices=[(name, operation.label) for name, operation in OPERATIONS.items()],
        widget=forms.HiddenInput,
        error_messages={"required": "Please choose what to do with the file."},
    )
    angle = forms.TypedChoiceField(
        choices=[(90, "90° to the right"), (270, "90° to the left"), (180, "180°")], coerce=int
    )
    left = forms.IntegerField(min_value=0, max_value=MOST_PIXELS, initial=0, help_text="Pixels to leave out.")
    top = forms.IntegerField(min_value=0, max_value=MOST_PIXELS, initial=0, help_text="Pixels to leave out.")
    width = forms.IntegerField(min_value=1, max_value=MOST_PIXELS, help_text="Pixels to keep.")
    height = forms.IntegerField(min_value=1, max_value=MOST_PIXELS, help_text="Pixels to keep.")
    format = forms.ChoiceField(choices=list(pictures.LABELS.items()))
    new_width = forms.IntegerField(
        label="Width in pixels",
        min_value=1,
        max_value=MOST_PIXELS,
        required=False,
        help_text="The height follows. Empty: the size stays.",
    )
    start = forms.FloatField(label="From second", min_value=0, initial=0)
    end = forms.FloatField(label="To second", min_value=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = cast("forms.ModelChoiceField[MediaFile]", self.fields["file"])
        mine.queryset = MediaFile.objects.filter(owner=self.owner.pk)
        try:
            self.media_file = mine.clean(self["file"].value())
        except forms.ValidationError:
            self.media_file = None
        self.asked = OPERATIONS.get(self["operation"].value() or "", Operation)
        needed = {"file", "operation", *(field.name for field in fields(self.asked))}
        self.fields = {name: field for name, field in self.fields.items() if name in needed}
        if self.media_file:
            self._suggest(self.media_file)

    def _suggest(self, file: MediaFile) -> None:
        """Begin with the whole file. A page shows several such forms, so their fields have ids of their own."""
        measures = file.current.measures
        self.auto_id = f"id_{self['operation'].value()}_%s"
        for name, measure in (("width", "width"), ("height", "height"), ("end", "seconds")):
            if name in self.fields:
                self.fields[name].initial = measures.get(measure)

    @property
    def label(self) -> str:
        """What the operation is called."""
        return self.asked.label

    @property
    def sections(self) -> "list[EditForm]":
        """For each operation that fits the file its form; the one that was asked for is this one."""
        if self.media_file is None:
            return []
        fitting = [operation for operation in OPERATIONS.values() if self.media_file.type in operation.types]
        return [
            self
            if operation is self.asked
            else EditForm(owner=self.owner, initial={"file": self.media_file.pk, "operation": operation.name})
            for operation in fitting
        ]

    @property
    def in_line(self) -> int:
        """How many edits of the file are accepted and not made yet."""
        if self.media_file is None:
            return 0
        jobs = Job.objects.filter(resource=self.media_file.resource)
        return (jobs.unfinished() | jobs.holding()).count()

    def clean(self) -> dict[str, Any]:
        """The operation fits the file. Edits in line may change its measures, so only without any they are checked."""
        data = self.cleaned_data
        if self.errors or self.media_file is None:
            return data
        if self.media_file.type not in self.asked.types:
            what = {"image": "a picture", "video": "a video", "audio": "a sound"}[self.media_file.type]
            self.add_error("operation", f"“{self.label}” can't be done with {what}.")
        elif not self.in_line:
            try:
                self._operation().check(self.media_file.current.measures)
            except Failed as failure:
                self.add_error(None, forms.ValidationError(failure.text, code=failure.code))
        return data

    def submissions(self) -> list[Submission]:
        """One job, in the file's line."""
        file, operation = cast(MediaFile, self.media_file), self._operation()
        payload = {"file": file.pk, **payload_of(operation)}
        return [Submission(payload, f"{file.name}: {operation}", file.resource)]

    def _operation(self) -> Operation:
        return self.asked(**{field.name: self.cleaned_data[field.name] for field in fields(self.asked)})


def _clean(name: str) -> str:
    """A file's name as one line of text, without control characters and marks that turn the direction of writing."""
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in name)
    return " ".join(visible.split())[:MAX_NAME]
