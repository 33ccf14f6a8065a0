"""Work in a confined process: what comes back of it, and how it ends."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from stat import S_ISFIFO
from typing import Any

import psutil
import pytest

from jobs.contract import ClaimLost, Failed, Sentence
from jobs.kinds.media.conversion import converted_of
from jobs.kinds.media.decoding import Work, confined, untold
from tests.kinds.media.conftest import LIMITS, refused
from tests.processes import ROOT, wait_until

pytestmark = pytest.mark.apart


def answer(folder: Path, work: Work, progress: Any = untold) -> Any:
    return confined(work, folder / "source", folder, LIMITS, progress)


def test_what_the_work_returns_and_writes_comes_back(tmp_path):
    def work(progress: Any) -> dict[str, Any]:
        (tmp_path / "made").write_text("made")
        return {"pid": os.getpid(), "sizes": [1, 2.5, None]}

    told = answer(tmp_path, work)

    assert told.pop("pid") != os.getpid()
    assert told == {"sizes": [1, 2.5, None]}
    assert (tmp_path / "made").read_text() == "made"


def test_progress_is_told_and_what_it_raises_ends_the_process(tmp_path):
    told: list[Any] = []

    def work(progress: Any) -> None:
        progress(20, "writing", format="AVIF", width=os.getpid())
        progress(40)
        signal.pause()

    def follow(percent: float, say: str = "", /, **values: Any) -> None:
        told.append((percent, say, values))
        if percent == 40:
            raise ClaimLost

    with pytest.raises(ClaimLost):
        answer(tmp_path, work, follow)

    pid = told[0][2]["width"]
    assert told == [(20, "writing", {"format": "AVIF", "width": pid}), (40, "", {})]
    assert not psutil.pid_exists(pid)


def test_a_failure_comes_back_with_its_sentence(tmp_path):
    def work(progress: Any) -> None:
        raise Failed("unknown_type", accepted=Sentence("accepted"), can_retry=False)

    with refused("This is no file that we can convert. Please send a picture") as failure:
        answer(tmp_path, work)
    assert (failure.value.code, failure.value.can_retry) == ("unknown_type", False)


def test_an_error_that_nobody_foresaw_comes_back_for_staff(tmp_path):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        answer(tmp_path, lambda progress: 1 / 0)


def say_nonsense() -> None:
    """What a program would that has taken over a decoder."""
    for file in range(256):
        with suppress(OSError):
            if S_ISFIFO(os.fstat(file).st_mode):
                os.write(file, b"[1]\n")
    os._exit(0)


@pytest.mark.parametrize(
    "work",
    [
        lambda progress: os.abort(),
        lambda progress: os.kill(os.getpid(), signal.SIGKILL),
        lambda progress: os._exit(0),
        lambda progress: say_nonsense(),
    ],
    ids=["abort", "killed", "silent", "nonsense"],
)
def test_a_decoder_that_ends_without_an_outcome_gets_a_sentence(tmp_path, work):
    with refused("ended in the middle of this one") as failure:
        answer(tmp_path, work)
    assert failure.value.can_retry


def test_no_open_file_of_the_worker_is_in_its_reach(tmp_path):
    reading, writing = os.pipe()

    def work(progress: Any) -> str:
        os.write(writing, b"written")
        return os.read(reading, 9).decode()

    assert answer(tmp_path, work) == ""
    os.close(writing)
    assert os.read(reading, 9) == b""
    os.close(reading)


def test_a_name_that_a_decoder_tells_leads_nowhere_else(tmp_path):
    told = {"path": "../../secret", "type": "image/png", "role": "picture"}
    (output,) = converted_of({"type": "image", "source": {}, "outputs": [told]}, tmp_path).outputs
    assert output.path == tmp_path / "secret"


@pytest.mark.stack
def test_it_dies_with_its_parent(tmp_path):
    code = (
        "import sys, django; django.setup(); from pathlib import Path; from signal import pause\n"
        "from jobs.kinds.media.conversion import Limits; from jobs.kinds.media.decoding import confined\n"
        "path = Path(sys.argv[1])\n"
        "confined(lambda progress: pause(), path, path, Limits(10**7, 60, 2**31))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT) as parent:
        (child,) = wait_until(lambda: psutil.Process(parent.pid).children(), what="it works")
        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, what="it is gone")
