"""What a conversion takes and leaves, whatever the sort of file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, Protocol

TIME_LIMIT = timedelta(minutes=15)
"""Of a conversion."""


class Progress(Protocol):
    """How a conversion tells how far it is: `Run.progress`."""

    def __call__(self, percent: float, say: str = "", /, **values: Any) -> None:
        """percent: of the work, 0 to 100. say: what is being done, one of the kind's sentences. values: in it."""


@dataclass(frozen=True)
class Limits:
    """How large a file may be. pixels: of one picture. seconds: of a recording. memory: bytes for one conversion."""

    pixels: int
    seconds: int
    memory: int


class Quality(StrEnum):
    """What counts more where a format throws something away: few bytes, or what is seen and heard."""

    SMALL = "small"
    BALANCED = "balanced"
    BEST = "best"


@dataclass(frozen=True)
class Recipe:
    """How a file is converted.

    quality: of everything. widths: of the versions of a picture in pixels, from the largest to the smallest; none is
    wider than the picture itself. lines: height of a video that lies, width of one that stands, in pixels.
    sound_only: nothing but the sound is taken of a video. podcast: that, equally loud from its start to its end.
    """

    quality: Quality = Quality.BALANCED
    widths: tuple[int, ...] = (1920, 960, 480)
    lines: int = 720
    sound_only: bool = False
    podcast: bool = False


@dataclass(frozen=True)
class Output:
    """A file that a conversion made.

    path: where it lies now; its last part is its name. type: MIME type.
    role: picture, video, poster, audio, waveform, or source: what further edits start from.
    width, height: pixels. seconds: how long it plays.
    """

    path: Path
    type: str
    role: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None

    @property
    def bytes(self) -> int:
        """How large the file is."""
        return self.path.stat().st_size

    def as_data(self) -> dict[str, Any]:
        """As JSON data, for `output_of`."""
        return {**asdict(self), "path": self.path.name}


def output_of(data: Mapping[str, Any], folder: Path) -> Output:
    """The output that `as_data` told of; its file is looked for in `folder` and nowhere else."""
    return Output(**{**data, "path": folder / PurePath(data["path"]).name})


@dataclass(frozen=True)
class Converted:
    """The outcome of a conversion.

    type: image, video or audio. source: what the file was (width, height, seconds, as far as it has them).
    notes: sentences, as data, about what its owner may not expect.
    """

    type: str
    source: dict[str, Any]
    outputs: list[Output]
    notes: list[dict[str, Any]] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """As JSON data, for `converted_of`."""
        return {**vars(self), "outputs": [output.as_data() for output in self.outputs]}


def converted_of(data: Mapping[str, Any], folder: Path) -> Converted:
    """The outcome that `as_data` told of; the files are looked for in `folder` and nowhere else."""
    return Converted(**{**data, "outputs": [output_of(output, folder) for output in data["outputs"]]})
