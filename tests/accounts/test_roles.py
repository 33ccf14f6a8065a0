"""Who gets which page of second factors and sessions: every address, asked for by everybody."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from accounts import urls
from tests.accounts.conftest import PASSWORD, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.apart]

TAKEN = "taken@example.org"
TO_SIGN_IN, TO_CODE, TO_FRESH, ELSEWHERE = "to the sign-in", "to the code", "to a fresh sign-in", "elsewhere"
PAGE, MISSING, REFUSED = "200", "404", "405"

# visitor: signed out. halfway: gave the password, and no code yet. signed in: a while ago. fresh: gave the password
# once more. other: fresh, too, but somebody else, who has no second factor.
ROLES = ("visitor", "halfway", "signed in", "fresh", "other")
NEEDS_FRESH = (TO_SIGN_IN, TO_SIGN_IN, TO_FRESH, PAGE)
GET: dict[str, tuple[str, ...]] = {
    "mfa_index": (TO_SIGN_IN, TO_SIGN_IN, PAGE, PAGE, PAGE),
    "mfa_list_webauthn": (ELSEWHERE,) * 5,
    "mfa_authenticate": (TO_SIGN_IN, PAGE, ELSEWHERE, ELSEWHERE, ELSEWHERE),
    "mfa_login_webauthn": (TO_SIGN_IN, TO_CODE, ELSEWHERE, ELSEWHERE, ELSEWHERE),
    "mfa_reauthenticate": (TO_SIGN_IN, TO_SIGN_IN, PAGE, PAGE, TO_FRESH),
    "mfa_reauthenticate_webauthn": (TO_SIGN_IN, TO_SIGN_IN, PAGE, PAGE, TO_FRESH),
    "mfa_activate_totp": (TO_SIGN_IN, TO_SIGN_IN, TO_FRESH, ELSEWHERE, PAGE),
    "mfa_deactivate_totp": (*NEEDS_FRESH, MISSING),
    "mfa_view_recovery_codes": (*NEEDS_FRESH, MISSING),
    "mfa_generate_recovery_codes": (*NEEDS_FRESH, PAGE),
    "mfa_add_webauthn": (*NEEDS_FRESH, PAGE),
    "mfa_edit_webauthn": (*NEEDS_FRESH, MISSING),
    "mfa_remove_webauthn": (*NEEDS_FRESH, MISSING),
    "account_end_session": (REFUSED,) * 5,
    "usersessions_list": (TO_SIGN_IN, TO_SIGN_IN, PAGE, PAGE, PAGE),
}
POST = {
    "mfa_deactivate_totp": (TO_SIGN_IN, TO_SIGN_IN, TO_FRESH, MISSING),
    "mfa_generate_recovery_codes": (TO_SIGN_IN, TO_SIGN_IN, TO_FRESH, "400"),
    "mfa_edit_webauthn": (TO_SIGN_IN, TO_SIGN_IN, TO_FRESH, MISSING),
    "mfa_remove_webauthn": (TO_SIGN_IN, TO_SIGN_IN, TO_FRESH, MISSING),
    "account_end_session": (TO_SIGN_IN, TO_SIGN_IN, ELSEWHERE, MISSING),
}
"""What changes something of the owner's, asked for by whoever may not; the last column is `other`."""
POST_ROLES = ("visitor", "halfway", "signed in", "other")


FLAGS = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT


def passkey() -> dict[str, Any]:
    """What a browser sends of a new one."""
    public = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    data = AttestedCredentialData.create(bytes(16), b"credential", public)
    attested = AttestationObject.create("none", AuthenticatorData.create(bytes(32), FLAGS, 0, data), {})
    client_data = b'{"type": "webauthn.create", "challenge": "", "origin": "http://localhost"}'
    response = {"clientDataJSON": websafe_encode(client_data), "attestationObject": websafe_encode(bytes(attested))}
    return {"id": "Y3JlZGVudGlhbA", "rawId": "Y3JlZGVudGlhbA", "type": "public-key", "response": response}


def named(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from named(one.url_patterns)
        else:
            yield str(one.name)


@pytest.fixture
def clients(confirmed: User, other_user: User) -> dict[str, Client]:
    """A client for each role, after the owner got every sort of second factor."""
    clients = {role: Client() for role in ROLES}
    for role in ("signed in", "fresh"):
        sign_in(clients[role], TAKEN)
    for role, user in (("signed in", confirmed), ("fresh", confirmed), ("other", other_user)):
        clients[role].force_login(user)
    data: dict[str, dict[str, Any]] = {
        "totp": {"secret": "x"},
        "recovery_codes": {"seed": "x", "used_mask": 0},
        "webauthn": {"name": "My laptop", "credential": passkey()},
    }
    for type_, kept in data.items():
        Authenticator.objects.create(user=confirmed, type=type_, data=kept)
    sign_in(clients["halfway"], TAKEN)
    other_password = "a-long-password"
    clients["fresh"].post(reverse("account_reauthenticate"), {"password": PASSWORD})
    clients["other"].post(reverse("account_reauthenticate"), {"password": other_password})
    return clients


def address(name: str, confirmed: User) -> str:
    """The address, of what is the owner's."""
    if name == "account_end_session":
        return reverse(name, args=[UserSession.objects.filter(user=confirmed).earliest("pk").pk])
    rows = Authenticator.objects.filter(user=confirmed, type="webauthn")
    return reverse(name, args=[rows.get().pk] if name in {"mfa_edit_webauthn", "mfa_remove_webauthn"} else [])


def outcome(answer: Any) -> str:
    if answer.status_code != 302:
        return str(answer.status_code)
    path = answer["Location"].partition("?")[0]
    known = {
        reverse("account_login"): TO_SIGN_IN,
        reverse("mfa_authenticate"): TO_CODE,
        reverse("account_reauthenticate"): TO_FRESH,
    }
    return known.get(path, ELSEWHERE)


def test_every_address_is_in_the_matrix() -> None:
    ours = {name for name in named(urls.urlpatterns) if name.startswith(("mfa_", "usersessions_", "account_end"))}
    assert ours == GET.keys()


@pytest.mark.parametrize("role", ROLES)
def test_who_is_shown_what(clients, confirmed, role):
    found = {name: outcome(clients[role].get(address(name, confirmed))) for name in GET}
    assert found == {name: row[ROLES.index(role)] for name, row in GET.items()}


@pytest.mark.parametrize("role", POST_ROLES)
def test_who_may_not_change_it_changes_nothing(clients, confirmed, role):
    before = list(Authenticator.objects.values())
    values = {"name": "Theirs"}
    found = {name: outcome(clients[role].post(address(name, confirmed), values)) for name in POST}
    assert found == {name: row[POST_ROLES.index(role)] for name, row in POST.items()}
    assert list(Authenticator.objects.values()) == before
