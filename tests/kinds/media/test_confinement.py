"""What a process can do that decodes: attacks by a child of ours, on this machine alone."""

import ctypes
import errno
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from jobs.kinds.media import confinement
from jobs.kinds.media.confinement import Bounds, confine

pytestmark = pytest.mark.apart

BOUNDS = Bounds(memory=2 * 1024**3, file_bytes=1024**2, cpu_seconds=60)
LACKS = " ".join(confinement.missing())
needs_landlock = pytest.mark.skipif("Landlock" in LACKS, reason="This kernel has no Landlock.")
needs_seccomp = pytest.mark.skipif("seccomp" in LACKS, reason="This kernel or processor has no filter for calls.")
NOBODY = 65534


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for all users with a source, a folder for outputs, and somebody's secret."""
    for name, text in (("source", "the file"), ("secret", "the key")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)  # for another user, too: only what confines it is to refuse
    (tmp_path / "outputs").mkdir(mode=0o777)
    (tmp_path / "outputs").chmod(0o777)
    return tmp_path


def outcome(
    place: Path, attempt: Callable[[Path], Any], bounds: Bounds = BOUNDS, before: Callable[[], Any] = lambda: None
) -> str:
    """What a confined child meets that does this: "done", the name of an error, or the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.chdir(place)
            before()
            confine(place / "source", place / "outputs", bounds)
            attempt(place)
            said = "done"
        except OSError as error:
            said = errno.errorcode[error.errno or 0]
        except BaseException as error:  # noqa: BLE001 (whatever it meets)
            said = type(error).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return said or signal.Signals(os.WTERMSIG(status)).name


def call(number: int, *values: Any) -> None:
    """A call to the kernel, by its number."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *values) < 0:
        raise OSError(ctypes.get_errno(), "")


@needs_seccomp
@pytest.mark.parametrize(
    "attempt",
    [
        lambda place: socket.socket(socket.AF_INET),
        lambda place: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        lambda place: socket.socket(socket.AF_UNIX),
        lambda place: socket.socket(socket.AF_NETLINK),
        lambda place: call(425, 1, None),
        lambda place: os.fork(),
        lambda place: os.posix_spawn("/bin/true", ["true"], {}),
        lambda place: os.kill(os.getppid(), 0),
        lambda place: os.kill(0, 0),
        lambda place: os.kill(-1, 0),
        lambda place: os.setsid(),
        lambda place: os.setpgid(0, 0),
        lambda place: resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0)),
        lambda place: confinement._prctl(1, 0),
        lambda place: os.chmod(place / "secret", 0),
        lambda place: os.chown(place / "secret", NOBODY, NOBODY),
        lambda place: os.truncate(place / "secret", 0),
        lambda place: os.setxattr(place / "secret", "user.a", b"b"),
    ],
    ids=[
        "TCP",
        "UDP over IPv6",
        "Unix socket",
        "netlink",
        "io_uring",
        "fork",
        "spawn",
        "parent",
        "group",
        "everybody",
        "session",
        "own group",
        "parent's limits",
        "outlive the parent",
        "mode",
        "owner",
        "cut",
        "attribute",
    ],
)
def test_a_confined_process_reaches_no_network_and_no_process(place, attempt):
    assert outcome(place, attempt) == "EPERM"
    assert (place / "secret").read_text() == "the key"


@needs_landlock
@pytest.mark.parametrize(
    "attempt",
    [
        lambda place: (place / "secret").read_text(),
        lambda place: (place / "secret").write_text(""),
        lambda place: (place / "secret").unlink(),
        lambda place: (place / "source").write_text(""),
        lambda place: (place / "new").write_text(""),
        lambda place: (place / "outputs" / "name").symlink_to(place / "secret"),
        lambda place: os.mkfifo(place / "outputs" / "name"),
        lambda place: (place / "outputs" / "name").mkdir(),
        lambda place: os.listdir(place),
        lambda place: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        lambda place: Path("/proc/self/environ").read_bytes(),
        lambda place: Path("/etc/passwd").read_text(),
        lambda place: Path(__file__).read_text(),
        lambda place: os.execv("/usr/bin/passwd", ["passwd"]),
    ],
    ids=[
        "read",
        "write",
        "delete",
        "change the source",
        "make",
        "link",
        "pipe",
        "folder",
        "list",
        "parent's environment",
        "own environment",
        "users",
        "the site's code",
        "setuid program",
    ],
)
def test_a_confined_process_reaches_no_file_but_its_own(place, attempt):
    assert outcome(place, attempt) == "EACCES"
    assert (place / "secret").read_text() == "the key"


@needs_landlock
def test_a_confined_process_can_not_move_a_file_into_its_folder(place):
    assert outcome(place, lambda place: (place / "secret").rename(place / "outputs" / "secret")) in {"EACCES", "EXDEV"}
    assert outcome(place, lambda place: os.link(place / "secret", place / "outputs" / "secret")) in {"EACCES", "EXDEV"}
    assert os.listdir(place / "outputs") == []


def works(place: Path) -> None:
    """What decoders do."""
    assert (place / "source").read_text() == "the file"
    output = place / "outputs" / "output"
    output.write_text("once")
    output.write_text("again")
    (place / "outputs" / "other").write_text("")
    (place / "outputs" / "other").unlink()
    thread = threading.Thread(target=os.getpid)
    thread.start()
    thread.join()
    os.kill(os.getpid(), 0)


def test_a_confined_process_can_do_its_work(place):
    assert outcome(place, works) == "done"
    assert outcome(place, lambda place: import_module("xmlrpc.client")) == "done"


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become another user.")
def test_it_is_the_same_without_root(place):
    for folder in (place, *place.parents):
        if not os.stat(folder).st_mode & 0o001:
            folder.chmod(0o711)

    def nobody() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    assert outcome(place, works, before=nobody) == "done"
    for attempt in (lambda place: (place / "secret").read_text(), lambda place: os.fork()):
        assert outcome(place, attempt, before=nobody) in {"EACCES", "EPERM"}


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root has something to lose.")
def test_root_loses_its_privileges(place):
    assert outcome(place, lambda place: os.setuid(NOBODY)) == "EPERM"
    assert outcome(place, lambda place: os.nice(-5)) == "EPERM"
    assert outcome(place, lambda place: resource.setrlimit(resource.RLIMIT_CPU, (99, 99))) == "ValueError"


def hold(place: Path) -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("bounds", "attempt", "met"),
    [
        (Bounds(2**31, 1000, 60), lambda place: (place / "outputs" / "a").write_bytes(bytes(2000)), "EFBIG"),
        (Bounds(2**30, 1000, 60), lambda place: bytearray(2**31), "MemoryError"),
        (Bounds(2**31, 1000, 1), hold, "SIGKILL"),
        (BOUNDS, lambda place: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)), "ValueError"),
    ],
    ids=["bytes of a file", "memory", "computing", "core dump"],
)
def test_what_a_confined_process_takes_is_bounded(place, bounds, attempt, met):
    assert outcome(place, attempt, bounds) == met


def without_landlock() -> None:
    """Become a process of a kernel that has none: its calls are unknown."""
    confinement._prctl(confinement._PR_SET_NO_NEW_PRIVS, 1)
    unknown = [
        (confinement._LOAD, 0, 0, confinement._CALL_NUMBER),
        (confinement._EQUAL, 0, 1, confinement._CREATE_RULESET),
        (confinement._RETURN, 0, 0, confinement._REFUSE | errno.ENOSYS),
        (confinement._RETURN, 0, 0, confinement._ALLOW_IT),
    ]
    confinement._install(unknown)
    confinement._landlock_version.cache_clear()
    assert len(confinement.missing()) == 1
    assert "Landlock" in confinement.missing()[0]


@needs_seccomp
def test_a_kernel_without_landlock_gives_the_rest(place):
    assert outcome(place, works, before=without_landlock) == "done"
    assert outcome(place, lambda place: socket.socket(), before=without_landlock) == "EPERM"
    assert outcome(place, lambda place: (place / "secret").read_text(), before=without_landlock) == "done"
