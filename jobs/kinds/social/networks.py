"""What each network can do, by its name."""

from collections.abc import Callable
from typing import Any

from jobs.contract import Run
from jobs.kinds.social import bluesky, mastodon, webhooks
from jobs.kinds.social.models import Account, Network
from jobs.kinds.social.post import Post

POST: dict[str, Callable[[Account, Post, Run], dict[str, Any]]] = {
    Network.MASTODON: mastodon.post,
    Network.BLUESKY: bluesky.post,
    Network.WEBHOOK: webhooks.post,
}
"""How it is posted to: publishes the post once over all attempts, and returns what the result shows."""

REVOKE: dict[str, Callable[[Account], None]] = {Network.MASTODON: mastodon.revoke, Network.BLUESKY: bluesky.revoke}
"""How access is given back; a webhook has none."""

READ_LIMITS: dict[str, Callable[[str], dict[str, int]]] = {Network.MASTODON: mastodon.read_limits}
"""How the limits of one server are asked for, where they differ from server to server."""
