"""What a conversion takes and leaves, whatever the sort of file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done (0 to 100) and what is being done, in words."""


@dataclass(frozen=True)
class Limits:
    """How large a file may be. pixels: of one picture. seconds: of a recording. memory: bytes for one conversion."""

    pixels: int
    seconds: int
    memory: int


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


@dataclass(frozen=True)
class Converted:
    """The outcome of a conversion.

    type: image, video or audio. source: what the file was (width, height, seconds, as far as it has them).
    notes: sentences about what its owner may not expect.
    """

    type: str
    source: dict[str, Any]
    outputs: list[Output]
    notes: list[str] = field(default_factory=list)
