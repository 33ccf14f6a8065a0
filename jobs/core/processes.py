"""What a process of ours asks of the kernel."""

import ctypes
import os
import signal
import socket
import sys

from ..storable import as_text

_PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec, where this module is used too, a process should load nothing.
_libc = ctypes.CDLL(None)


def this_host() -> str:
    """The name of the machine, as the names of its workers begin. The kernel lets it hold any bytes."""
    return as_text(socket.gethostname())[:50]


def end_with_parent(parent: int, sign: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel signal this process when its parent dies (Linux; elsewhere the lease has to run out).

    parent: the parent's pid, to notice that it died before this call; then this process ends at once.
    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, int(sign), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
