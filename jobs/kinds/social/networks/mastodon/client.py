"""The Mastodon client API, as Mastodon and the servers compatible with it speak it.

https://docs.joinmastodon.org/client/intro/
"""

import html
import json
import re
import time
import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import regex

from .....contract import Failed, Run, TryAgain
from ... import http
from ...lengths import REMOTE_MENTION
from ...models import Account
from ...post import Post, PreparedPicture, upload_all
from .models import MastodonApp

LABEL = "Mastodon"
SCOPES = "read:accounts read:statuses write:statuses write:media"
NEWEST = 40
"""Statuses that are looked through for a post whose outcome is unknown; the most that one request gives."""
PROCESSING_SECONDS = 45
"""How long one attempt waits until the server has processed an uploaded picture."""
PROCESSING_PAUSE = 0.5
"""Seconds between two looks at that."""


@dataclass(frozen=True)
class Profile:
    """Who a token belongs to. avatar: URL as the server gave it, unchecked."""

    id: str
    handle: str
    name: str
    avatar: object


def read_limits(instance: str) -> dict[str, int]:
    """What one post may hold on this server (see networks.base.Limits). Raises Failed if it is no Mastodon server.

    https://docs.joinmastodon.org/methods/instance/#v2, and #v1 for servers older than 4.0.
    """
    name = http.named(LABEL, instance)
    for version in ("v2", "v1"):
        answer = http.request("GET", f"{instance}/api/{version}/instance", name)
        fields = answer.fields()
        if answer.ok and isinstance(fields.get("version"), str):
            statuses = _object(_object(fields, "configuration"), "statuses")
            media = _object(_object(fields, "configuration"), "media_attachments")
            stated = {
                "characters": _count(statuses.get("max_characters")) or _count(fields.get("max_toot_chars")),
                "characters_per_url": _count(statuses.get("characters_reserved_per_url")),
                "media": _count(statuses.get("max_media_attachments")),
                "picture_bytes": _count(media.get("image_size_limit")),
                "picture_pixels": _count(media.get("image_matrix_limit")),
                "alt": _count(media.get("description_limit")),
            }
            return {limit: number for limit, number in stated.items() if number}
        if answer.status in (429, 503) or 300 <= answer.status < 400:
            http.expect(answer, name)
    raise Failed("not_mastodon", host=http.host_of(instance))


def offers_pkce(instance: str) -> bool:
    """Whether the server says that it checks code challenges with S256 (RFC 8414; Mastodon since 4.3)."""
    answer = http.request("GET", f"{instance}/.well-known/oauth-authorization-server", http.named(LABEL, instance))
    methods = answer.fields().get("code_challenge_methods_supported")
    return answer.ok and isinstance(methods, list) and "S256" in methods


def app_of(instance: str, callback_url: str) -> MastodonApp:
    """The registration of this site at a server, made if there is none or if the server forgot it.

    https://docs.joinmastodon.org/methods/apps/#create
    """
    app = MastodonApp.objects.filter(instance=instance, callback_url=callback_url, scopes=SCOPES).first()
    if app and _is_known(app):
        return app
    name = http.named(LABEL, instance)
    form = {"client_name": "Offload", "redirect_uris": callback_url, "scopes": SCOPES}
    fields = http.expect(http.request("POST", f"{instance}/api/v1/apps", name, data=form), name).fields()
    client = {key: http.secret(fields.get(key)) for key in ("client_id", "client_secret")}
    if not all(client.values()):
        raise http.not_understood(name)
    return MastodonApp.objects.update_or_create(
        instance=instance,
        callback_url=callback_url,
        defaults={"credentials_text": json.dumps(client), "scopes": SCOPES},
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
    name = http.named(LABEL, app.instance)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.callback_url,
        "scope": SCOPES,
        **({"code_verifier": verifier} if verifier else {}),
    }
    answer = _token_request(app, form)
    if answer.status in (400, 401, 403):
        raise Failed("code_refused", who=name)
    token = http.secret(http.expect(answer, name).fields().get("access_token"))
    if not token:
        raise http.not_understood(name)
    return token


def _token_request(app: MastodonApp, form: dict[str, str]) -> http.Answer:
    url = f"{app.instance}/oauth/token"
    return http.request("POST", url, http.named(LABEL, app.instance), data=form | app.client)


def profile(instance: str, token: str) -> Profile:
    """Whose token it is. https://docs.joinmastodon.org/methods/accounts/#verify_credentials"""
    name = http.named(LABEL, instance)
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


def post(account: Account, post: Post, run: Run) -> dict[str, Any]:
    """Publish the post as a status, once over all attempts of the job. Returns its address.

    Servers may ignore Idempotency-Key or forget it within the hour, so an attempt that follows one of unknown outcome
    first looks for its status among those that appeared since.
    https://docs.joinmastodon.org/methods/statuses/#create
    """
    newest = _newest(account)
    if run.kept.get("sending"):
        wanted = _essence_of(post)
        for status in newest:
            if status["id"] not in run.kept["known"] and _essence_there(status) == wanted:
                return _posted(account, status, post)
    media = upload_all(account, post, run, lambda picture, number: _upload(account, picture, f"{run.job_id}-{number}"))
    for number, media_id in enumerate(media, 1):
        run.progress(90, "waiting_for_picture", host=http.host_of(account.instance), number=number)
        _wait_for_processing(account, media_id)
    run.progress(95, "posting", who=account.who)
    if not run.kept.get("sending"):
        run.keep(sending=True, known=[status["id"] for status in newest])
    fields = {"status": post.text, "spoiler_text": post.warning, "language": post.language}
    answer = http.request(
        "POST",
        f"{account.instance}/api/v1/statuses",
        account.who,
        headers=_bearer(account.credentials["token"]) | {"Idempotency-Key": str(run.job_id)},
        data={
            **{name: value for name, value in fields.items() if value},
            **({"visibility": post.visibility} if post.visibility else {}),
            **({"media_ids[]": media} if media else {}),
        },
    )
    status = http.expect(answer, account.who).fields()
    if not isinstance(status.get("id"), str):
        # Whether it is published will show among the newest statuses.
        raise http.not_understood(account.who)
    return _posted(account, status, post)


def _upload(account: Account, picture: PreparedPicture, name: str) -> str:
    """Hand over a picture. Returns the server's id of it. name: without a suffix; ids may be made from it.

    https://docs.joinmastodon.org/methods/media/#v2, and #v1 for servers that know no other.
    """
    suffix = picture.type.rpartition("/")[2]
    for version in ("v2", "v1"):
        answer = http.request(
            "POST",
            f"{account.instance}/api/{version}/media",
            account.who,
            headers=_bearer(account.credentials["token"]),
            data={"description": picture.alt},
            files={"file": (f"{name}.{suffix}", picture.read(), picture.type)},
            patience=http.UPLOADS,
        )
        if answer.status not in (404, 405):
            break
    media_id = http.expect(answer, account.who).fields().get("id")
    if not isinstance(media_id, str) or not re.fullmatch(r"[\w-]{1,200}", media_id):
        raise http.not_understood(account.who)
    return media_id


def _wait_for_processing(account: Account, media_id: str) -> None:
    """Wait until the picture can be posted. Raises TryAgain if that takes long.

    https://docs.joinmastodon.org/methods/media/#get: 206 until then. Servers without it take pictures as they come.
    """
    end = time.monotonic() + PROCESSING_SECONDS
    while True:
        url = f"{account.instance}/api/v1/media/{media_id}"
        answer = http.request("GET", url, account.who, headers=_bearer(account.credentials["token"]))
        if answer.status in (404, 405):
            return
        if http.expect(answer, account.who).status != 206:
            return
        if time.monotonic() > end:
            raise TryAgain("processing", who=account.who)
        time.sleep(PROCESSING_PAUSE)


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


def _posted(account: Account, status: dict[str, Any], post: Post) -> dict[str, Any]:
    """The result of a job: the address of the status, or of its account where the server names none that is one.

    missing: how many pictures the server left out, if it did.
    """
    url = status.get("url")
    missing = len(post.pictures) - len(_attachments(status))
    return {
        "url": url if http.is_web_address(url) else f"{account.instance}/{account.handle.rpartition('@')[0]}",
        **({"missing": missing} if missing > 0 else {}),
    }


def _attachments(status: dict[str, Any]) -> list[dict[str, Any]]:
    attached = status.get("media_attachments")
    return [one for one in attached if isinstance(one, dict)] if isinstance(attached, list) else []


def _plain(content: object) -> str:
    """A status' HTML without its tags. Not for display: what remains is only compared."""
    return html.unescape(re.sub(r"<[^<>]*>", "", content)) if isinstance(content, str) else ""


def _essence_of(post: Post) -> list[str]:
    """What a post and its status have in common: text, warning, and what the pictures show."""
    return [_essence(text) for text in (post.text, post.warning, *(picture.alt for picture in post.pictures))]


def _essence_there(status: dict[str, Any]) -> list[str]:
    said = status.get("spoiler_text"), *(attached.get("description") for attached in _attachments(status))
    texts = (text if isinstance(text, str) else "" for text in said)
    return [_essence(text) for text in (_plain(status.get("content")), *texts)]


def _essence(text: str) -> str:
    """What of a text stays: servers change white space and shorten mentions to names."""
    return "".join(regex.sub(REMOTE_MENTION, r"@\1", unicodedata.normalize("NFKC", text)).split())


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    """A limit as a server states it, None if it is no sensible number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12 else None
