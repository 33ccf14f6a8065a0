"""The registry of the networks that posts can go to. All else of this app knows them only through these functions."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Network

_networks: "list[Network]" = []


def register(network: "Network") -> None:
    """Make a network known; called once from the app's `ready`. They are offered in the order of these calls."""
    _networks.append(network)


def networks() -> "tuple[Network, ...]":
    """All networks, in the order in which they are offered."""
    return tuple(_networks)


def network_named(name: str) -> "Network":
    """The network of that name. Raises LookupError if there is none."""
    for network in _networks:
        if network.name == name:
            return network
    raise LookupError(f"There is no network named {name!r}.")
