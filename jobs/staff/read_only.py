"""Admin pages on which nobody edits: their rows are written by the program alone."""

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
