"""The sandbox as a Django app; installed only where the option SANDBOX is on."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """Local stand-ins for the outside world: a mail catcher and a practice social network."""

    name = __name__.rpartition(".")[0]
    label = "offload_sandbox"
    verbose_name = "Sandbox"
    default_auto_field = "django.db.models.BigAutoField"
