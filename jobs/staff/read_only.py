"""Admin pages on which nobody edits: their rows are written by the program alone."""

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest


class ReadOnly:
    """Mixin for admin classes and inlines."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits rows by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes rows by hand."""
        return False


def search_by_owner(column: str = "owner") -> str:
    """For `search_fields`: the e-mail address of a row's `owner`; what they sign in with if no address is kept.

    column: what the row calls its owner.
    """
    users = get_user_model()
    try:
        return f"{column}__{users._meta.get_field(users.get_email_field_name()).name}"
    except FieldDoesNotExist:
        return f"{column}__{users.USERNAME_FIELD}"
