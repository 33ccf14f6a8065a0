"""How a media file and its edits are asked for, and what can be said about them before any work is done."""

import unicodedata
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import capfirst, filesizeformat
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ...contract import BYTES, Failed, Job, KindForm, Submission, Use, options
from . import files, formats, pictures
from .conversion import Quality
from .models import MAX_NAME, MediaFile
from .operations import OPERATIONS, Operation, payload_of
from .presets import DEFAULT, HEIGHTS, NARROWEST, PICTURES, PRESETS, RECORDINGS, WIDEST
from .sentences import in_words

MOST_PIXELS = 1_000_000
"""No side of a picture is as long."""


class FilesInput(forms.ClearableFileInput):
    """A file input that takes several files at once."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Files of one input; cleans to the list of them."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        """Each file by itself. What is wrong with one of several begins with its name."""
        sent = data if isinstance(data, list | tuple) else [data]
        cleaned: list[UploadedFile[Any]] = []
        errors: list[forms.ValidationError] = []
        for file in sent or [None]:
            try:
                cleaned.append(super().clean(file, initial))
            except forms.ValidationError as error:
                errors += named(error, file, sent)
        if errors:
            raise forms.ValidationError(errors)
        return cleaned


def named(error: forms.ValidationError, file: Any, files: Sequence[Any]) -> list[forms.ValidationError]:
    """The error, its sentences beginning with the file's name if there are several files."""
    name = f"{_clean(file.name or '')}: " if len(files) > 1 else ""
    return [forms.ValidationError(f"{name}{sentence}", code=error.code) for sentence in error.messages]


def _presets() -> list[tuple[str, str]]:
    """What there is to choose, each with a hint below it."""
    html = '<span>{}<span class="hint">{}</span></span>'
    return [(name, format_html(html, preset.label, preset.hint)) for name, preset in PRESETS.items()]


class MediaForm(KindForm):
    """Pictures, videos and sounds, and what shall become of them: one job for each file."""

    file = FilesField(
        label=_("Files"),
        widget=FilesInput(attrs={"accept": "image/*,video/*,audio/*,.heic,.heif,.avif,.mkv,.flac,.m4a,.opus"}),
        error_messages={
            "required": _("Please choose a file."),
            "missing": _("Please choose a file."),
            "empty": _("This file is empty (0 bytes). Please choose another, or save it again where it comes from."),
        },
    )
    preset = forms.ChoiceField(
        label=_("What do you need?"), choices=_presets, widget=forms.RadioSelect, initial=DEFAULT, required=False
    )
    quality = forms.ChoiceField(
        label=_("Quality"),
        choices=[
            ("", _("As the choice above says")),
            (Quality.SMALL, _("Smaller files")),
            (Quality.BALANCED, _("Balanced")),
            (Quality.BEST, _("Best quality")),
        ],
        required=False,
    )
    width = forms.IntegerField(
        label=_("Largest width of pictures, in pixels"),
        min_value=NARROWEST,
        max_value=WIDEST,
        required=False,
        help_text=_("Empty: 1920. No picture is enlarged."),
    )
    height = forms.TypedChoiceField(
        label=_("Height of videos"),
        choices=[("", _("As the choice above says")), *((lines, f"{lines}p") for lines in HEIGHTS)],
        coerce=int,
        empty_value=None,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folders: list[str] = []
        self.most_files, self.most_bytes = options.MEDIA_MAX_FILES, options.MEDIA_MAX_TOTAL_BYTES
        self.largest = options.MEDIA_MAX_BYTES
        self.fields["file"].help_text = _(
            "%(accepted)s. Up to %(files)s files of up to %(largest)s each, %(total)s together."
        ) % {
            "accepted": capfirst(str(formats.ACCEPTED)),
            "files": self.most_files,
            "largest": filesizeformat(self.largest),
            "total": filesizeformat(self.most_bytes),
        }

    @property
    def finer_options(self) -> "list[forms.BoundField]":
        """The fields behind “More options”."""
        return [self[name] for name in ("quality", "width", "height")]

    @property
    def has_finer_options(self) -> bool:
        """Whether one of them is filled in, or wrong."""
        return any(field.value() or field.errors for field in self.finer_options)

    def clean_file(self) -> "list[UploadedFile[Any]]":
        """Check number, sizes and types; what takes longer to find out (a picture cut short, say) the jobs tell."""
        sent: list[UploadedFile[Any]] = self.cleaned_data["file"]
        if len(sent) > self.most_files:
            raise forms.ValidationError(
                _("These are %(found)s files. Please send up to %(most)s at once."),
                code="too_many",
                params={"found": len(sent), "most": self.most_files},
            )
        total = sum(file.size or 0 for file in sent)
        if len(sent) > 1 and total > self.most_bytes:
            raise forms.ValidationError(
                _("These files have %(found)s together. Please send up to %(most)s at once."),
                code="too_large",
                params={"found": filesizeformat(total), "most": filesizeformat(self.most_bytes)},
            )
        errors: list[forms.ValidationError] = []
        for file in sent:
            try:
                self._check(file)
            except forms.ValidationError as error:
                errors += named(error, file, sent)
        if errors:
            raise forms.ValidationError(errors)
        return sent

    def _check(self, file: "UploadedFile[Any]") -> None:
        size = file.size or 0
        if size > self.largest:
            raise forms.ValidationError(
                _("This file has %(found)s. The largest that can be converted has %(most)s."),
                code="too_large",
                params={"found": filesizeformat(size), "most": filesizeformat(self.largest)},
            )
        head = _head(file)
        if formats.recognise(head) is None:
            found = (
                _("This is a text file (SVG drawings, web pages and playlists are text too). Please send %(accepted)s.")
                if formats.is_text(head)
                else _("This is no file that we can convert. Please send %(accepted)s.")
            )
            raise forms.ValidationError(found, code="unknown_type", params={"accepted": formats.ACCEPTED})

    def clean(self) -> dict[str, Any]:
        """Each file is of a sort that the preset is for."""
        preset = PRESETS[self.cleaned_data.get("preset") or DEFAULT]
        for file in self.cleaned_data.get("file", ()):
            found = formats.recognise(_head(file))
            if found and (PICTURES if found.is_picture else RECORDINGS) not in preset.takes:
                wanted = _("pictures") if PICTURES in preset.takes else _("videos and sounds")
                text = _("“%(preset)s” is for %(wanted)s, and %(name)s is none. “%(all)s” takes every file.") % {
                    "preset": preset.label,
                    "wanted": wanted,
                    "name": _clean(file.name or ""),
                    "all": PRESETS[DEFAULT].label,
                }
                self.add_error("preset", forms.ValidationError(text, code="does_not_fit"))
        return self.cleaned_data

    def count(self) -> int:
        """One for each file."""
        return len(self.cleaned_data["file"])

    def uses(self) -> list[Use]:
        """The room for the uploads."""
        return [Use(BYTES, sum(file.size or 0 for file in self.cleaned_data["file"]), "file")]

    def submissions(self) -> list[Submission]:
        """One job for each file. Keeps each upload in the storage, in a folder of its own."""
        options = {name: self.cleaned_data[name] for name in ("preset", "quality", "width", "height")}
        asked = {name: value for name, value in options.items() if value}
        try:
            return [self._submission(file, asked) for file in self.cleaned_data["file"]]
        except BaseException:
            self.discard()
            raise

    def _submission(self, file: "UploadedFile[Any]", asked: dict[str, Any]) -> Submission:
        title = _clean(file.name or "") or _("Media file")
        self._folders.append(f"media/{uuid4()}")
        source = default_storage.save(f"{self._folders[-1]}/source", file)
        payload = {"source": source, "name": str(title), **asked}
        return Submission(payload, str(title), stored_bytes=file.size or 0)

    def discard(self) -> None:
        """Delete what `submissions` stored."""
        for folder in self._folders:
            files.delete_folder(folder)


def _head(file: "UploadedFile[Any]") -> bytes:
    """What the file begins with."""
    file.seek(0)
    head: bytes = file.read(formats.HEAD_BYTES)
    file.seek(0)
    return head


class EditForm(KindForm):
    """One operation on one of the owner's files, shown as a section for each operation that fits the file.

    It has the fields of the operation that is asked for, and no others.
    """

    file = forms.ModelChoiceField(
        MediaFile.objects.none(),
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Please choose one of your files.")),
    )
    operation = forms.ChoiceField(
        choices=[(name, operation.label) for name, operation in OPERATIONS.items()],
        widget=forms.HiddenInput,
        error_messages={"required": _("Please choose what to do with the file.")},
    )
    angle = forms.TypedChoiceField(
        label=_("Angle"), choices=[(90, _("90° to the right")), (270, _("90° to the left")), (180, "180°")], coerce=int
    )
    left = forms.IntegerField(
        label=_("Left"), min_value=0, max_value=MOST_PIXELS, initial=0, help_text=_("Pixels to leave out.")
    )
    top = forms.IntegerField(
        label=_("Top"), min_value=0, max_value=MOST_PIXELS, initial=0, help_text=_("Pixels to leave out.")
    )
    width = forms.IntegerField(label=_("Width"), min_value=1, max_value=MOST_PIXELS, help_text=_("Pixels to keep."))
    height = forms.IntegerField(label=_("Height"), min_value=1, max_value=MOST_PIXELS, help_text=_("Pixels to keep."))
    format = forms.ChoiceField(label=_("Format"), choices=list(pictures.LABELS.items()))
    new_width = forms.IntegerField(
        label=_("Width in pixels"),
        min_value=1,
        max_value=MOST_PIXELS,
        required=False,
        help_text=_("The height follows. Empty: the size stays."),
    )
    start = forms.FloatField(label=_("From second"), min_value=0, initial=0)
    end = forms.FloatField(label=_("To second"), min_value=0)

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
        return str(self.asked.label)

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
            what = {"image": _("a picture"), "video": _("a video"), "audio": _("a sound")}[self.media_file.type]
            text = _("“%(operation)s” can't be done with %(what)s.") % {"operation": self.label, "what": what}
            self.add_error("operation", text)
        elif not self.in_line:
            try:
                self._operation().check(self.media_file.current.measures)
            except Failed as failure:
                self.add_error(None, forms.ValidationError(in_words(failure.sentence), code=failure.code))
        return data

    def uses(self) -> list[Use]:
        """Room for a version like the newest one."""
        return [Use(BYTES, cast(MediaFile, self.media_file).current.measures["bytes"])]

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
