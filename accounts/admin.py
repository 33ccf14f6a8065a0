"""Second factors and sessions in the admin: staff see whose they are and may remove them, and see no secret of them."""

from collections.abc import Iterable
from typing import Any

# They register the pages in whose place those below stand.
import allauth.mfa.admin
import allauth.usersessions.admin  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.http import HttpRequest

admin.site.unregister([Authenticator, UserSession])


class OnlyRemovable(admin.ModelAdmin):
    """Rows that nobody adds or changes by hand."""

    ordering = ("user", "pk")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


@admin.register(Authenticator)
class AuthenticatorAdmin(OnlyRemovable):
    """For somebody who has lost them all. The secret stays out of sight."""

    fields = list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)


@admin.register(UserSession)
class UserSessionAdmin(OnlyRemovable):
    """Where people are signed in; removing a row signs out. Its key stays out of sight."""

    fields = list_display = ("user", "created_at", "ip", "user_agent")
    search_fields = ("user__email", "ip")

    def delete_model(self, request: HttpRequest, obj: UserSession) -> None:
        """End the session."""
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[UserSession]) -> None:
        """End the sessions."""
        get_adapter().end_sessions(queryset)
