"""The registrations of this site in the admin: read-only, without their secrets."""

from django.contrib import admin

from .....contract import ReadOnly
from .models import MastodonApp


@admin.register(MastodonApp)
class MastodonAppAdmin(ReadOnly, admin.ModelAdmin):
    """The servers that know this site."""

    list_display = ["instance", "callback_url", "registered_at"]
    search_fields = ["instance"]
    fields = ["instance", "callback_url", "registered_at"]
