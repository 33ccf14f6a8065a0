"""Running the ffmpeg program: bounded in memory, open to no file but its own, and gone when its parent is gone."""

import os
import resource
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

from ...contract import end_with_parent

_LONGEST_LINE = 2000


class FfmpegError(Exception):
    """ffmpeg gave up. The text is what it said last, for staff."""


def input_options(demuxer: str) -> dict[str, str]:
    """The options of FFmpeg's reader that keep a hostile file from opening others. https://ffmpeg.org/ffmpeg-protocols.html"""
    return {"protocol_whitelist": "file,pipe", "format_whitelist": demuxer}


def run(
    source: Path,
    demuxer: str,
    arguments: Sequence[str],
    *,
    start: float = 0,
    max_seconds: float,
    max_pixels: int,
    memory: int,
    progress: Callable[[float], None],
) -> None:
    """Convert the recording at `source` as ffmpeg's `arguments` (filters and outputs) say.

    demuxer: the one reader to be used. start: seconds that are left out first. max_seconds: how much is read then.
    max_pixels: of one frame. memory: bytes of data. progress: called with the seconds of the recording that are done.
    Raises FfmpegError if ffmpeg fails; whatever `progress` raises ends ffmpeg too.
    """
    reading = [argument for name, value in input_options(demuxer).items() for argument in (f"-{name}", value)]
    # Only where it must: ffmpeg can read a recording to where it breaks off, but not always seek in it.
    seek = ("-ss", str(start)) if start else ()
    command = [
        *(get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-y"),
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
        preexec_fn=_bind(os.getpid(), memory),
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
    if process.returncode:
        raise FfmpegError(f"ffmpeg ended with {process.returncode}: " + "\n".join(said))


def _bind(parent: int, memory: int) -> Callable[[], None]:
    """What the new process does before it becomes ffmpeg: take its limits, and ask to die with its parent."""

    def bind() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(
            resource.RLIMIT_DATA, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard)
        )
        end_with_parent(parent)

    return bind
