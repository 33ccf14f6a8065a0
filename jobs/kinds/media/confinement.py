"""Taking from a process all that decoding does not need, before it meets the first byte of what a stranger made.

Nothing here asks for privileges, so it works for root and for others, on a machine and in a container without
capabilities. What a kernel does not have is left out, and `missing` names it. Nothing of it can be taken back, and
programs that the process starts inherit it.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Bounds:
    """What a process may use. memory: bytes of data. file_bytes: of one file. cpu_seconds: on all cores together."""

    memory: int
    file_bytes: int
    cpu_seconds: int


def confine(source: Path, folder: Path, bounds: Bounds, program: Path | None = None) -> None:
    """Let this process read libraries and `source`, write into `folder`, and do nothing else to others.

    program: what it is about to become. No network, no other process (threads are fine), no privileges, no signals to
    others, no core dump. For a process with one thread. Raises OSError if the kernel refuses what it has.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _drop_capabilities()
        if _landlock_version():
            _restrict_files(source, folder, program)
        if _has_seccomp():
            _install(_filter())
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, bounds.file_bytes)
    _limit(resource.RLIMIT_CPU, bounds.cpu_seconds)
    _limit(resource.RLIMIT_DATA, bounds.memory)


def missing() -> list[str]:
    """What the kernel of this machine does not keep a confined process from, in words."""
    lacks = []
    if not _landlock_version():
        lacks.append("reading and writing files outside of its folder (Landlock, Linux 5.13 or newer)")
    if not _has_seccomp():
        lacks.append("the network and other processes (seccomp, on x86-64 and 64-bit ARM)")
    return lacks


def _limit(what: int, most: int) -> None:
    """Set both limits, so that it can't be raised again."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, *values: Any) -> None:
    """https://man7.org/linux/man-pages/man2/prctl.2.html"""
    given = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in values]
    _checked(_libc.prctl(option, *given, *[ctypes.c_ulong(0)] * (4 - len(given))))


_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38

_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0)  # version 3; of this process


def _drop_capabilities() -> None:
    """Root is a user like others afterwards. https://man7.org/linux/man-pages/man2/capget.2.html"""
    _checked(_libc.capset(_CAPABILITIES, bytes(24)))


# --- Files: Landlock. https://docs.kernel.org/userspace-api/landlock.html --------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_RIGHTS_SINCE = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights on files there are since which version of Landlock: one bit for each."""


@cache
def _landlock_version() -> int:
    """0: the kernel has none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def _restrict_files(source: Path, folder: Path, program: Path | None) -> None:
    version = _landlock_version()
    every = (1 << max(count for since, count in _RIGHTS_SINCE.items() if since <= version)) - 1
    rules = _checked(_libc.syscall(_CREATE_RULESET, struct.pack("=Q", every), ctypes.c_size_t(8), 0))
    try:
        _allow(rules, [source], _READ_FILE)
        _allow(rules, [*_code(), *filter(None, [program])], _EXECUTE | _READ_FILE | _READ_DIR)
        own = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
        _allow(rules, [folder], own & every)
        _checked(_libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, paths: Iterable[Path], rights: int) -> None:
    """Allow it for files, and for folders with all that is below them. What this process can't reach is left out."""
    for path in paths:
        try:
            file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            continue
        try:
            fitting = rights if path.is_dir() else rights & _OF_A_FILE
            rule = struct.pack("=Qi", fitting, file)
            _checked(_libc.syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0))
        finally:
            os.close(file)


_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache")


@cache
def _code() -> tuple[Path, ...]:
    """Where libraries are: no folder of a site's own data."""
    python = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    packages = {path for path in sys.path if path.endswith("-packages")}
    return (*map(Path, {*_LIBRARIES, *python, *packages}), Path(__file__).parent)


# --- Calls: seccomp. https://docs.kernel.org/userspace-api/seccomp_filter.html ---------------------------------------

_DENIED = {
    # Name: its number on x86-64 and on 64-bit ARM; None: there is none. linux/arch/x86/entry/syscalls/syscall_64.tbl
    # and linux/include/uapi/asm-generic/unistd.h
    # The network, and the ring that could open it unseen.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),
    # Other processes.
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130),
    # Leaving the group that is killed with the job.
    "setpgid": (109, 154),
    "setsid": (112, 157),
    # What Landlock leaves: owners, modes and attributes of files; cutting by name before its version 3.
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    # Parts of the kernel that are attacked most, and that no decoder needs.
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
_CLONE, _CLONE3, _KILL, _TGKILL, _PRCTL, _PRLIMIT = (56, 220), (435, 435), (62, 129), (234, 131), (157, 167), (302, 261)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Which of the numbers is a machine's, and what the kernel calls it (AUDIT_ARCH_…)."""

_LOAD, _EQUAL, _AT_LEAST, _HAS_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_CALL_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW_IT, _KILL_PROCESS, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD = 0x10000
_X32 = 0x40000000  # numbers of the second table that x86-64 has

Instruction = tuple[int, int, int, int]
"""Of Berkeley packet filters: code, how many to skip if true, and if false, value."""


@cache
def _has_seccomp() -> bool:
    """Whether this process could take a filter: the kernel complains of the address then, and not of the mode."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES or sys.maxsize < 2**32:
        return False
    try:
        _prctl(_PR_SET_SECCOMP, 2)
    except OSError as refused:
        return refused.errno == errno.EFAULT
    return False


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _install(instructions: Iterable[Instruction]) -> None:
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = _Program(len(packed) // 8, packed)
    _prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program))


def _filter() -> Iterator[Instruction]:
    which, architecture = _MACHINES[platform.machine()]
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_EQUAL, 1, 0, architecture)
    yield (_RETURN, 0, 0, _KILL_PROCESS)
    yield (_LOAD, 0, 0, _CALL_NUMBER)
    yield (_AT_LEAST, 0, 1, _X32)
    yield (_RETURN, 0, 0, _KILL_PROCESS)
    for numbers in _DENIED.values():
        if (number := numbers[which]) is not None:
            yield (_EQUAL, 0, 1, number)
            yield (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    # Its flags are in memory, where no filter sees them. The C library takes `clone` then.
    yield (_EQUAL, 0, 1, _CLONE3[which])
    yield (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)
    yield from _refused_unless(_CLONE[which], (_HAS_BIT, 1, 0, _CLONE_THREAD))
    yield from _refused_unless(_KILL[which], (_EQUAL, 1, 0, os.getpid()))
    yield from _refused_unless(_TGKILL[which], (_EQUAL, 1, 0, os.getpid()))
    yield from _refused_unless(_PRLIMIT[which], (_EQUAL, 1, 0, 0))
    # It dies with its parent.
    yield from _refused_unless(_PRCTL[which], (_EQUAL, 0, 1, _PR_SET_PDEATHSIG))
    yield (_RETURN, 0, 0, _ALLOW_IT)


def _refused_unless(number: int, on_first_argument: Instruction) -> Iterator[Instruction]:
    """A call is refused unless the instruction skips that."""
    yield (_EQUAL, 0, 4, number)
    yield (_LOAD, 0, 0, _FIRST_ARGUMENT)
    yield on_first_argument
    yield (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    yield (_LOAD, 0, 0, _CALL_NUMBER)
