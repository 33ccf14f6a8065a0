"""A server that begins to answer and then goes on byte by byte, for longer than anybody has to wait."""

import socket
from contextlib import suppress
from threading import Event, Lock, Thread

BYTES = 400
PAUSE_SECONDS = 0.02


class Dripping:
    """Says what it is told to, one piece after each thing that it hears, and drips after the last one.

    A first piece that is not empty is said before anything was heard, as mail servers do. `drop` is what it drips.
    """

    def __init__(self, *pieces: bytes, drop: bytes = b"x") -> None:
        self._pieces = pieces
        self._drop = drop
        self._closed = Event()
        self._lock = Lock()
        self._threads: list[Thread] = []
        self.served = 0
        """How many clients have come to the point where it drips."""
        self.left = 0
        """How many clients have closed the connection, wherever."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads.append(Thread(target=self._accept))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._talk(connection)
            except OSError:
                with self._lock:
                    self.left += 1

    def _talk(self, connection: socket.socket) -> None:
        for number, piece in enumerate(self._pieces):
            if number:
                heard = connection.recv(65536)
                while self._pieces[number - 1].startswith(b"354") and heard and b"\r\n.\r\n" not in heard:
                    heard += connection.recv(65536)
            connection.sendall(piece)
        with self._lock:
            self.served += 1
        for _ in range(BYTES):
            connection.sendall(self._drop)
            if self._closed.wait(PAUSE_SECONDS):
                return

    def __enter__(self) -> "Dripping":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
