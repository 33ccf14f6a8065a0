"""What each network can do, by its name."""

from collections.abc import Callable
from typing import Any

from ....contract import Run
from ..models import Account, Network
from ..post import Post
from .bluesky import client as bluesky_client
from .mastodon import client as mastodon_client
from .webhook import client as webhook_client

POST: dict[str, Callable[[Account, Post, Run], dict[str, Any]]] = {
    Network.MASTODON: mastodon_client.post,
    Network.BLUESKY: bluesky_client.post,
    Network.WEBHOOK: webhook_client.post,
}
"""How it is posted to: publishes the post once over all attempts, and returns what the result shows."""

READ_LIMITS: dict[str, Callable[[str], dict[str, int]]] = {Network.MASTODON: mastodon_client.read_limits}
"""How the limits of one server are asked for, where they differ from server to server."""


def revoke(account: Account) -> None:
    """Give the access to an account back. Raises JobError if the other side could not be told."""
    if account.network == Network.MASTODON:
        mastodon_client.revoke(account)
    elif account.network == Network.BLUESKY:
        bluesky_client.revoke(account)
