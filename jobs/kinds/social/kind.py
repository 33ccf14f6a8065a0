"""The social kind: one job posts one text, with its pictures, to one account."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID

from django.utils import timezone
from django.utils.functional import lazy
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...contract import Failed, JobError, Kind, OnHold, OwnerKey, Role, Run, Sentence, TryAgain
from .forms import PostForm
from .models import Account
from .networks import networks
from .pictures import prepared_for
from .post import Post, forget_uploads
from .sentences import ALL_SENTENCES, KIND

LIMITS_HOLD = timedelta(days=1)
"""How long a server's limits are taken for known."""


def _invitation() -> str:
    nouns = [str(network.noun or network.label) for network in networks()]
    return _("Post to your %(networks)s accounts at once.") % {"networks": get_text_list(nouns, _("and"))}


class SocialKind(Kind):
    """Posts in the order in which they were submitted to an account, which is the job's resource.

    When an account has to be connected again, its posts wait for that.
    """

    name = KIND
    label = gettext_lazy("Social post")
    invitation = lazy(_invitation, str)()
    role = Role.NETWORK
    form = PostForm
    max_attempts = 5
    time_limit = timedelta(minutes=5)
    urls = f"{__package__}.urls"
    nav = ((gettext_lazy("Social accounts"), "social:accounts"),)
    on_hold_link = (gettext_lazy("Connect the account again"), "social:accounts")
    summary_template = "social/_result.html"
    sentences = ALL_SENTENCES
    stylesheet = "social/social.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Post, and note on the account whether it works. Result: network, account, and the link or the answer."""
        account = Account.objects.filter(pk=run.payload["account"], owner=run.owner_id).first()
        if account is None:
            raise Failed("account_gone", can_retry=False)
        prepared = prepared_for(account, run.job_id) if run.payload.get("pictures") else []
        network = account.network_object
        try:
            posted = network.post(account, Post.of(run.payload, network.rules, prepared), run)
        except JobError as error:
            if error.code == "refused":
                # It may be one of the pictures that is not known there any more.
                forget_uploads(run.job_id)
            if error.code != "reconnect":
                _remember(account, error.sentence)
                raise
            if not _remember(account, error.sentence, needs_reconnect=True):
                raise TryAgain("reconnected") from error
            raise OnHold("reconnect", problem=error.sentence) from error
        _remember(account, None)
        _read_limits(account)
        return {"network": str(network), "account": account.handle, **posted}

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """What was posted stays where it is; only what was noted on the way goes."""
        forget_uploads(job_id)

    def files(
        self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None
    ) -> Iterable[tuple[str, Callable[[], BinaryIO]]]:
        """The post as it was submitted."""
        said = json.dumps({**payload, "result": result}, ensure_ascii=False, indent=2).encode()
        yield "post.json", lambda: BytesIO(said)

    def belongings(self, owner_id: OwnerKey) -> Iterable[tuple[str, Iterable[Mapping[str, Any]]]]:
        """The connected accounts, without what opens them."""
        columns = ("network", "instance", "handle", "display_name", "connected_at")
        yield "accounts", Account.objects.filter(owner=owner_id).values(*columns).iterator()

    def forget_owner(self, owner_id: OwnerKey) -> None:
        """Give the access to their accounts back, where the other side listens, and forget the accounts."""
        for account in Account.objects.filter(owner=owner_id):
            with suppress(JobError):
                account.network_object.revoke(account)
            account.delete()


def _remember(account: Account, problem: Sentence | None, *, needs_reconnect: bool = False) -> bool:
    """Keep how the account fares. False: it was connected again since this attempt began, or is gone."""
    last_error = problem.as_data() if problem else None
    same = Account.objects.filter(pk=account.pk, connected_at=account.connected_at)
    return bool(same.update(last_error=last_error, needs_reconnect=needs_reconnect))


def _read_limits(account: Account) -> None:
    """Ask the account's server for its limits once a day: after a post, when nobody waits for the answer."""
    now = timezone.now()
    if account.limits_read_at and account.limits_read_at > now - LIMITS_HOLD:
        return
    with suppress(JobError):
        limits = account.network_object.read_limits(account.instance)
        if limits is not None:
            Account.objects.filter(pk=account.pk).update(limits=limits, limits_read_at=now)
