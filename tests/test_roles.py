"""Every address of the site, and what each role gets there.

A new address has to be added to `OWNERS`, `PEOPLE`, `EVERYBODY` or `STAFF`, so that somebody has thought of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files import storage
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import URLResolver, get_resolver

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.kinds.arithmetic.models import Value
from jobs.kinds.media.models import MediaFile, Version
from jobs.kinds.social.models import Account
from jobs.models import Job, Status, Submit
from tests.conftest import signed_in
from tests.staff.conftest import make

pytestmark = [
    pytest.mark.django_db(databases=["default", "sandbox"]),
    pytest.mark.usefixtures("redis"),
    pytest.mark.apart,
]

OWNERS = {
    "jobs/<uuid:job_id>/": "job",
    "jobs/<uuid:job_id>/status.json": "job",
    "jobs/<uuid:job_id>/retry/": "job",
    "jobs/<uuid:job_id>/reschedule/": "job",
    "jobs/<uuid:job_id>/cancel/": "job",
    "jobs/<uuid:job_id>/skip/": "job",
    "jobs/<uuid:job_id>/delete/": "job",
    "jobs/submits/<uuid:submit_id>/": "submit",
    "jobs/submits/<uuid:submit_id>/retry/": "submit",
    "media/<int:pk>/": "file",
    "media/files/<uuid:job>/<str:name>": "media",
    "media/zip/<uuid:job>/": "media",
    "media/zip/submit/<uuid:submit>/": "media_submit",
    "social/accounts/<int:pk>/avatar/": "account",
    "social/accounts/<int:pk>/disconnect/": "account",
    "social/pictures/<uuid:job>/<int:number>/": "pictures",
    "social/connect/again/<uuid:job>/": "connect",
    "arithmetic/<int:pk>/": "value",
    "export/<uuid:job_id>/download/": "export",
    "erasure/<uuid:job_id>/": "erasure",
}
"""What belongs to one person, with what of theirs it shows."""

PEOPLE = {
    "jobs/",
    "jobs/new/<slug:name>/",
    "jobs/delete/",
    "jobs/usage/",
    "media/",
    "social/accounts/",
    "social/connect/<str:network>/",
    "arithmetic/",
    "export/",
    "erasure/",
    "accounts/sessions/",
    "accounts/email/",
    "accounts/password/change/",
    "accounts/reauthenticate/",
}
"""What each signed-in person has for themselves."""

NEEDS_MORE = {
    "social/connect/<str:network>/callback/<str:key>/": "answers an authorisation that this very browser began",
    "accounts/password/set/": "for people without a password, of whom there are none",
}
"""For signed-in people, who need something else as well."""

EVERYBODY = {
    "",
    "healthz",
    "time-zone/",
    "jobs/status.json",
    "lab/",
    "lab/try/page/",
    "lab/try/waits/",
    "lab/try/queues/",
    "sandbox/",
    "sandbox/mail/",
    "sandbox/mail/<str:key>/",
    "sandbox/network/",
    "accounts/login/",
    "accounts/logout/",
    "accounts/inactive/",
    "accounts/signup/",
    "accounts/confirm-email/",
    "accounts/confirm-email/again/",
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$",
    "accounts/login/code/confirm/",
    "accounts/password/reset/",
    "accounts/password/reset/done/",
    "accounts/password/reset/key/done/",
    r"accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
}
"""What strangers may ask for; nothing of it shows what is somebody's."""

THERE = {"accounts/second-factor/", "accounts/sessions/<int:pk>/end/"}
"""Second factors and sessions have more roles, and a matrix of their own: tests/accounts/test_roles.py."""

STAFF = "admin/"
"""All below is for staff."""
ANY_STAFF = {
    "admin/",
    "admin/password_change/",
    "admin/password_change/done/",
    "admin/jsi18n/",
    "admin/monitor/",
    "admin/monitor/data.json",
}
"""What staff see without a permission: how many jobs there are, and nothing of any of them."""
SIGN_IN = {"admin/login/", "admin/logout/", "^admin/rq/"}
"""Leads on by itself: to the sign-in, and to the monitor."""
CATCH_ALL = "admin/(?P<url>.*)$"

SECRET = "ann's secret title"


def addresses(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """Every address of the site as its patterns are written."""
    for pattern in (resolver or get_resolver()).url_patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern, here)
        else:
            yield here


@dataclass
class Things:
    """What ann has, as the values of the addresses that show it."""

    shown: dict[str, dict[str, Any]]

    def path(self, address: str) -> str:
        """The address of what ann has."""
        return _filled(address, self.shown[OWNERS[address]])

    def missing(self, address: str) -> str:
        """The address of what nobody has."""
        nobodys = {
            name: uuid4() if isinstance(value, UUID) else value if name in {"name", "number"} else 987_654
            for name, value in self.shown[OWNERS[address]].items()
        }
        return _filled(address, nobodys)


def _filled(address: str, values: dict[str, Any]) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(values[match[1]]), address)


@pytest.fixture
def things(user: User, other_user: User) -> Things:
    """One of everything that has an owner."""
    storage.default_storage.save("roles/x", ContentFile(SECRET.encode()))
    entry = {"name": "x.jpg", "type": "image/jpeg", "path": "roles/x", "bytes": len(SECRET)}

    def done(kind: str, **values: Any) -> Job:
        return make(Status.SUCCEEDED, kind, owner=user, **values)

    echo = kind_named("echo")
    assert echo
    pending = lifecycle.submit(echo, [Submission({"text": SECRET}, SECRET)] * 2, owner=user)
    assert pending.submit
    together = Submit.objects.create(owner=user, kind="media", idempotency_key="k", fingerprint="f")
    media = done("media", submit=together, result={"name": SECRET, "files": [entry]})
    file = MediaFile.objects.create(owner=user, name=SECRET, type="image")
    Version.objects.create(file=file, number=1, job=media, change={}, path="roles/x", measures={}, files=[], notes=[])
    account = Account.objects.create(
        owner=user, network="webhook", instance="https://x.example", handle=SECRET, credentials_text="{}"
    )
    account.avatar.save("x.png", ContentFile(b"picture"))
    pictures = done("pictures", result={"pictures": {"1": [entry]}})
    connect = make(Status.FAILED, "connect", owner=user)
    connect.payload = {"network": "webhook", "shown_again": {"url": SECRET}}
    connect.save()
    export = done("export", attempt=1)
    storage.default_storage.save(f"export/{export.pk}/1.zip", ContentFile(SECRET.encode()))
    erasure = done("erasure")
    value = Value.objects.create(owner=user, name=SECRET)
    return Things(
        {
            "job": {"job_id": pending.jobs[0].pk},
            "submit": {"submit_id": pending.submit.pk},
            "file": {"pk": file.pk},
            "media": {"job": media.pk, "name": "x.jpg"},
            "media_submit": {"submit": together.pk},
            "account": {"pk": account.pk},
            "pictures": {"job": pictures.pk, "number": 1},
            "connect": {"job": connect.pk},
            "value": {"pk": value.pk},
            "export": {"job_id": export.pk},
            "erasure": {"job_id": erasure.pk},
        }
    )


@pytest.fixture
def others(other_user: User, staff: Client) -> dict[str, Client]:
    """Everybody but ann, by role."""
    visitor = Client()
    visitor.post("/accounts/signup/", {"email": "eve@example.org"})
    plain = User.objects.create_user("desk", "desk@example.org", is_staff=True)
    reader = User.objects.create_user("reader", "reader@example.org", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return {
        "stranger": Client(),
        "visitor": visitor,
        "somebody else": signed_in(other_user),
        "staff without permissions": signed_in(plain),
        "staff who may look": signed_in(reader),
        "superuser": staff,
    }


def test_every_address_has_its_place_here():
    known = {*OWNERS, *PEOPLE, *NEEDS_MORE, *EVERYBODY, *SIGN_IN}

    unknown = {address for address in addresses() if address not in known}
    assert {address for address in unknown if not address.startswith((STAFF, *THERE))} == set()
    assert known - set(addresses()) == set()


def _content(answer: Any) -> bytes:
    return bytes(answer.getvalue() if answer.streaming else answer.content)


def _answers(client: Client, path: str) -> list[tuple[int, str]]:
    """Status and Location of what pages and programs ask."""
    got = []
    for accept in ("text/html", "application/json"):
        for method in ("GET", "HEAD", "POST"):
            answer = client.generic(method, path, headers={"Accept": accept})
            assert SECRET.encode() not in _content(answer)
            got.append((answer.status_code, answer.headers.get("Location", "").replace(path, "PATH")))
    return got


@pytest.mark.parametrize("address", sorted(OWNERS))
def test_what_is_somebodys_does_not_exist_for_anybody_else(address, things, others, ann):
    before = _state()
    theirs, nobodys = things.path(address), things.missing(address)

    for role, client in others.items():
        got = _answers(client, theirs)
        assert got == [(status, where) for status, where in _answers(client, nobodys)], role
        assert {status for status, where in got if "/login/" not in where} <= {404, 405}, (role, got)
    assert _state() == before

    mine = ann.get(theirs)
    assert mine.status_code in {200, 405}
    _content(mine)


def _state() -> list[Any]:
    """What an action of somebody else's would change."""
    return [
        *Job.objects.filter(owner__username="ann").order_by("pk").values_list("pk", "status", "run_at", "has_turn"),
        *Account.objects.values_list("pk", "handle"),
    ]


@pytest.mark.parametrize("address", sorted(PEOPLE))
def test_what_each_person_has_is_closed_to_strangers(address, others):
    path = _filled(address, {"name": "echo", "network": "webhook"})

    for role in ("stranger", "visitor"):
        for status, where in _answers(others[role], path):
            assert status in {401, 403, 405} or (status == 302 and "/login/" in where), (role, status, where)
    for role in ("somebody else", "superuser"):
        assert others[role].get(path).status_code in {200, 302, 405}, role
        assert "/accounts/login/" not in others[role].get(path).headers.get("Location", ""), role


@pytest.mark.parametrize("address", sorted(EVERYBODY))
def test_what_strangers_may_ask_shows_nothing_of_anybody(address, things, others):
    path = re.sub(r"\(\?P<\w+>[^)]+\)|[$^]", "x", "/" + address) if "?P" in address else _filled(address, {"key": "x"})

    for role, client in others.items():
        answer = client.get(path)
        assert answer.status_code < 500 or address == "healthz", role
        assert SECRET.encode() not in _content(answer), role


def _staff_paths() -> dict[str, str]:
    """The addresses below the admin, each with a path that leads there."""
    found = {}
    # Leads from a row of any model to its page: which row is decided by the page.
    special = {"admin/r/<path:content_type_id>/<path:object_id>/": "/admin/r/0/0/"}
    for address in addresses():
        if address.startswith(STAFF) and address not in SIGN_IN | {CATCH_ALL}:
            path = re.sub(r"\^\(\?P<app_label>(\w+)[^)]*\)/\$", r"\1/", address)
            found[address] = special.get(address) or "/" + re.sub(r"<[^>]+>", "1", path)
    return found


@pytest.mark.parametrize("address", sorted(_staff_paths()))
def test_what_is_for_staff_is_closed_to_everybody_else(address, others, things):
    path = _staff_paths()[address]

    for role in ("stranger", "visitor", "somebody else"):
        for status, where in _answers(others[role], path):
            assert status == 403 or (status == 302 and "login" in where), (role, status, where)
    if address not in ANY_STAFF:
        for method in ("GET", "POST"):
            answer = others["staff without permissions"].generic(method, path)
            # Django leads on from short addresses, and from what is not there, before it asks for permissions.
            led_on = answer.status_code == 302 and answer["Location"] in {"/admin/", f"{path}change/"}
            assert led_on or answer.status_code in {403, 404, 405}, (method, answer.status_code)
