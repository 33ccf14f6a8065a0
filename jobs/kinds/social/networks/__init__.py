"""The registry of the networks that posts can go to. All else of this app knows them only through these functions."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Network


@cache
def _all() -> "tuple[Network, ...]":
    # Imported late: their code knows the rows of accounts, and those ask here what their network is called.
    from .bluesky.network import Bluesky
    from .mastodon.network import Mastodon
    from .webhook.network import Webhook

    return Mastodon(), Bluesky(), Webhook()


def networks() -> "tuple[Network, ...]":
    """All networks, in the order in which they are offered."""
    return _all()


def network_named(name: str) -> "Network":
    """The network of that name. Raises LookupError if there is none."""
    for network in networks():
        if network.name == name:
            return network
    raise LookupError(f"There is no network named {name!r}.")
