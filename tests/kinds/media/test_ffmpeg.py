"""The ffmpeg program: it ends with its attempt and with its parent, and keeps to its memory."""

import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from jobs.kinds.media import ffmpeg as program
from jobs.kinds.media.confinement import Bounds
from tests.kinds.media.making import film
from tests.processes import ROOT, wait_until

pytestmark = [pytest.mark.apart, pytest.mark.stack]


def _encoding(parent: psutil.Process) -> list[psutil.Process]:
    """The child that does the work; others come and go before it."""
    with suppress(psutil.NoSuchProcess):
        return [child for child in parent.children() if "veryslow" in child.cmdline()]
    return []


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.stack
def test_ffmpeg_dies_with_its_parent(tmp_path):
    path = film(tmp_path / "long.mp4", "-preset", "ultrafast", size="1280x720", seconds=30)
    code = (
        "import sys, django; django.setup(); from pathlib import Path\n"
        "from jobs.kinds.media import confinement, ffmpeg\n"
        "path = Path(sys.argv[1])\n"
        "ffmpeg.run(path, 'mov', ['-c:v', 'libx264', '-preset', 'veryslow', '-f', 'null', '-'], path.parent,"
        " confinement.Bounds(2**31, 2**31, 600),"
        " max_seconds=60, max_pixels=10**7, progress=lambda seconds: None)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT) as parent:
        (child,) = wait_until(lambda: _encoding(psutil.Process(parent.pid)), what="ffmpeg encodes")
        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: not _runs(child), what="ffmpeg is gone")


def test_ffmpeg_keeps_to_its_memory(tmp_path):
    path = film(tmp_path / "a.mp4", size="1280x720", seconds=0.5)

    with pytest.raises(program.FfmpegError, match="memory"):
        program.run(
            path,
            "mov",
            ["-vf", "scale=15000:15000", "-f", "null", "-"],
            tmp_path,
            Bounds(memory=300 * 1024**2, file_bytes=2**30, cpu_seconds=600),
            max_seconds=9,
            max_pixels=10**8,
            progress=lambda seconds: None,
        )


def test_ffmpeg_that_writes_more_than_it_may_is_ended_and_nothing_is_taken_for_done(tmp_path):
    path = film(tmp_path / "a.mp4", seconds=2)
    with pytest.raises(program.FileTooLargeError):
        program.run(
            path,
            "mov",
            ["-c", "copy", str(tmp_path / "copy.mov")],
            tmp_path,
            Bounds(2**31, file_bytes=10_000, cpu_seconds=60),
            max_seconds=9,
            max_pixels=10**8,
            progress=lambda seconds: None,
        )
    assert (tmp_path / "copy.mov").stat().st_size <= 10_000
