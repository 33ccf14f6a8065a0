"""Accounts and apps in the admin: read-only, without their credentials."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from .models import Account, MastodonApp


class ReadOnlyAdmin(admin.ModelAdmin):
    """Staff look; owners connect and disconnect."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody here: disconnecting also revokes the access on the other side."""
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Whose account it is and how it fares."""

    list_display = ["handle", "network", "instance", "owner", "needs_reconnect", "connected_at"]
    list_filter = ["network", "needs_reconnect"]
    list_select_related = ["owner"]
    search_fields = ["handle", "instance", "owner__email"]
    exclude = ["avatar"]


@admin.register(MastodonApp)
class MastodonAppAdmin(ReadOnlyAdmin):
    """The servers that know this site."""

    list_display = ["instance", "callback_url", "registered_at"]
    search_fields = ["instance"]
    fields = ["instance", "callback_url", "registered_at"]
