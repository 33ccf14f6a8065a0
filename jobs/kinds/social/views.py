"""The pages on which people connect, look at and disconnect their accounts."""

import base64
import json
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any, cast
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ...contract import JobError, jobs_of, resume
from . import avatars, http
from .forms import BlueskyForm, ConnectForm, MastodonForm, WebhookForm
from .models import Account, MastodonApp, Network
from .networks import revoke
from .networks.bluesky import client as bluesky
from .networks.mastodon import client as mastodon
from .pictures import PicturesKind, shown_of

PENDING = "social_mastodon"
"""Session key of the authorisation that a person is about to give."""


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def accounts(request: HttpRequest) -> HttpResponse:
    """My accounts, and the networks on which another can be connected."""
    mine = Account.objects.filter(owner=_owner(request))
    return render(request, "social/accounts.html", {"accounts": mine, "networks": Network})


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_store=True)
@sensitive_post_parameters()
@login_required
def connect(request: HttpRequest, network: str) -> HttpResponse:
    """Connect an account, or connect it again (`?account=<pk>` fills in what is known of it)."""
    if network not in CONNECT:
        raise Http404
    form_class, step = CONNECT[network]
    form = form_class(request.POST if request.method == "POST" else None, initial=_known(request, network))
    if form.is_valid():
        try:
            return HttpResponseRedirect(step(request, form.cleaned_data), status=303)
        except JobError as error:
            form.refuse(error)
    context = {"form": form, "network": Network(network), "is_mastodon": network == Network.MASTODON}
    return render(request, "social/connect.html", context, status=400 if form.is_bound else 200)


@require_safe
@cache_control(private=True, no_store=True)
@login_required
def mastodon_callback(request: HttpRequest) -> HttpResponse:
    """Where a Mastodon server sends the browser back to, with a code or an error (RFC 6749, section 4.1.2)."""
    pending = request.session.get(PENDING)
    if not pending or not constant_time_compare(pending["state"], request.GET.get("state", "")):
        text = _("This does not answer an authorisation that you began here. Please connect once more.")
        messages.error(request, text)
        return _to_accounts()
    del request.session[PENDING]
    if "code" not in request.GET:
        denied = request.GET.get("error") == "access_denied"
        yours = _("You did not allow it, so no account was connected.")
        messages.warning(request, yours if denied else _("The server did not allow it, so no account was connected."))
        return _to_accounts()
    app = get_object_or_404(MastodonApp, pk=pending["app"])
    try:
        token = mastodon.token_for(app, request.GET["code"], pending["verifier"])
        profile = mastodon.profile(app.instance, token)
    except JobError as error:
        messages.error(request, error.text)
        return _to_accounts()
    account = _save(
        request,
        Network.MASTODON,
        app.instance,
        profile.handle,
        {"token": token, "account_id": profile.id, "callback_url": app.callback_url},
        limits=pending["limits"],
        display_name=profile.name,
    )
    _show(account, profile.avatar)
    return _to_accounts()


@require_POST
@login_required
def disconnect(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the access back to the other side and forget the account."""
    account = get_object_or_404(Account, pk=pk, owner=_owner(request))
    name, resource = str(account), account.resource
    try:
        revoke(account)
    except JobError:
        text = _(
            "%(name)s is disconnected, but %(who)s could not be told. You can also remove Offload in its settings."
        ) % {"name": name, "who": account.who}
        messages.warning(request, text)
    else:
        messages.success(request, _("%(name)s is disconnected.") % {"name": name})
    account.delete()
    # What waited for it to be connected again can say now that it is gone.
    resume(resource)
    return _to_accounts()


@require_safe
@cache_control(private=True, max_age=3600)
@login_required
def avatar(request: HttpRequest, pk: int) -> FileResponse:
    """The picture of one of my accounts."""
    account = get_object_or_404(Account, pk=pk, owner=_owner(request))
    try:
        return FileResponse(account.avatar.open("rb"), content_type="image/png")
    except (ValueError, FileNotFoundError):
        raise Http404 from None


@require_safe
@cache_control(private=True, max_age=3600)
def picture(request: HttpRequest, job: UUID, number: int) -> HttpResponseBase:
    """A picture of a post as one of its networks gets it, to the post's owner alone. number: from 1."""
    owned = get_object_or_404(jobs_of(request), pk=job, kind=PicturesKind.name, result__isnull=False)
    made = shown_of(owned.result or {})
    if not 1 <= number <= len(made):
        raise Http404
    try:
        response = FileResponse(default_storage.open(made[number - 1]["path"]), content_type=made[number - 1]["type"])
    except FileNotFoundError:
        raise Http404 from None
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


# --- Steps: each connects with what its valid form says, returns where the browser goes, or raises JobError ----------


def _connect_mastodon(request: HttpRequest, asked: dict[str, Any]) -> str:
    """Registers this site if need be, and sends the browser to the server's own page.

    `state` ties the answer to this session, the code verifier ties the token to this server (RFC 7636).
    """
    instance = asked["server"]
    limits = mastodon.read_limits(instance)
    app = mastodon.app_of(instance, request.build_absolute_uri(reverse("social:mastodon_callback")))
    verifier = secrets.token_urlsafe(48) if mastodon.offers_pkce(instance) else ""
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode() if verifier else ""
    state = secrets.token_urlsafe(32)
    request.session[PENDING] = {"state": state, "app": app.pk, "verifier": verifier, "limits": limits}
    return mastodon.authorize_url(app, state, challenge)


def _connect_bluesky(request: HttpRequest, asked: dict[str, Any]) -> str:
    session = bluesky.sign_in(asked["service"], asked["handle"], asked["app_password"])
    picture, name = bluesky.picture_and_name(session)
    account = _save(
        request,
        Network.BLUESKY,
        asked["service"],
        f"@{session.handle}",
        session.credentials(),
        display_name=name,
    )
    _show(account, picture)
    return reverse("social:accounts")


def _connect_webhook(request: HttpRequest, asked: dict[str, Any]) -> str:
    instance = http.origin_of(asked["url"])
    handle = http.clean(asked["name"]) or http.host_of(instance)
    _save(request, Network.WEBHOOK, instance, handle, {"url": asked["url"], "secret": asked["secret"]})
    return reverse("social:accounts")


CONNECT: dict[str, tuple[type[ConnectForm], Callable[[HttpRequest, dict[str, Any]], str]]] = {
    Network.MASTODON: (MastodonForm, _connect_mastodon),
    Network.BLUESKY: (BlueskyForm, _connect_bluesky),
    Network.WEBHOOK: (WebhookForm, _connect_webhook),
}
"""How an account is connected on each network."""


def _save(
    request: HttpRequest,
    network: Network,
    instance: str,
    handle: str,
    credentials: dict[str, str],
    *,
    limits: dict[str, int] | None = None,
    display_name: str = "",
) -> Account:
    """Keep a connected account, or what is new of one that was connected before; its posts need not wait any longer."""
    account, made = Account.objects.update_or_create(
        owner=_owner(request),
        network=network,
        instance=instance,
        handle=handle,
        defaults={
            "credentials_text": json.dumps(credentials),
            "limits": limits or {},
            "limits_read_at": timezone.now(),
            "display_name": display_name,
            "last_error": "",
            "needs_reconnect": False,
            "connected_at": timezone.now(),
        },
    )
    resume(account.resource)
    text = _("%(account)s is connected.") if made else _("%(account)s is connected again.")
    messages.success(request, text % {"account": account})
    return account


def _show(account: Account, url: object) -> None:
    """Fetch the account's picture, which is nice to have."""
    if picture := avatars.fetch(url, account.who):
        before, storage = account.avatar.name, account.avatar.storage
        account.avatar.save(f"{uuid4().hex}.png", ContentFile(picture))
        if before:
            storage.delete(before)


def _known(request: HttpRequest, network: str) -> dict[str, str]:
    """What the form starts with when an account of mine is to be connected again."""
    pk = request.GET.get("account", "")
    if not pk:
        return {}
    mine = Account.objects.filter(owner=_owner(request), network=network)
    account = get_object_or_404(mine, pk=int(pk) if pk.isdecimal() and len(pk) < 19 else 0)
    return {
        "server": account.instance,
        "service": account.instance,
        "handle": account.handle.removeprefix("@"),
        "name": account.handle,
    }


def _owner(request: HttpRequest) -> User:
    """The signed-in person."""
    return cast("User", request.user)


def _to_accounts() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("social:accounts"), status=303)
