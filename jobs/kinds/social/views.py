"""The pages on which people connect, look at and disconnect their accounts. Jobs do what asks other servers."""

import secrets
from functools import partial
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ...contract import Job, QuotaExceeded, jobs_of, no_room
from . import connecting
from .connecting import ConnectKind, DisconnectKind, NotBegunHere
from .models import Account
from .networks import network_named, networks
from .networks.base import ConnectForm, Network
from .pictures import PicturesKind, shown_of

BROWSER = "social_browser"
"""Session key of a random value, which tells this browser from all others."""


@require_safe
@cache_control(private=True, no_cache=True)
@login_required
def accounts(request: HttpRequest) -> HttpResponse:
    """My accounts, what is being done to them, and the networks on which another can be connected."""
    return _accounts_page(request)


def _accounts_page(request: HttpRequest, trouble: str = "") -> HttpResponse:
    """trouble: what could not be done."""
    mine = Account.objects.filter(owner=request.user.pk)
    kinds = (ConnectKind.name, DisconnectKind.name)
    jobs = Job.objects.filter(owner=request.user.pk, kind__in=kinds).unfinished().order_by("-created_at", "-pk")
    context = {"accounts": mine, "jobs": list(jobs), "networks": networks(), "trouble": trouble}
    return render(request, "social/accounts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_store=True)
@sensitive_post_parameters()
@login_required
def connect(request: HttpRequest, network: str) -> HttpResponse:
    """Connect an account, or connect it again (`?account=<pk>` fills in what is known of it)."""
    chosen = _network_or_404(network)
    form = chosen.form(request.POST if request.method == "POST" else None, initial=_known(request, chosen))
    if form.is_valid():
        browser = request.session.setdefault(BROWSER, secrets.token_urlsafe(32))
        try:
            job = connecting.begin(_me(request), chosen, form.cleaned_data, browser, request.build_absolute_uri)
        except QuotaExceeded as exceeded:
            form.add_error(None, str(exceeded))
            return no_room(request, exceeded, partial(_form_page, request, chosen, form))
        return _to(job.get_absolute_url())
    return _form_page(request, chosen, form)


@require_safe
@cache_control(private=True, no_store=True)
@login_required
def again(request: HttpRequest, job: UUID) -> HttpResponse:
    """The form with what was filled in before, after a job could not connect the account."""
    payload = get_object_or_404(jobs_of(request), pk=job, kind=ConnectKind.name).payload
    chosen = _network_or_404(payload["network"])
    return _form_page(request, chosen, chosen.form(initial=payload["shown_again"]))


@require_safe
@cache_control(private=True, no_store=True)
@login_required
def callback(request: HttpRequest, network: str, key: str) -> HttpResponse:
    """Where a network's own page sends the browser back to, with a code or an error (RFC 6749, section 4.1.2)."""
    chosen = _network_or_404(network)
    if not chosen.leaves:
        raise Http404
    try:
        job = connecting.come_back(_me(request), chosen, key, request.session.get(BROWSER, ""), request.GET.dict())
    except NotBegunHere:
        text = _("This does not answer an authorisation that you began here. Please connect once more.")
        messages.error(request, text)
        return _to(reverse("social:accounts"))
    except QuotaExceeded as exceeded:
        return no_room(request, exceeded, partial(_accounts_page, request, str(exceeded)))
    if job is None:
        denied = request.GET.get("error") == "access_denied"
        yours = _("You did not allow it, so no account was connected.")
        messages.warning(request, yours if denied else _("The server did not allow it, so no account was connected."))
        return _to(reverse("social:accounts"))
    return _to(job.get_absolute_url())


@require_POST
@login_required
def disconnect(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget the account, and give the access back to the other side."""
    try:
        job = connecting.disconnect(_me(request), pk)
    except Account.DoesNotExist:
        raise Http404 from None
    return _to(job.get_absolute_url())


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
    response["Content-Security-Policy"] = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
    return response


def _network_or_404(name: str) -> Network:
    try:
        return network_named(name)
    except LookupError:
        raise Http404 from None


def _form_page(request: HttpRequest, network: Network, form: ConnectForm) -> HttpResponse:
    context = {"form": form, "network": network}
    return render(request, "social/connect.html", context, status=400 if form.is_bound else 200)


def _known(request: HttpRequest, network: Network) -> dict[str, str]:
    """What the form starts with when an account of mine is to be connected again."""
    pk = request.GET.get("account", "")
    if not pk:
        return {}
    mine = Account.objects.filter(owner=request.user.pk, network=network.name)
    return network.known(get_object_or_404(mine, pk=int(pk) if pk.isdecimal() and len(pk) < 19 else 0))


def _me(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)


def _to(url: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(url, status=303)
