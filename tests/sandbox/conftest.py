"""The practice network as the sandbox's own tests use it."""

from collections.abc import Iterator

import pytest

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
