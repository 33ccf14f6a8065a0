"""Registering an app, approving it and getting a token, as Mastodon does. https://docs.joinmastodon.org/methods/oauth/"""

import base64
import hashlib
import hmac
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from ..conf import options
from . import entities
from .api import parameters, text_of
from .forms import AuthorizeForm
from .models import App, Code, Token, covers
from .pages import page
from .practice import Answer, Refused, reading

SCOPES = {"read", "write", "follow", "push", "profile", "admin"}
UNKNOWN_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, or unsupported "
    "authentication method."
)
BAD_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the "
    "authorization request, or was issued to another client."
)


@require_http_methods(["GET"])
@reading
def metadata(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/oauth/#authorization-server-metadata"""
    return Answer(
        {
            "issuer": f"{options.SANDBOX_URL}/",
            "authorization_endpoint": f"{options.SANDBOX_URL}/oauth/authorize",
            "token_endpoint": f"{options.SANDBOX_URL}/oauth/token",
            "app_registration_endpoint": f"{options.SANDBOX_URL}/api/v1/apps",
            "revocation_endpoint": f"{options.SANDBOX_URL}/oauth/revoke",
            "scopes_supported": sorted(SCOPES),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


@require_http_methods(["POST"])
@reading
def register(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/apps/#create"""
    given = parameters(request)
    name = text_of(given, "client_name", 200).strip()
    uris = given.get("redirect_uris") or []
    uris = uris.split() if isinstance(uris, str) else uris
    scopes = text_of(given, "scopes", 500) or "read"
    if not name:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: Application name can't be blank")
    if not isinstance(uris, list) or not uris or not all(_is_web_address(uri) for uri in uris):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation failed: Redirect URI must be an absolute URI.")
    if not {scope.partition(":")[0] for scope in scopes.split()} <= SCOPES:
        error = "Validation failed: Scopes doesn't match configured on the server."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error)
    website = text_of(given, "website", 2000)
    app = App.objects.create(name=name, redirect_uris="\n".join(uris), scopes=scopes, website=website)
    return Answer(entities.application(app), effect=True)


def _is_web_address(uri: Any) -> bool:
    """An absolute http or https address without a fragment, as RFC 6749 asks for."""
    try:
        parts = urlsplit(uri)
    except (ValueError, AttributeError, TypeError):
        return False
    return isinstance(uri, str) and parts.scheme in {"http", "https"} and bool(parts.netloc) and not parts.fragment


# Approving leads to the app's own address; browsers apply form-action to that redirect too.
@csp_update({"form-action": ["http:", "https:"]})
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """The page on which a person approves an app. https://www.rfc-editor.org/rfc/rfc6749#section-4.1

    As long as the app or its redirect address is not known to be right, mistakes are told here and never by a redirect.
    """
    asked = request.GET
    app = App.objects.filter(client_id=asked.get("client_id", "")).first()
    if app is None:
        return page("oauth_error", {"text": "No app is registered under this client_id."}, HTTPStatus.BAD_REQUEST)
    redirect_uri = asked.get("redirect_uri", "")
    if redirect_uri not in app.redirect_uris.split("\n"):
        text = f"{app.name} did not register the redirect_uri of this link."
        return page("oauth_error", {"text": text}, HTTPStatus.BAD_REQUEST)

    scopes = asked.get("scope") or "read"
    if asked.get("response_type") != "code":
        return _back(redirect_uri, asked, error="unsupported_response_type")
    if not covers(app.scopes, scopes):
        return _back(redirect_uri, asked, error="invalid_scope")
    if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
        return _back(redirect_uri, asked, error="invalid_request")

    if request.POST.get("decision") == "deny":
        return _back(redirect_uri, asked, error="access_denied")
    form = AuthorizeForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
        return page("authorize", {"form": form, "app": app, "scopes": scopes.split()}, status)
    code = Code.objects.create(
        app=app,
        account=form.account(),
        redirect_uri=redirect_uri,
        scopes=scopes,
        challenge=asked.get("code_challenge", "")[:128],
    )
    return _back(redirect_uri, asked, code=code.value)


def _back(redirect_uri: str, asked: Any, **answer: str) -> HttpResponseRedirect:
    """Send the browser back to the app with the answer, and its `state` as it was."""
    if "state" in asked:
        answer["state"] = asked["state"]
    parts = urlsplit(redirect_uri)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
    return HttpResponseRedirect(urlunsplit(parts._replace(query=query)))


def _app(given: dict[str, Any]) -> App | None:
    """The app whose id and secret a request carries."""
    app = App.objects.filter(client_id=text_of(given, "client_id")).first()
    secret = text_of(given, "client_secret").encode()
    return app if app and hmac.compare_digest(app.client_secret.encode(), secret) else None


@require_http_methods(["POST"])
@reading
def token(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/oauth/#token, with grant_type authorization_code."""
    given = parameters(request)
    app = _app(given)
    if app is None:
        raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_client", error_description=UNKNOWN_CLIENT)
    if given.get("grant_type") != "authorization_code":
        text = "The authorization grant type is not supported by the authorization server."
        raise Refused(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", error_description=text)
    code = Code.objects.filter(
        value=text_of(given, "code"), app=app, redirect_uri=text_of(given, "redirect_uri")
    ).first()
    if code is None or not _proves(code, text_of(given, "code_verifier")) or not code.use():
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_grant", error_description=BAD_GRANT)
    made = Token.objects.create(app=app, account=code.account, scopes=code.scopes)
    return Answer(
        {
            "access_token": made.value,
            "token_type": "Bearer",
            "scope": made.scopes,
            "created_at": int(made.created_at.timestamp()),
        },
        effect=True,
    )


def _proves(code: Code, verifier: str) -> bool:
    """PKCE: whether the verifier is the one that the code's challenge was made from. RFC 7636, section 4.6."""
    if not code.challenge:
        return True
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, code.challenge.encode())


@require_http_methods(["POST"])
@reading
def revoke(request: HttpRequest) -> Answer:
    """https://docs.joinmastodon.org/methods/oauth/#revoke"""
    given = parameters(request)
    app = _app(given)
    if app is None:
        text = "You are not authorized to revoke this token"
        raise Refused(HTTPStatus.FORBIDDEN, "unauthorized_client", error_description=text)
    mine = Token.objects.filter(app=app, value=text_of(given, "token"), revoked_at=None)
    return Answer({}, effect=mine.update(revoked_at=timezone.now()) == 1)
