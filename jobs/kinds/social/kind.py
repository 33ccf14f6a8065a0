"""The social kind: one job posts one text to one account."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from jobs.contract import Failed, JobError, Kind, Role, Run
from jobs.kinds.social import bluesky, mastodon, webhooks
from jobs.kinds.social.forms import PostForm
from jobs.kinds.social.models import Account, Network

POST: dict[str, Callable[[Account, str, Run], dict[str, Any]]] = {
    Network.MASTODON: mastodon.post,
    Network.BLUESKY: bluesky.post,
    Network.WEBHOOK: webhooks.post,
}
"""How each network is posted to: publishes the text once over all attempts, and returns what the result shows."""


class SocialKind(Kind):
    """Posts in the order in which they were submitted to an account, which is the job's resource."""

    name = "social"
    label = "Social post"
    invitation = "Post a text to your Mastodon, Bluesky and webhook accounts."
    role = Role.NETWORK
    form = PostForm
    max_attempts = 5
    time_limit = timedelta(minutes=2)
    urls = "jobs.kinds.social.urls"
    nav = (("Social accounts", "social:accounts"),)
    summary_template = "social/_result.html"

    def run(self, run: Run) -> dict[str, Any]:
        """Post, and keep on the account whether it works. Result: network, account, and the link or the answer."""
        account = Account.objects.filter(pk=run.payload["account"], owner=run.owner_id).first()
        if account is None:
            text = "The account was disconnected before this was posted. Connect it and submit the post again."
            raise Failed("account_gone", text, can_retry=False)
        run.progress(10, f"Posting to {account.who}")
        try:
            posted = POST[account.network](account, run.payload["text"], run)
        except JobError as error:
            _remember(account, error.text, needs_reconnect=error.code == "reconnect")
            raise
        _remember(account, "", needs_reconnect=False)
        return {"network": account.get_network_display(), "account": account.handle, **posted}


def _remember(account: Account, last_error: str, *, needs_reconnect: bool) -> None:
    """Keep how the account fares, if that has changed."""
    if (account.last_error, account.needs_reconnect) != (last_error, needs_reconnect):
        Account.objects.filter(pk=account.pk).update(last_error=last_error, needs_reconnect=needs_reconnect)
