"""The pages on which people connect, look at and disconnect their accounts."""

import json
import secrets
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
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
from . import avatars
from .models import Account
from .networks import network_named, networks
from .networks.base import Connected, Network
from .pictures import PicturesKind, shown_of
from .sentences import in_words


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def accounts(request: HttpRequest) -> HttpResponse:
    """My accounts, and the networks on which another can be connected."""
    mine = Account.objects.filter(owner=request.user.pk)
    return render(request, "social/accounts.html", {"accounts": mine, "networks": networks()})


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_store=True)
@sensitive_post_parameters()
@login_required
def connect(request: HttpRequest, network: str) -> HttpResponse:
    """Connect an account, or connect it again (`?account=<pk>` fills in what is known of it)."""
    chosen = _network_or_404(network)
    form = chosen.form(request.POST if request.method == "POST" else None, initial=_known(request, chosen))
    if form.is_valid():
        try:
            return HttpResponseRedirect(_begin(request, chosen, form.cleaned_data), status=303)
        except JobError as error:
            form.refuse(error)
    context = {"form": form, "network": chosen}
    return render(request, "social/connect.html", context, status=400 if form.is_bound else 200)


@require_safe
@cache_control(private=True, no_store=True)
@login_required
def callback(request: HttpRequest, network: str) -> HttpResponse:
    """Where a network's own page sends the browser back to, with a code or an error (RFC 6749, section 4.1.2)."""
    chosen = _network_or_404(network)
    if not chosen.leaves:
        raise Http404
    pending = request.session.get(_pending_key(chosen))
    if not pending or not constant_time_compare(pending["state"], request.GET.get("state", "")):
        text = _("This does not answer an authorisation that you began here. Please connect once more.")
        messages.error(request, text)
        return _to_accounts()
    del request.session[_pending_key(chosen)]
    if "code" not in request.GET:
        denied = request.GET.get("error") == "access_denied"
        yours = _("You did not allow it, so no account was connected.")
        messages.warning(request, yours if denied else _("The server did not allow it, so no account was connected."))
        return _to_accounts()
    try:
        connected = chosen.come_back(pending["of_network"], request.GET["code"])
    except JobError as error:
        messages.error(request, in_words(error))
    else:
        _save_account(request, chosen, connected)
    return _to_accounts()


@require_POST
@login_required
def disconnect(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the access back to the other side and forget the account."""
    account = get_object_or_404(Account, pk=pk, owner=request.user.pk)
    name, resource = str(account), account.resource
    try:
        account.network_object.revoke(account)
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
    account = get_object_or_404(Account, pk=pk, owner=request.user.pk)
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


def _network_or_404(name: str) -> Network:
    try:
        return network_named(name)
    except LookupError:
        raise Http404 from None


def _begin(request: HttpRequest, network: Network, asked: dict[str, Any]) -> str:
    """Connect with what a valid form says, here or on a page of the network's own. Returns where the browser goes.

    `state` ties the answer of such a page to this session. Raises JobError.
    """
    if not network.leaves:
        _save_account(request, network, network.connect(asked))
        return reverse("social:accounts")
    state = secrets.token_urlsafe(32)
    callback_url = request.build_absolute_uri(reverse("social:callback", args=[network.name]))
    elsewhere = network.leave(asked, callback_url, state)
    request.session[_pending_key(network)] = {"state": state, "of_network": elsewhere.pending}
    return elsewhere.url


def _pending_key(network: Network) -> str:
    """Session key of the authorisation that a person is about to give."""
    return f"social_{network.name}"


def _save_account(request: HttpRequest, network: Network, connected: Connected) -> None:
    """Keep a connected account, or what is new of one that was connected before; its posts need not wait any longer."""
    account, made = Account.objects.update_or_create(
        owner_id=request.user.pk,
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
    resume(account.resource)
    text = _("%(account)s is connected.") if made else _("%(account)s is connected again.")
    messages.success(request, text % {"account": account})
    _show(account, connected.picture)


def _show(account: Account, url: object) -> None:
    """Fetch the account's picture, which is nice to have."""
    if picture := avatars.fetch(url, account.who):
        before, storage = account.avatar.name, account.avatar.storage
        account.avatar.save(f"{uuid4().hex}.png", ContentFile(picture))
        if before:
            storage.delete(before)


def _known(request: HttpRequest, network: Network) -> dict[str, str]:
    """What the form starts with when an account of mine is to be connected again."""
    pk = request.GET.get("account", "")
    if not pk:
        return {}
    mine = Account.objects.filter(owner=request.user.pk, network=network.name)
    return network.known(get_object_or_404(mine, pk=int(pk) if pk.isdecimal() and len(pk) < 19 else 0))


def _to_accounts() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("social:accounts"), status=303)
