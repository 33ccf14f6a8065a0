"""How a media file is asked for, and what can be said about it before any work is done."""

import unicodedata
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from jobs.contract import KindForm, Submission
from jobs.kinds.media import files, formats


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


def _clean(name: str) -> str:
    """A file's name as one line of text, without control characters and marks that turn the direction of writing."""
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in name)
    return " ".join(visible.split())[:150]
