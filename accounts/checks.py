"""System checks of sign-in. https://docs.djangoproject.com/en/5.2/topics/checks/"""

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register

from jobs.contract import options


@register(Tags.security, deploy=True)
def check_staff(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Whoever takes the password of a member of staff has the admin, unless a second factor is demanded."""
    if options.STAFF_SECOND_FACTOR:
        return []
    return [
        Warning(
            "Staff may enter the admin with a password alone.",
            hint="Set STAFF_SECOND_FACTOR=1: then they need a second factor.",
            id="accounts.W001",
        )
    ]
