import base64
import hashlib

import pytest

from tests.sandbox.client import CALLBACK

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_an_approved_app_gets_a_token_that_names_its_account(network):
    person = network.connect("ann_of_oauth")
    me = person.me().json()
    assert me["username"] == "ann_of_oauth"
    assert me["url"] == f"{network.url}/@ann_of_oauth"
    picture = network.get(me["avatar"].removeprefix(network.url))
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_the_state_comes_back_as_it_was(network):
    app = network.register()
    assert network.decide(network.question(app, state="a&b=ü"))["state"] == "a&b=ü"


def test_denying_tells_the_app_so(network):
    app = network.register()
    answer = network.decide(network.question(app, state="s"), name="", decision="deny")
    assert answer == {"error": "access_denied", "state": "s"}


def test_a_redirect_address_that_was_not_registered_is_never_followed(network):
    app = network.register()
    query = network.question(app, redirect_uri="https://evil.example/")
    response = network.post("/oauth/authorize", params=query, data={"name": "ann"}, allow_redirects=False)
    assert response.status_code == 400
    assert "did not register" in response.text


def test_an_unknown_client_is_told_on_the_page(network):
    query = {"response_type": "code", "client_id": "nobody", "redirect_uri": CALLBACK}
    response = network.get("/oauth/authorize", params=query, allow_redirects=False)
    assert response.status_code == 400
    assert "No app is registered" in response.text


def test_the_page_names_the_app_and_escapes_its_name(network):
    app = network.register(client_name="<b>Offload</b>")
    response = network.get("/oauth/authorize", params=network.question(app))
    assert response.status_code == 200
    assert "&lt;b&gt;Offload&lt;/b&gt;" in response.text
    assert "<b>Offload" not in response.text
    assert "form-action 'self' http: https:" in response.headers["Content-Security-Policy"]


def test_a_name_with_odd_characters_gets_a_sentence_at_its_field(network):
    app = network.register()
    form = {"name": "Ann <script>", "decision": "approve"}
    response = network.post("/oauth/authorize", params=network.question(app), data=form, allow_redirects=False)
    assert response.status_code == 400
    assert "Use lower-case letters" in response.text
    assert "<script>" not in response.text


def test_more_scopes_than_registered_are_refused(network):
    app = network.register(scopes="read")
    assert network.decide(network.question(app, scope="write"))["error"] == "invalid_scope"


def test_a_code_is_good_once(network):
    app = network.register()
    code = network.decide(network.question(app))["code"]
    assert network.redeem(app, code).status_code == 200
    second = network.redeem(app, code)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"code": "wrong"}, 400, "invalid_grant"),
        ({"redirect_uri": "https://elsewhere.example/"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_part_of_the_exchange_gives_no_token(network, wrong, status, error):
    app = network.register()
    code = network.decide(network.question(app))["code"]
    response = network.redeem(app, **{"code": code, **wrong})
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_code_belongs_to_the_app_it_was_issued_to(network):
    code = network.decide(network.question(network.register()))["code"]
    assert network.redeem(network.register(), code).json()["error"] == "invalid_grant"


def test_a_code_with_a_challenge_needs_its_verifier(network):
    metadata = network.get("/.well-known/oauth-authorization-server").json()
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    app = network.register()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).decode().rstrip("=")
    query = network.question(app, code_challenge=challenge, code_challenge_method="S256")
    code = network.decide(query)["code"]
    assert network.redeem(app, code).json()["error"] == "invalid_grant"
    assert network.redeem(app, code, code_verifier="verifier").status_code == 200


def test_a_revoked_token_opens_nothing(network, ann):
    form = {"client_id": ann.app["client_id"], "client_secret": ann.app["client_secret"], "token": ann.token}
    assert network.post("/oauth/revoke", data=form).status_code == 200
    response = ann.me()
    assert (response.status_code, response.json()) == (401, {"error": "The access token was revoked"})


def test_somebody_elses_token_can_not_be_revoked(network, ann):
    form = {"client_id": ann.app["client_id"], "client_secret": "wrong", "token": ann.token}
    assert network.post("/oauth/revoke", data=form).status_code == 403
    assert ann.me().status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic abc"}])
def test_without_a_token_the_answer_is_401(network, headers):
    response = network.get("/api/v1/accounts/verify_credentials", headers=headers)
    assert (response.status_code, response.json()) == (401, {"error": "The access token is invalid"})


def test_a_token_for_reading_can_not_write(network):
    reader = network.connect(scope="read")
    assert reader.me().status_code == 200
    response = reader.toot("no")
    assert (response.status_code, response.json()["error"]) == (403, "This action is outside the authorized scopes")


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_name": ""},
        {"redirect_uris": "javascript:alert(1)"},
        {"redirect_uris": "/relative"},
        {"redirect_uris": ""},
        {"scopes": "everything"},
    ],
)
def test_an_app_with_a_wrong_field_is_not_registered(network, wrong):
    assert network.register(**wrong)["error"].startswith("Validation failed: ")
    assert [call["effect"] for call in network.calls("/api/v1/apps")] == [False]
