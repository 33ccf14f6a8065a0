"""Connecting an account and giving its access back: jobs, since both talk with other servers.

What they must know and nobody shall keep (a password, a code, a token) is no part of their payload, which stays: it
lies in a `Secret`, which goes at the job's end.

A network that asks on a page of its own takes two jobs. The first finds out the address of that page. A person goes
there, and comes back to a callback address that is this one server's; the second job exchanges the code that they bring
along. An answer is believed only from the same browser, owner and server (`_bound`): so no server gets a code that
another one gave, and nobody's account becomes somebody else's.
https://www.rfc-editor.org/rfc/rfc9700#section-4.4, https://www.rfc-editor.org/rfc/rfc9207
"""

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...contract import (
    Failed,
    Job,
    JobError,
    Kind,
    OwnerKey,
    Quota,
    QuotaExceeded,
    Role,
    Run,
    Stopped,
    Submission,
    TryAgain,
    Use,
    check_quotas,
    for_jobs,
    resume,
    submit,
)
from . import http
from .avatars import AvatarKind
from .models import HOLDS, Account, Secret
from .networks import network_named
from .networks.base import Connected, Network
from .sentences import ALL_SENTENCES

ACCOUNTS = Quota(
    name="accounts",
    label=gettext_lazy("Connected accounts"),
    option="QUOTA_ACCOUNTS",
    rows=lambda owner: Account.objects.filter(owner=owner),
    refusal=gettext_lazy(
        "There is no room: of at most %(most)s accounts, %(used)s are there already. "
        "Disconnect one that you need no more."
    ),
)


class NotBegunHere(Exception):
    """An answer of a network's own page that belongs to nothing which this browser has begun and not finished."""


# --- What views ask for ----------------------------------------------------------------------------------------------


def begin(
    owner: AbstractBaseUser, network: Network, asked: dict[str, Any], browser: str, whole: Callable[[str], str]
) -> Job:
    """Submit the job that connects the account which a valid form asks for.

    asked: the form's cleaned data. browser: what only this browser's session knows. whole: makes an address of a path.
    Raises QuotaExceeded.
    """
    instance = http.origin_of(asked[network.form.address_field])
    _check_room(owner, network, instance)
    payload = {"network": network.name, "shown_again": {name: asked[name] for name in network.form.shown_again}}
    told: dict[str, Any] = {"instance": instance, "payload": payload, "asked": asked}
    title, bound = _title(network, instance), ""
    if network.leaves:
        title = _("%(connecting)s, first step") % {"connecting": title}
        state, key = secrets.token_urlsafe(32), callback_key(network, instance)
        path = reverse("social:callback", args=[network.name, key])
        told |= {"state": state, "callback_url": whole(path)}
        bound = _bound(owner.pk, network, key, state, browser)
    _forget_old()
    with transaction.atomic():
        job = _submitted(ConnectKind(), payload, title, owner)
        Secret.objects.create(owner_id=owner.pk, job_id=job.pk, text=json.dumps(told), bound=bound)
    return job


def come_back(
    owner: AbstractBaseUser, network: Network, key: str, browser: str, answer: Mapping[str, str]
) -> Job | None:
    """Submit the job that goes on with what a network's own page answered; None if it did not allow it.

    key: of the callback address. browser: as for `begin`. answer: the query with which the browser came.
    Raises NotBegunHere, whatever it is that does not fit; and QuotaExceeded, after which the same answer still counts.
    """
    bound = _bound(owner.pk, network, key, answer.get("state", ""), browser)
    with transaction.atomic():
        # Found by a keyed hash of all that has to fit: how long that takes tells nothing about any part of it.
        secret = Secret.objects.select_for_update().filter(bound=bound).first()
        told = secret.told if secret else {}
        if secret is None or secret.is_old or "pending" not in told or not _names(told["instance"], answer.get("iss")):
            raise NotBegunHere
        if "code" not in answer:
            secret.delete()
            return None
        _check_room(owner, network, told["instance"])
        job = _submitted(ConnectKind(), told["payload"], _title(network, told["instance"]), owner)
        told = {"instance": told["instance"], "pending": told["pending"], "code": answer["code"]}
        Secret.objects.filter(pk=secret.pk).update(job_id=job.pk, bound="", text=json.dumps(told))
    return job


def _check_room(owner: AbstractBaseUser, network: Network, instance: str) -> None:
    """Whether the owner may have one more account. Which one it will be only the other side tells: where they have one
    already this may be it, connected again, and the job looks once more.
    """
    known = Account.objects.filter(owner=owner.pk, network=network.name, instance=instance).exists()
    check_quotas(owner.pk, [*for_jobs(ConnectKind()), *([] if known else [Use(ACCOUNTS)])])


def disconnect(owner: AbstractBaseUser, pk: int) -> Job:
    """Forget an account of the owner's at once, and submit the job that gives the access back.

    Raises Account.DoesNotExist.
    """
    _forget_old()
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=pk, owner=owner.pk)
        told = {name: getattr(account, name) for name in ("network", "instance", "handle", "credentials_text")}
        title, resource = _("Disconnecting %(account)s") % {"account": account}, account.resource
        job = _submitted(DisconnectKind(), {}, title, owner)
        Secret.objects.create(owner_id=owner.pk, job_id=job.pk, text=json.dumps(told))
        account.delete()
    # What waited for it to be connected again can say now that it is gone.
    resume(resource)
    return job


def callback_key(network: Network, instance: str) -> str:
    """What tells the callback address of one server from those of all others."""
    return salted_hmac(f"{__name__}.callback", f"{network.name} {instance}", algorithm="sha256").hexdigest()[:32]


def _bound(owner_id: OwnerKey, network: Network, key: str, state: str, browser: str) -> str:
    """All that an answer must have in common with what was begun, as one hash."""
    parts = json.dumps([str(owner_id), network.name, key, state, browser])
    return salted_hmac(f"{__name__}.bound", parts, algorithm="sha256").hexdigest()


def _names(instance: str, issuer: str | None) -> bool:
    """Whether an answer's `iss`, where there is one, is the server that was asked (RFC 9207).

    Mastodon's issuer is its origin with a slash.
    """
    return issuer is None or issuer.removesuffix("/") == instance


def _title(network: Network, instance: str) -> str:
    return _("Connecting %(who)s") % {"who": network.who(instance)}


def _submitted(kind: Kind, payload: dict[str, Any], title: str, owner: AbstractBaseUser) -> Job:
    (job,) = submit(kind, [Submission(payload, title, urgent=True)], owner=owner).jobs
    return job


def _forget_old() -> None:
    """Delete, of whomever, what no job needs any more: those who went away and never came back left it."""
    needed = Job.objects.unfinished().values("pk")
    Secret.objects.filter(created_at__lt=timezone.now() - HOLDS).exclude(job_id__in=needed).delete()


# --- What jobs do ----------------------------------------------------------------------------------------------------


class ConnectKind(Kind):
    """One step of connecting an account, with a person in front of its page.

    Payload: `network`, its name; `shown_again`, what the form starts with once more if this fails.
    """

    name = "connect"
    label = gettext_lazy("Connecting an account")
    role = Role.NETWORK
    max_attempts = 3
    time_limit = timedelta(minutes=1)
    backoff = timedelta(seconds=2)
    failed_link = (gettext_lazy("Connect once more"), "social:again")
    quotas = (ACCOUNTS,)
    summary_template = "social/_connect.html"
    sentences = ALL_SENTENCES
    stylesheet = "social/social.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Result: `url` and `host` of the page on which the person goes on; or else `account`, and if that is `new`."""
        if "account" in run.kept:
            return _connected(run)
        if "url" in run.kept:
            return _elsewhere(run)
        try:
            return _step(run, network_named(run.payload["network"]))
        except JobError as error:
            waits = isinstance(error, TryAgain) and error.not_before is None
            if waits and run.attempt < self.max_attempts:
                raise
            _forget(run)
            # Who waits in front of a page is told at once what is not over in a moment.
            say, values = error.sentence.code, error.sentence.values
            raise Failed(error.code, say=say, can_retry=False, **values) from error
        except Stopped:
            _forget(run)
            raise

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Nobody goes on with what this job began."""
        Secret.objects.filter(job_id=job_id).delete()


class DisconnectKind(Kind):
    """Tells the other side that an account was disconnected here."""

    name = "disconnect"
    label = gettext_lazy("Disconnecting an account")
    role = Role.NETWORK
    max_attempts = 3
    time_limit = timedelta(minutes=1)
    backoff = timedelta(seconds=2)
    summary_template = "social/_disconnect.html"
    sentences = ALL_SENTENCES
    stylesheet = "social/social.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Result: `account`, its name."""
        if "account" not in run.kept:
            account = Account(**_secret(run).told)
            run.progress(0, "talking", who=account.who)
            try:
                account.network_object.revoke(account)
            except JobError as error:
                if isinstance(error, TryAgain) and run.attempt < self.max_attempts:
                    raise
                _forget(run)
                values = {"account": str(account), "who": account.who, "problem": error.sentence}
                raise Failed(error.code, say="not_told", can_retry=False, **values) from error
            except Stopped:
                _forget(run)
                raise
            with run.transaction():
                run.keep(account=str(account))
                Secret.objects.filter(job_id=run.job_id).delete()
        return {"account": run.kept["account"]}

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Nobody can be told any more."""
        Secret.objects.filter(job_id=job_id).delete()

    def forget_owner(self, owner_id: OwnerKey) -> None:
        """Tell those now who could not be told before; the jobs that would have done it are gone."""
        for secret in Secret.objects.filter(owner=owner_id):
            if "credentials_text" in secret.told:
                account = Account(**secret.told)
                with suppress(JobError):
                    account.network_object.revoke(account)
            secret.delete()


def _secret(run: Run) -> Secret:
    """What the job was told. Raises Failed if it is gone, or can't be read any more."""
    secret = Secret.objects.filter(job_id=run.job_id, owner=run.owner_id).first()
    if secret is None or not secret.told:
        raise Failed("begin_again", can_retry=False)
    return secret


def _forget(run: Run) -> None:
    with run.transaction():
        Secret.objects.filter(job_id=run.job_id).delete()


def _step(run: Run, network: Network) -> dict[str, Any]:
    """Find out where the person goes, or connect the account. Raises JobError."""
    secret = _secret(run)
    if secret.is_old:
        raise Failed("begin_again")
    told = secret.told
    run.progress(0, "talking", who=network.who(told["instance"]))
    if "code" in told:
        return _save(run, network, network.come_back(told["pending"], told["code"]))
    http.check_public(told["instance"])
    if not network.leaves:
        return _save(run, network, network.connect(told["asked"]))
    elsewhere = network.leave(told["asked"], told["callback_url"], told["state"])
    told = {"instance": told["instance"], "payload": told["payload"], "pending": elsewhere.pending}
    with run.transaction():
        run.keep(url=elsewhere.url)
        Secret.objects.filter(job_id=run.job_id).update(text=json.dumps(told))
    return _elsewhere(run)


def _elsewhere(run: Run) -> dict[str, Any]:
    return {"url": run.kept["url"], "host": http.host_of(run.kept["url"])}


def _save(run: Run, network: Network, connected: Connected) -> dict[str, Any]:
    """Keep a connected account, or what is new of one that was connected before."""
    picture = connected.picture if http.is_web_address(connected.picture) else None
    with run.transaction():
        account, made = Account.objects.update_or_create(
            owner_id=run.owner_id,
            network=network.name,
            instance=connected.instance,
            handle=connected.handle,
            defaults={
                "credentials_text": json.dumps(connected.credentials),
                "limits": connected.limits,
                "limits_read_at": timezone.now(),
                "display_name": connected.display_name,
                "last_error": None,
                "needs_reconnect": False,
                "connected_at": timezone.now(),
            },
        )
        if made:
            try:
                check_quotas(run.owner_id, [Use(ACCOUNTS, 0)])
            except QuotaExceeded as exceeded:
                raise Failed("too_many_accounts", most=exceeded.most) from None
        run.keep(account=account.pk, name=str(account), new=made, picture=picture)
        Secret.objects.filter(job_id=run.job_id).delete()
    return _connected(run)


def _connected(run: Run) -> dict[str, Any]:
    """What follows once the account is there: its posts need not wait any longer, and it is shown with its picture."""
    account = Account.objects.filter(pk=run.kept["account"], owner=run.owner_id).select_related("owner").first()
    if account:
        resume(account.resource)
        if url := run.kept["picture"]:
            title = _("Picture of %(account)s") % {"account": account}
            submit(AvatarKind(), [Submission({"account": account.pk, "url": url}, title)], owner=account.owner)
    return {"account": run.kept["name"], "new": run.kept["new"]}
