"""What can be done with an uploaded file: what each operation says, what it needs, and how it changes a picture."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy
from PIL import Image

from ...contract import Failed, Sentence, Text
from . import pictures
from .sentences import in_words

LONGEST_SIDE = 16_383
"""Pixels: WebP has room for no more. https://developers.google.com/speed/webp/faq#what_is_the_maximum_size_a_webp_image_can_be"""
SHORTEST_PART = 0.1
"""Seconds that a cut leaves at least."""

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class Operation:
    """One change of a file. Its attributes are JSON data; `str` of it says in words what it does."""

    name: ClassVar[str]
    label: ClassVar[Text]
    types: ClassVar[tuple[str, ...]]
    """The types of file that it fits."""

    @property
    def sentence(self) -> Sentence:
        """What it does."""
        return Sentence(self.name, **asdict(self))

    def __str__(self) -> str:
        return in_words(self.sentence)

    def check(self, measures: Mapping[str, Any]) -> None:
        """Raise Failed if it can't be done with a file that has these measures (see models.Version)."""


@dataclass(frozen=True)
class PictureOperation(Operation):
    """A change of a picture."""

    types = ("image",)

    @property
    def encoder(self) -> str:
        """The one format in which the picture is handed out afterwards (a key of pictures.ENCODERS); "" for all."""
        return ""

    def apply(self, picture: Image.Image) -> Image.Image:
        """The changed picture."""
        raise NotImplementedError


@dataclass(frozen=True)
class Rotate(PictureOperation):
    """angle: degrees, clockwise: 90, 180 or 270."""

    name = "rotate"
    label = gettext_lazy("Rotate")
    angle: int

    def apply(self, picture: Image.Image) -> Image.Image:
        """Turned. Pillow counts counterclockwise."""
        return picture.transpose(_TURNS[self.angle])


@dataclass(frozen=True)
class Crop(PictureOperation):
    """left, top: the box's first pixel, counted from 0. width, height: of the box, in pixels."""

    name = "crop"
    label = gettext_lazy("Crop")
    left: int
    top: int
    width: int
    height: int

    def check(self, measures: Mapping[str, Any]) -> None:
        """The box lies inside the picture."""
        width, height = measures["width"], measures["height"]
        if self.left + self.width > width or self.top + self.height > height:
            box = {"right": self.left + self.width, "bottom": self.top + self.height}
            raise Failed("outside", say="box_outside", can_retry=False, width=width, height=height, **box)

    def apply(self, picture: Image.Image) -> Image.Image:
        """What is in the box."""
        return picture.crop((self.left, self.top, self.left + self.width, self.top + self.height))


@dataclass(frozen=True)
class Convert(PictureOperation):
    """format: a key of pictures.ENCODERS. new_width: in pixels; None keeps the size."""

    name = "convert"
    label = gettext_lazy("Convert")
    format: str
    new_width: int | None = None

    @property
    def sentence(self) -> Sentence:
        """With what people call the format."""
        format = pictures.LABELS[self.format]
        if self.new_width:
            return Sentence("convert_to_width", format=format, width=self.new_width)
        return Sentence("convert", format=format)

    @property
    def encoder(self) -> str:
        """The format that was asked for."""
        return self.format

    def check(self, measures: Mapping[str, Any]) -> None:
        """Pictures are not enlarged, and have room in every format."""
        width, height = measures["width"], measures["height"]
        if self.new_width and self.new_width > width:
            raise Failed("too_wide", width=width, can_retry=False)
        if max(self._size(width, height)) > LONGEST_SIDE:
            raise Failed("too_many_pixels", say="converted_pixels", limit=LONGEST_SIDE, can_retry=False)

    def apply(self, picture: Image.Image) -> Image.Image:
        """At the new width."""
        size = self._size(*picture.size)
        return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)

    def _size(self, width: int, height: int) -> tuple[int, int]:
        new_width = self.new_width or width
        return new_width, max(1, round(height * new_width / width))


@dataclass(frozen=True)
class Cut(Operation):
    """Keep a part of a video or a sound. start, end: seconds from its beginning."""

    name = "cut"
    label = gettext_lazy("Cut")
    types = ("video", "audio")
    start: float
    end: float

    def check(self, measures: Mapping[str, Any]) -> None:
        """The part lies inside the recording and is long enough to play."""
        if self.end > measures["seconds"]:
            raise Failed("outside", say="end_outside", end=measures["seconds"], can_retry=False)
        if self.end - self.start < SHORTEST_PART:
            raise Failed("too_short", least=SHORTEST_PART, can_retry=False)


OPERATIONS: dict[str, type[Operation]] = {
    operation.name: operation
    for operation in (Rotate, Crop, Convert, Cut)  # in the order in which they are offered
}


def payload_of(operation: Operation) -> dict[str, Any]:
    """The operation as JSON data."""
    return {"operation": operation.name, **asdict(operation)}


def operation_of(payload: Mapping[str, Any]) -> Operation:
    """The operation that `payload_of` wrote into a payload, among other things."""
    operation = OPERATIONS[payload["operation"]]
    return operation(**{field.name: payload[field.name] for field in fields(operation)})
