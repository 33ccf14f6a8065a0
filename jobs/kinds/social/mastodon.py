"""The Mastodon client API, as Mastodon and the servers compatible with it speak it.

https://docs.joinmastodon.org/client/intro/
"""

import html
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from jobs.contract import Failed, Run
from jobs.kinds.social import http
from jobs.kinds.social.lengths import REMOTE_MENTION
from jobs.kinds.social.models import Account, MastodonApp, Network, who

SCOPES = "read:accounts read:statuses write:statuses"
NEWEST = 40
"""Statuses that are looked through for a post whose outcome is unknown; the most that one request gives."""


@dataclass(frozen=True)
class Profile:
    """Who a token belongs to. avatar: URL as the server gave it, unchecked."""

    id: str
    handle: str
    name: str
    avatar: object


def read_limits(instance: str) -> dict[str, int]:
    """What one post may hold on this server (see Account.limits). Raises Failed if it is no Mastodon server.

    https://docs.joinmastodon.org/methods/instance/#v2, and #v1 for servers older than 4.0.
    """
    name = who(Network.MASTODON, instance)
    for version in ("v2", "v1"):
        answer = http.request("GET", f"{instance}/api/{version}/instance", name)
        fields = answer.fields()
        if answer.ok and isinstance(fields.get("version"), str):
            statuses = _object(_object(fields, "configuration"), "statuses")
            return {
                "characters": _count(statuses.get("max_characters")) or _count(fields.get("max_toot_chars")) or 500,
                "characters_per_url": _count(statuses.get("characters_reserved_per_url")) or 23,
                "media": _count(statuses.get("max_media_attachments")) or 4,
            }
        if answer.status in (429, 503) or 300 <= answer.status < 400:
            http.expect(answer, name)
    raise Failed("not_mastodon", f"There is no Mastodon server at {http.host_of(instance)}. Please check the address.")


def offers_pkce(instance: str) -> bool:
    """Whether the server says that it checks code challenges with S256 (RFC 8414; Mastodon since 4.3)."""
    answer = http.request("GET", f"{instance}/.well-known/oauth-authorization-server", who(Network.MASTODON, instance))
    methods = answer.fields().get("code_challenge_methods_supported")
    return answer.ok and isinstance(methods, list) and "S256" in methods


def app_of(instance: str, callback_url: str) -> MastodonApp:
    """The registration of this site at a server, made if there is none or if the server forgot it.

    https://docs.joinmastodon.org/methods/apps/#create
    """
    app = MastodonApp.objects.filter(instance=instance, callback_url=callback_url).first()
    if app and _is_known(app):
        return app
    name = who(Network.MASTODON, instance)
    form = {"client_name": "Offload", "redirect_uris": callback_url, "scopes": SCOPES}
    fields = http.expect(http.request("POST", f"{instance}/api/v1/apps", name, data=form), name).fields()
    client = {key: http.secret(fields.get(key)) for key in ("client_id", "client_secret")}
    if not all(client.values()):
        raise http.not_understood(name)
    return MastodonApp.objects.update_or_create(
        instance=instance, callback_url=callback_url, defaults={"credentials_text": json.dumps(client)}
    )[0]


def _is_known(app: MastodonApp) -> bool:
    """Whether the server still knows the app. With one that it forgot, people would be stuck on its error page."""
    if not app.client:
        return False
    answer = _token_request(app, {"grant_type": "client_credentials", "scope": SCOPES})
    return answer.fields().get("error") not in ("invalid_client", "invalid_scope")


def authorize_url(app: MastodonApp, state: str, challenge: str) -> str:
    """Where the browser goes so that a person allows this site to post. challenge: PKCE's (S256), "" for none.

    https://docs.joinmastodon.org/methods/oauth/#authorize
    """
    query = {
        "response_type": "code",
        "client_id": app.client["client_id"],
        "redirect_uri": app.callback_url,
        "scope": SCOPES,
        "state": state,
    }
    if challenge:
        query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{app.instance}/oauth/authorize?{urlencode(query, quote_via=quote)}"


def token_for(app: MastodonApp, code: str, verifier: str) -> str:
    """The access token for the code that the server's page sent back. verifier: PKCE's, "" for none.

    https://docs.joinmastodon.org/methods/oauth/#token
    """
    name = who(Network.MASTODON, app.instance)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.callback_url,
        "scope": SCOPES,
        **({"code_verifier": verifier} if verifier else {}),
    }
    answer = _token_request(app, form)
    if answer.status in (400, 401, 403):
        raise Failed("code_refused", f"{name} did not accept the authorisation. Please connect once more.")
    token = http.secret(http.expect(answer, name).fields().get("access_token"))
    if not token:
        raise http.not_understood(name)
    return token


def _token_request(app: MastodonApp, form: dict[str, str]) -> http.Answer:
    url = f"{app.instance}/oauth/token"
    return http.request("POST", url, who(Network.MASTODON, app.instance), data=form | app.client)


def profile(instance: str, token: str) -> Profile:
    """Whose token it is. https://docs.joinmastodon.org/methods/accounts/#verify_credentials"""
    name = who(Network.MASTODON, instance)
    url = f"{instance}/api/v1/accounts/verify_credentials"
    fields = http.expect(http.request("GET", url, name, headers=_bearer(token)), name).fields()
    account_id, username = http.clean(fields.get("id")), http.clean(fields.get("username"))
    if not re.fullmatch(r"[\w-]{1,64}", account_id) or not re.fullmatch(r"[\w.-]{1,100}", username):
        raise http.not_understood(name)
    handle = f"@{username}@{http.host_of(instance)}"
    return Profile(account_id, handle, http.clean(fields.get("display_name")), fields.get("avatar"))


def revoke(account: Account) -> None:
    """Give the token back. https://docs.joinmastodon.org/methods/oauth/#revoke"""
    credentials = account.credentials
    app = MastodonApp.objects.filter(instance=account.instance, callback_url=credentials["callback_url"]).first()
    form = {"token": credentials["token"], **(app.client if app else {})}
    http.expect(http.request("POST", f"{account.instance}/oauth/revoke", account.who, data=form), account.who)


def post(account: Account, text: str, run: Run) -> dict[str, Any]:
    """Publish the text as a status, once over all attempts of the job. Returns its address.

    Servers may ignore Idempotency-Key or forget it within the hour, so an attempt that follows one of unknown outcome
    first looks for its status among those that appeared since.
    https://docs.joinmastodon.org/methods/statuses/#create
    """
    newest = _newest(account)
    if run.kept.get("sending"):
        wanted = _essence(text)
        for status in newest:
            if status["id"] not in run.kept["known"] and _essence(_plain(status.get("content"))) == wanted:
                return _posted(account, status)
    else:
        run.keep(sending=True, known=[status["id"] for status in newest])
    answer = http.request(
        "POST",
        f"{account.instance}/api/v1/statuses",
        account.who,
        headers=_bearer(account.credentials["token"]) | {"Idempotency-Key": str(run.job_id)},
        data={"status": text},
    )
    status = http.expect(answer, account.who).fields()
    if not isinstance(status.get("id"), str):
        # Whether it is published will show among the newest statuses.
        raise http.not_understood(account.who)
    return _posted(account, status)


def _newest(account: Account) -> list[dict[str, Any]]:
    """The account's newest statuses. https://docs.joinmastodon.org/methods/accounts/#statuses"""
    credentials = account.credentials
    answer = http.request(
        "GET",
        f"{account.instance}/api/v1/accounts/{credentials['account_id']}/statuses",
        account.who,
        headers=_bearer(credentials["token"]),
        params={"limit": str(NEWEST), "exclude_reblogs": "true"},
    )
    statuses = http.expect(answer, account.who).json()
    if not isinstance(statuses, list):
        raise http.not_understood(account.who)
    return [status for status in statuses if isinstance(status, dict) and isinstance(status.get("id"), str)]


def _posted(account: Account, status: dict[str, Any]) -> dict[str, Any]:
    """The result of a job: the address of the status, or of its account where the server names none that is one."""
    url = status.get("url")
    return {"url": url if http.is_web_address(url) else f"{account.instance}/{account.handle.rpartition('@')[0]}"}


def _plain(content: object) -> str:
    """A status' HTML without its tags. Not for display: what remains is only compared."""
    return html.unescape(re.sub(r"<[^<>]*>", "", content)) if isinstance(content, str) else ""


def _essence(text: str) -> str:
    """What a text and its status have in common: servers change white space and shorten mentions to names."""
    return "".join(REMOTE_MENTION.sub(r"@\1", unicodedata.normalize("NFKC", text)).split())


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    """A limit as a server states it, None if it is no sensible number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12 else None
