"""System checks: mistakes that would only show once jobs are running, and what must not go public.

https://docs.djangoproject.com/en/5.2/topics/checks/
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from .kind import Kind, Role, installed_kinds
from .models import Job

TAKEN_NAMES = frozenset({"accounts", "admin", "healthz", "jobs", "sandbox", "static"})
"""First parts of paths that belong to the site, so that no kind's own pages can live below them."""

LONGEST_NAME = Job._meta.get_field("kind").max_length or 0
"""Characters that a row has for its kind's name."""


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What is fine on one's own machine and must not be on a public one."""
    if settings.EMBEDDED:
        return [
            Warning(
                "This is the embedded default: database, Redis and secret key live in var/, and the sandbox may be on.",
                hint="For a public site set DATABASE_URL, REDIS_URL and EMAIL_URL to real services (docs/running.md).",
                id="offload.W001",
            )
        ]
    return list(_deployment_errors())


def _deployment_errors() -> Iterator[Error]:
    try:
        settings.SECRET_KEY  # noqa: B018 (Django raises when it is empty)
    except ImproperlyConfigured:
        yield Error(
            "SECRET_KEY is not set.",
            hint="Set it to a long random text and keep it: sessions, and everything that is encrypted, depend on it.",
            id="offload.E001",
        )
    if settings.DEBUG:
        yield Error(
            "DEBUG is on: error pages would show settings and data to everybody.",
            hint="Remove DEBUG from the environment.",
            id="offload.E002",
        )
    if settings.SANDBOX:
        yield Error(
            "The sandbox is on: everybody could read the mail of the mail catcher.",
            hint="Remove SANDBOX from the environment.",
            id="offload.E003",
        )


@register(Tags.compatibility)
def check_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Workers are processes of their own: a database in one process's memory would hide every job from them."""
    database = settings.DATABASES["default"]
    if database["NAME"] == ":memory:":
        return [
            Error(
                "The database is in memory, where no worker can see it.",
                hint="Give DATABASE_URL a file (sqlite:////srv/offload/offload.sqlite3) or a PostgreSQL database.",
                id="offload.E004",
            )
        ]
    return []


@register(Tags.compatibility)
def check_kinds(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Each installed kind is complete: what its attributes name is there."""
    return [
        Error(f"Kind {kind.name!r}: {problem}", obj=kind, id="offload.E005")
        for kind in installed_kinds()
        for problem in _problems(kind)
    ]


def _problems(kind: Kind) -> Iterator[str]:
    if not (kind.name.isidentifier() and kind.name.islower() and len(kind.name) <= LONGEST_NAME):
        yield f"its name must be one word of lower-case letters, digits and _, {LONGEST_NAME} characters at most."
    if kind.name in TAKEN_NAMES:
        yield "its name is an address of the site itself."
    if kind.role not in set(Role):
        yield f"no worker has the role {kind.role!r}; there are {', '.join(Role)}."
    if kind.max_attempts < 1:
        yield "max_attempts must be 1 at least."
    try:
        get_template(kind.summary_template)
    except TemplateDoesNotExist:
        yield f"its template {kind.summary_template} does not exist."
    if kind.stylesheet and not finders.find(kind.stylesheet):
        yield f"its style sheet {kind.stylesheet} does not exist."
