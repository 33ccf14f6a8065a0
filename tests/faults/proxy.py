"""A TCP proxy in front of a server, through which a test makes the network fail."""

import os
import selectors
import socket
import struct
import threading
import time
from enum import StrEnum


class Fault(StrEnum):
    """What the proxy does with what passes through it."""

    NONE = "none"
    REFUSE = "refuse"
    """Connections are closed with a reset, those that stand and new ones."""
    FREEZE = "freeze"
    """Connections are accepted, and nothing passes in either direction."""
    DROP_REPLIES = "drop replies"
    """What the client says arrives; instead of the reply it gets a reset."""


class Proxy:
    """Listens on a loopback port and passes everything on to the unix socket of a server, until told otherwise."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._fault = Fault.NONE
        self._peers: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = os.pipe()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def set(self, fault: Fault) -> None:
        """From now on."""
        self._fault = fault
        os.write(self._woken, b"x")

    def stop(self) -> None:
        self._stopping = True
        os.write(self._woken, b"x")
        self._thread.join()
        for connection in [*self._peers, self._listener]:
            connection.close()
        self._selector.close()
        os.close(self._wake)
        os.close(self._woken)

    def _serve(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.fileobj == self._wake:
                    os.read(self._wake, 100)
                    if self._fault is Fault.REFUSE:
                        for client in list(self._clients):
                            self._reset(client)
                elif key.fileobj is self._listener:
                    self._accept()
                elif self._fault is not Fault.FREEZE and key.fileobj in self._peers:
                    self._pass_on(key.fileobj)
            if self._fault is Fault.FREEZE:
                time.sleep(0.02)  # what is left unread would be reported again and again

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.target)
        except OSError:
            server.close()
            _close_with_reset(client)
            return
        self._peers[client], self._peers[server] = server, client
        self._clients.add(client)
        for connection in (client, server):
            self._selector.register(connection, selectors.EVENT_READ)
        if self._fault is Fault.REFUSE:
            self._reset(client)

    def _pass_on(self, source: socket.socket) -> None:
        target = self._peers[source]
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        client = source if source in self._clients else target
        if not data or (self._fault is Fault.DROP_REPLIES and source is not client):
            self._reset(client)
            return
        try:
            target.sendall(data)
        except OSError:
            self._reset(client)

    def _reset(self, client: socket.socket) -> None:
        server = self._peers.pop(client)
        del self._peers[server]
        self._clients.remove(client)
        for connection in (client, server):
            self._selector.unregister(connection)
        server.close()
        _close_with_reset(client)


def _close_with_reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
