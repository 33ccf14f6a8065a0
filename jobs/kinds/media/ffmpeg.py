"""Running the ffmpeg program: confined to its own files, bounded, and gone when its parent is gone."""

import os
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shutil import which
from signal import SIGXFSZ

from imageio_ffmpeg import get_ffmpeg_exe

from ...contract import end_with_parent
from .confinement import Bounds, confine

_LONGEST_LINE = 2000


_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH")
"""What it needs of the worker's environment, which holds passwords."""


class FfmpegError(Exception):
    """ffmpeg gave up. The text is what it said last, for staff."""


class FileTooLargeError(FfmpegError):
    """A file that it wrote reached its bound."""


def input_options(demuxer: str) -> dict[str, str]:
    """The options of FFmpeg's reader that keep a hostile file from opening others. https://ffmpeg.org/ffmpeg-protocols.html"""
    return {"protocol_whitelist": "file,pipe", "format_whitelist": demuxer}


def run(
    source: Path,
    demuxer: str,
    arguments: Sequence[str],
    folder: Path,
    bounds: Bounds,
    *,
    start: float = 0,
    max_seconds: float,
    max_pixels: int,
    progress: Callable[[float], None],
) -> None:
    """Convert the recording at `source` as ffmpeg's `arguments` (filters, and outputs in `folder`) say.

    demuxer: the one reader to be used. start: seconds that are left out first. max_seconds: how much is read then.
    max_pixels: of one frame. progress: called with the seconds of the recording that are done.
    Raises FfmpegError if ffmpeg fails; whatever `progress` raises ends ffmpeg too.
    """
    program = which(get_ffmpeg_exe()) or "ffmpeg"
    reading = [argument for name, value in input_options(demuxer).items() for argument in (f"-{name}", value)]
    # Only where it must: ffmpeg can read a recording to where it breaks off, but not always seek in it.
    seek = ("-ss", str(start)) if start else ()
    command = [
        *(program, "-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-y"),
        *("-progress", "pipe:1", "-stats_period", "0.25"),
        *(*reading, "-max_pixels", str(max_pixels), "-f", demuxer),
        *(*seek, "-t", str(max_seconds), "-i", str(source)),
        *arguments,
    ]
    said: deque[str] = deque(maxlen=20)
    done = 0.0
    process = subprocess.Popen(
        command,
        cwd=source.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        preexec_fn=_bind(os.getpid(), partial(confine, source, folder, bounds, Path(program))),
    )
    with process:
        assert process.stdout is not None  # noqa: S101 (for the type checker: it is a pipe)
        try:
            while line := process.stdout.readline(_LONGEST_LINE):
                name, _, value = line.decode(errors="replace").strip().partition("=")
                if name == "out_time_us" and value.isdigit():
                    # ffmpeg goes back a little at times: it counts the stream that is furthest behind.
                    done = max(done, int(value) / 1e6)
                    progress(done)
                elif not value:
                    said.append(name)
        except BaseException:
            process.kill()
            raise
    if process.returncode == -SIGXFSZ:
        raise FileTooLargeError
    if process.returncode:
        raise FfmpegError(f"ffmpeg ended with {process.returncode}: " + "\n".join(said))


def _bind(parent: int, confine: Callable[[], None]) -> Callable[[], None]:
    """What the new process does before it becomes ffmpeg: ask to die with its parent, and give up all else."""

    def bind() -> None:
        end_with_parent(parent)
        confine()

    return bind
