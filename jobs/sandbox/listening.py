"""Listening sockets of the sandbox's servers."""

import socket

from django.core.management import CommandError


def listen(host: str, port: int, *, what: str, setting: str) -> socket.socket:
    """A TCP socket that listens on `host`:`port`.

    Raises CommandError with one sentence for people if it can't be had; `what` is who wants it, `setting` the
    environment variable that names the port.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"{what} can't listen on {host}:{port} ({reason}): stop what uses that port, or set {setting} to another."
        ) from None
    return listener
