"""Accounts in the admin: read-only, without their credentials."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...contract import ReadOnly, search_by_owner
from .models import Account
from .networks import networks

# Rows of a network's own: Django looks for an app's pages here.
from .networks.mastodon.admin import MastodonAppAdmin as MastodonAppAdmin


class OnNetwork(admin.SimpleListFilter):
    """Accounts of one network."""

    title = _("network")
    parameter_name = "network__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """All networks by what people call them."""
        return [(network.name, str(network)) for network in networks()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        """The accounts of the chosen one."""
        return queryset.filter(network=self.value()) if self.value() else queryset


@admin.register(Account)
class AccountAdmin(ReadOnly, admin.ModelAdmin):
    """Whose account it is and how it fares. Only its owner disconnects it, since that revokes the access elsewhere."""

    list_display = ["handle", "on", "instance", "owner", "needs_reconnect", "connected_at"]
    list_filter = [OnNetwork, "needs_reconnect"]
    list_select_related = ["owner"]
    search_fields = ["handle", "instance", search_by_owner()]
    fields = [
        "owner",
        "on",
        "instance",
        "handle",
        "display_name",
        "limits",
        "limits_read_at",
        "problem",
        "needs_reconnect",
        "connected_at",
    ]

    @admin.display(description=_("network"), ordering="network")
    def on(self, account: Account) -> str:
        """What people call its network."""
        return str(account.network_object)

    @admin.display(description=_("last error"))
    def problem(self, account: Account) -> str:
        """Why the last post did not work, as its owner reads it."""
        return account.last_error_text
