"""The sandbox keeps its rows in a database of its own, as the outside world would."""

from typing import Any

from django.db.models import Model

ALIAS = "sandbox"
APP_LABEL = "offload_sandbox"


class SandboxRouter:
    """Rows of this app live in the database "sandbox", and nothing else does.

    https://docs.djangoproject.com/en/5.2/topics/db/multi-db/#automatic-database-routing
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """The sandbox's database for its own models, no opinion on others."""
        return ALIAS if model._meta.app_label == APP_LABEL else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Only the sandbox migrates into its database, and it migrates into no other."""
        if db == ALIAS or app_label == APP_LABEL:
            return db == ALIAS and app_label == APP_LABEL
        return None
