"""A web server for one experiment: this site's own, with its settings, on a free port of the loopback interface.

The experiment stalls it; the one that serves the site, and the page that shows the experiment, is left in peace.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PROCESSES = 2
STOP_SECONDS = 10


@contextmanager
def serving() -> Iterator[str]:
    """Serve the site. Yields its address; the server ends with the block, or with this process."""
    from ...contract import options  # not by the program that this module is as well: it has no Django yet

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, "--bind", f"fd://{listener.fileno()}", "config.asgi"],
            cwd=options.BASE_DIR,
            # Reached as it is, whatever stands in front of the site.
            env={**os.environ, "ALLOWED_HOSTS": "127.0.0.1", "HTTPS": "0", "WEB_CONCURRENCY": str(PROCESSES)},
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin  # noqa: S101 (a pipe was asked for)
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> None:
    """Stop when standard input is closed: the one who holds its other end did so, or is gone."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from gunicorn.app.wsgiapp import run

    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(prog="gunicorn")
