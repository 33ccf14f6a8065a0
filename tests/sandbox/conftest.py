"""The practice network as the sandbox's own tests use it."""

from collections.abc import Iterator

import pytest

from tests.processes import Process, manage
from tests.sandbox.client import Network, Person


@pytest.fixture
def network(sandbox: str) -> Iterator[Network]:
    """A practice network that answers at once, whatever the test does to it."""
    network = Network(sandbox)
    network.behave(mode="normal", delay_ms=0, remaining=0)
    yield network
    network.behave(mode="normal", delay_ms=0, remaining=0)


@pytest.fixture
def ann(network: Network) -> Person:
    """Somebody with an account there."""
    return network.connect()


@pytest.fixture
def start(child_env):
    """Start one of the sandbox's commands; all of them are stopped at the end of the test."""
    started: list[Process] = []

    def start(*args: str, **env: str) -> Process:
        process = Process(manage(*args), {**child_env, **env}, name=args[0])
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()
