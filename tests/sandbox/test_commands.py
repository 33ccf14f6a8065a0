import signal
import socket

import pytest

from jobs.sandbox.services import free_port
from tests.processes import Process, manage, wait_until

# The network's front page reads its own database.
pytestmark = [
    pytest.mark.stack,
    pytest.mark.apart,
    pytest.mark.django_db(transaction=True, databases=["default", "sandbox"]),
]


@pytest.fixture
def start(child_env):
    started: list[Process] = []

    def start(*args: str, **env: str) -> Process:
        process = Process(manage(*args), {**child_env, **env}, name=args[0])
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


@pytest.mark.parametrize("command", ["mailcatcher", "practice_network"])
def test_a_taken_port_gets_one_sentence(start, command):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = start(command, SANDBOX_SMTP_PORT=str(port), SANDBOX_URL=f"http://127.0.0.1:{port}")
        assert process.popen.wait(20) == 1
    assert f"can't listen on 127.0.0.1:{port} (Address already in use)" in process.log
    assert "Traceback" not in process.log


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["mailcatcher", "practice_network"])
def test_a_signal_ends_it_cleanly(start, command, sign):
    port = free_port()
    process = start(command, SANDBOX_SMTP_PORT=str(port), SANDBOX_URL=f"http://127.0.0.1:{port}")

    def greets() -> bool:
        """A server answers: SMTP by itself, HTTP when asked."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(b"" if command == "mailcatcher" else b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return bool(client.recv(10))
        except ConnectionError:
            return False

    wait_until(greets, what=f"{command} answers")
    with socket.create_connection(("127.0.0.1", port)):  # somebody is connected, as in real life
        process.signal(sign)
        assert process.popen.wait(20) == 0
    assert "Traceback" not in process.log


@pytest.mark.parametrize("url", ["https://127.0.0.1", "http://", "nonsense", "http://127.0.0.1:port"])
def test_an_address_that_is_none_gets_one_sentence(start, url):
    process = start("practice_network", SANDBOX_URL=url)
    assert process.popen.wait(20) == 1
    assert "SANDBOX_URL" in process.log
    assert "must be an address such as http://127.0.0.1:8001" in process.log
    assert "Traceback" not in process.log
    assert "Traceback" not in process.log
