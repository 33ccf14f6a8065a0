"""System check: what the kernel of this machine does not keep decoders from.

https://docs.djangoproject.com/en/5.2/topics/checks/
"""

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register

from . import confinement


@register(Tags.security)
def check_confinement(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Decoders are confined by what the kernel has. It is asked on the machine of the command, so ask a worker's."""
    return [
        Warning(
            f"Decoders of uploaded files can't be kept from {lack}.",
            hint="Run media workers where the kernel has it. Without it they are confined by all the rest.",
            id="offload.W002",
        )
        for lack in confinement.missing()
    ]
