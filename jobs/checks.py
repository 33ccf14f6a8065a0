"""System checks: mistakes that would only show once jobs are running, and what must not go public.

https://docs.djangoproject.com/en/5.2/topics/checks/
"""

import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import get_resolver

from .conf import options, problems
from .kind import Kind, KindForm, Queue, Quota, Role, installed_kinds, mistakes
from .models import Job
from .sentences import Text

TAKEN_NAMES = frozenset({"accounts", "admin", "healthz", "jobs", "sandbox", "static"})
"""First parts of paths that belong to the site, so that no kind's own pages can live below them."""

JSON = ("json", "rq.serializers.JSONSerializer")
"""How RQ names its serializer that runs no code. https://python-rq.org/docs/jobs/#serializers"""

LONGEST_NAME = Job._meta.get_field("kind").max_length or 0
"""Characters that a row has for its kind's name."""


@register(Tags.compatibility)
def check_options(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every name in OFFLOAD is an option, and its value one that the option may have."""
    return [
        Error(sentence, hint=hint or None, id="offload.E007")
        for sentence, hint in problems(getattr(settings, "OFFLOAD", {}))
    ]


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What is fine on one's own machine and must not be on a public one."""
    if check_options(None):
        return []  # they say it all
    return list(_deployment_errors())


def _deployment_errors() -> Iterator[Error]:
    if options.EMBEDDED:
        yield Error(
            "This is the embedded default: database, Redis and secret key live in one folder of one machine.",
            hint="For a public site set DATABASE_URL, REDIS_URL and EMAIL_URL to real services (docs/running.md).",
            id="offload.E009",
        )
    try:
        settings.SECRET_KEY  # noqa: B018 (Django raises when it is empty)
    except ImproperlyConfigured:
        yield Error(
            "SECRET_KEY is not set.",
            hint="Set it to a long random text and keep it: sessions, and everything that is encrypted, depend on it.",
            id="offload.E001",
        )
    if not (options.EMBEDDED or options.SITE_ADDRESS):
        yield Error(
            "SITE_ADDRESS is not set: links in mails would lead wherever a request says that it was sent.",
            hint="Set it to the address of the site, such as https://offload.example.",
            id="offload.E010",
        )
    if settings.DEBUG:
        yield Error(
            "DEBUG is on: error pages would show settings and data to everybody.",
            hint="Remove DEBUG from the environment.",
            id="offload.E002",
        )
    if options.SANDBOX:
        yield Error(
            "The sandbox is on: everybody could read the mail of the mail catcher.",
            hint="Set SANDBOX=0 in the environment.",
            id="offload.E003",
        )


@register(Tags.security)
def check_serializers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """django-rq loads the messages of a queue with its serializer, and RQ's own is pickle, which can run any code."""
    given = getattr(settings, "RQ_QUEUES", {})
    careless = [name for name in map(str, Queue) if name in given and given[name].get("SERIALIZER") not in JSON]
    return [
        Warning(
            f"RQ_QUEUES names no JSON serializer for {name!r}: django-rq would unpickle what lies in Redis.",
            hint='Add "SERIALIZER": "rq.serializers.JSONSerializer" to that queue.',
            id="offload.W001",
        )
        for name in careless
    ]


@register(Tags.security)
def check_folder(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The folder that the site names as VAR_DIR is closed to others. It is told, not changed: it may not be ours."""
    if check_options(None) or "VAR_DIR" not in getattr(settings, "OFFLOAD", {}):
        return []
    folder = options.VAR_DIR
    state = folder.stat()
    if not state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return []
    hint = "Set VAR_DIR to a folder that holds nothing else."
    if state.st_uid == os.geteuid() and not state.st_mode & stat.S_ISVTX and not folder.is_mount():
        hint = f"If nothing else uses it: chmod 700 {shlex.quote(str(folder))}. Otherwise: {hint}"
    return [Warning(f"Others on this machine may enter {folder}, the folder of VAR_DIR.", hint=hint, id="offload.W004")]


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


@register(Tags.compatibility)
def check_registrations(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Each kind was registered once, under one name, and in time."""
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018 (whoever registers a kind in a URLconf has done so then)
    return [Error(sentence, hint=hint, id="offload.E008") for sentence, hint in mistakes()]


def _problems(kind: Kind) -> Iterator[str]:
    if not (kind.name.isidentifier() and kind.name.islower() and len(kind.name) <= LONGEST_NAME):
        yield f"its name must be one word of lower-case letters, digits and _, {LONGEST_NAME} characters at most."
    if kind.name in TAKEN_NAMES:
        yield "its name is an address of the site itself."
    if not _is_text(getattr(kind, "label", None)):
        yield "it has no label, which is what people call it."
    if not isinstance(kind.invitation, Text):
        yield "its invitation must be a text."
    if not isinstance(kind.role, Role):
        yield f"no worker has the role {kind.role!r}; there are {', '.join(f'Role.{role.name}' for role in Role)}."
    if kind.form is not None and not (isinstance(kind.form, type) and issubclass(kind.form, KindForm)):
        yield "its form must be a subclass of KindForm, or None."
    if isinstance(kind.max_attempts, bool) or not isinstance(kind.max_attempts, int) or kind.max_attempts < 1:
        yield "max_attempts must be a whole number, 1 at least."
    if not (isinstance(kind.time_limit, timedelta) and kind.time_limit > timedelta()):
        yield "time_limit must be a timedelta longer than nothing."
    for pause in ("backoff", "backoff_max"):
        if not (isinstance(getattr(kind, pause), timedelta) and getattr(kind, pause) >= timedelta()):
            yield f"{pause} must be a timedelta that is not negative."
    if not isinstance(kind.holds_line, bool):
        yield "holds_line must be True or False."
    if not (isinstance(kind.nav, list | tuple) and all(map(_is_link, kind.nav))):
        yield "nav must be a tuple of links, each a label and the name of a URL."
    if kind.on_hold_link is not None and not _is_link(kind.on_hold_link):
        yield "on_hold_link must be a label and the name of a URL, or None."
    if kind.failed_link is not None and not _is_link(kind.failed_link):
        yield "failed_link must be a label and the name of a URL, or None."
    if not (isinstance(kind.sentences, Mapping) and all(map(_is_sentence, kind.sentences.items()))):
        yield "its sentences must be a dict of texts by code."
    if type(kind).run is Kind.run:
        yield "it has no method `run`."
    if not isinstance(kind.stylesheet, str) or (kind.stylesheet and not finders.find(kind.stylesheet)):
        yield f"its style sheet {kind.stylesheet} does not exist."
    if not (isinstance(kind.quotas, list | tuple) and all(isinstance(one, Quota) for one in kind.quotas)):
        yield "its quotas must be a tuple of Quota."
    yield from _url_problems(kind)
    yield from _template_problems(kind)


def _is_text(value: object) -> bool:
    return isinstance(value, Text) and bool(str(value))


def _is_sentence(value: tuple[object, object]) -> bool:
    return isinstance(value[0], str) and isinstance(value[1], Text)


def _is_link(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and _is_text(value[0]) and isinstance(value[1], str)


def _url_problems(kind: Kind) -> Iterator[str]:
    if kind.urls is None:
        return
    if not isinstance(kind.urls, str):
        yield "its urls must be the dotted path of a URLconf, or None."
        return
    try:
        import_module(kind.urls)
    except (ImportError, ValueError) as error:
        yield f"its urls {kind.urls!r} can't be imported ({error})."


def _template_problems(kind: Kind) -> Iterator[str]:
    if not isinstance(kind.summary_template, str):
        yield "its summary_template must be the name of a template."
        return
    try:
        get_template(kind.summary_template)
    except TemplateDoesNotExist:
        yield f"its template {kind.summary_template} does not exist."
    except TemplateSyntaxError as error:
        yield f"its template {kind.summary_template} can't be read ({error})."
