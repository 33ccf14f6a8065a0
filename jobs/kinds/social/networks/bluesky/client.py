"""Bluesky: the AT Protocol's XRPC calls for signing in and for writing posts.

https://docs.bsky.app/docs/get-started, https://atproto.com/specs/xrpc
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from .....contract import Failed, Run
from ... import http
from ...models import Account
from ...post import Post, PreparedPicture, upload_all
from .facets import facets

LABEL = "Bluesky"
SERVICE = "https://bsky.social"
"""Where accounts sign in that did not choose a server of their own."""
COLLECTION = "app.bsky.feed.post"
REVOKED = ("ExpiredToken", "InvalidToken", "AuthMissing", "AccountTakedown", "AccountDeactivated")
"""Errors of a refresh that only a new sign-in (or its owner's word with the server) can end."""
DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]{1,2000}")
HANDLE = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Session:
    """A sign-in. pds: origin of the server that keeps the account's posts.

    The access token lasts for about two hours, the refresh token for months; each refresh replaces both, so the app
    password need not be kept.
    """

    did: str
    handle: str
    pds: str
    access: str
    refresh: str

    def credentials(self) -> dict[str, str]:
        """What is stored, encrypted, on the account."""
        return {"did": self.did, "pds": self.pds, "access": self.access, "refresh": self.refresh}


def sign_in(service: str, handle: str, app_password: str) -> Session:
    """Sign in with an app password. Raises Failed("login_refused") if the server does not accept it.

    https://docs.bsky.app/docs/api/com-atproto-server-create-session
    """
    name = http.named(LABEL, service)
    body = {"identifier": handle, "password": app_password}
    answer = _call("POST", service, "com.atproto.server.createSession", name, json=body)
    if answer.fields().get("error") == "AuthFactorTokenRequired":
        raise Failed("login_refused", say="second_factor", who=name)
    if answer.status == 401:
        raise Failed("login_refused", who=name)
    if answer.status == 404 or (answer.ok and not answer.fields()):
        raise Failed("not_bluesky", host=http.host_of(service))
    return _session(http.expect(answer, name), service, name)


def picture_and_name(session: Session) -> tuple[object, str]:
    """URL of the account's picture, unchecked, and its display name; nothing where the server can't tell.

    https://docs.bsky.app/docs/api/app-bsky-actor-get-profile
    """
    answer = _call(
        "GET",
        session.pds,
        "app.bsky.actor.getProfile",
        http.named(LABEL, session.pds),
        token=session.access,
        params={"actor": session.did},
    )
    fields = answer.fields() if answer.ok else {}
    return fields.get("avatar"), http.clean(fields.get("displayName"))


def revoke(account: Account) -> None:
    """End the session on the server. https://docs.bsky.app/docs/api/com-atproto-server-delete-session"""
    credentials = account.credentials
    answer = _call(
        "POST", credentials["pds"], "com.atproto.server.deleteSession", account.who, token=credentials["refresh"]
    )
    http.expect(answer, account.who)


def post(account: Account, post: Post, run: Run) -> dict[str, Any]:
    """Write the post, once over all attempts of the job. Returns its address.

    The record and its key are settled before the first write and the same in each attempt. With `swapRecord: null` the
    server writes a new record, answers an identical repetition as if it were new, and refuses anything else.
    https://docs.bsky.app/docs/api/com-atproto-repo-put-record
    """
    did = account.credentials["did"]
    blobs = upload_all(account, post, run, lambda picture, number: _upload(account, picture))
    run.progress(95, "posting", who=account.who)
    if not run.kept.get("sending"):
        now = datetime.now(UTC)
        run.keep(
            sending=True,
            rkey=tid(now, run.job_id.int),
            created_at=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            facets=facets(post.text, cache(lambda handle: _did_of(account, handle))),
            # A blob is named by its content: those that a later attempt uploads once more are the same.
            blobs=blobs,
        )
    record: dict[str, Any] = {"$type": COLLECTION, "text": post.text, "createdAt": run.kept["created_at"]}
    if run.kept["facets"]:
        record["facets"] = run.kept["facets"]
    if post.language:
        record["langs"] = [post.language]
    if post.pictures:
        images = [_image(picture, blob) for picture, blob in zip(post.pictures, run.kept["blobs"], strict=True)]
        record["embed"] = {"$type": "app.bsky.embed.images", "images": images}
    body = {"repo": did, "collection": COLLECTION, "rkey": run.kept["rkey"], "record": record, "swapRecord": None}
    answer = http.expect(_signed_in(account, "com.atproto.repo.putRecord", json=body), account.who)
    if not isinstance(answer.fields().get("uri"), str):
        raise http.not_understood(account.who)
    return {"url": f"https://bsky.app/profile/{did}/post/{run.kept['rkey']}"}


def _upload(account: Account, picture: PreparedPicture) -> dict[str, Any]:
    """Hand over a picture. Returns the blob by which a record names it, every field checked.

    https://docs.bsky.app/docs/api/com-atproto-repo-upload-blob, https://atproto.com/specs/data-model#blob-type
    """
    answer = _signed_in(
        account,
        "com.atproto.repo.uploadBlob",
        data=picture.read(),
        content_type=picture.type,
        patience=http.UPLOADS,
    )
    blob = http.expect(answer, account.who).fields().get("blob")
    ref = blob.get("ref") if isinstance(blob, dict) else None
    link = ref.get("$link") if isinstance(ref, dict) else None
    if not isinstance(blob, dict) or not isinstance(blob.get("size"), int) or not http.secret(link):
        raise http.not_understood(account.who)
    return {"$type": "blob", "ref": {"$link": link}, "mimeType": picture.type, "size": blob["size"]}


def _image(picture: PreparedPicture, blob: dict[str, Any]) -> dict[str, Any]:
    """https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/embed/images.json"""
    return {
        "alt": picture.alt,
        "image": blob,
        "aspectRatio": {"width": picture.width, "height": picture.height},
    }


def tid(moment: datetime, clock: int) -> str:
    """A timestamp identifier: 53 bits of microseconds since 1970, 10 bits that tell apart those who count at once.

    https://atproto.com/specs/tid
    """
    number = int(moment.timestamp() * 1_000_000) << 10 | clock & 0x3FF
    return "".join("234567abcdefghijklmnopqrstuvwxyz"[number >> shift & 31] for shift in range(60, -1, -5))


def _signed_in(account: Account, method: str, **what: Any) -> http.Answer:
    """Call with the account's access token; if it has expired, refresh the session and call once more.

    what: as for `_call`.
    """
    credentials = account.credentials
    answer = _call("POST", credentials["pds"], method, account.who, token=credentials["access"], **what)
    if answer.fields().get("error") not in ("ExpiredToken", "InvalidToken"):
        return answer
    session = _refresh(account)
    return _call("POST", session.pds, method, account.who, token=session.access, **what)


def _refresh(account: Account) -> Session:
    """Replace the account's session and store the new one. Raises Failed("reconnect") if that is over as well.

    https://docs.bsky.app/docs/api/com-atproto-server-refresh-session
    """
    credentials = account.credentials
    answer = _call(
        "POST", credentials["pds"], "com.atproto.server.refreshSession", account.who, token=credentials["refresh"]
    )
    if answer.fields().get("error") in REVOKED:
        raise Failed("reconnect", say="session_over", who=account.who)
    session = _session(http.expect(answer, account.who), credentials["pds"], account.who)
    account.credentials = session.credentials()
    account.save(update_fields=["credentials_text"])
    return session


def _session(answer: http.Answer, service: str, name: str) -> Session:
    """The session that an answer describes, every field checked. Raises an error if one is missing."""
    fields = answer.fields()
    did, handle = http.clean(fields.get("did"), 2048), http.clean(fields.get("handle"), 253).lower()
    access, refresh = http.secret(fields.get("accessJwt")), http.secret(fields.get("refreshJwt"))
    if not (DID.fullmatch(did) and HANDLE.fullmatch(handle) and access and refresh):
        raise http.not_understood(name)
    return Session(did, handle, _pds(fields.get("didDoc")) or service, access, refresh)


def _pds(document: object) -> str | None:
    """Origin of the account's own server, as its DID document names it. https://atproto.com/specs/did"""
    services = document.get("service") if isinstance(document, dict) else None
    for service in services if isinstance(services, list) else []:
        if isinstance(service, dict) and str(service.get("id")).endswith("#atproto_pds"):
            endpoint = service.get("serviceEndpoint")
            if isinstance(endpoint, str) and http.is_web_address(endpoint):
                return http.origin_of(endpoint)
    return None


def _did_of(account: Account, handle: str) -> str | None:
    """The DID of the account with that handle, None if there is none.

    https://docs.bsky.app/docs/api/com-atproto-identity-resolve-handle
    """
    pds = account.credentials["pds"]
    answer = _call("GET", pds, "com.atproto.identity.resolveHandle", account.who, params={"handle": handle})
    if answer.status == 400:
        return None
    did = http.expect(answer, account.who).fields().get("did")
    return did if isinstance(did, str) and DID.fullmatch(did) else None


def _call(
    verb: str,
    server: str,
    method: str,
    name: str,
    *,
    token: str = "",
    content_type: str = "",
    **what: Any,
) -> http.Answer:
    """One XRPC call. content_type: of `data`. what: as for http.request."""
    headers = {
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **({"Content-Type": content_type} if content_type else {}),
    }
    return http.request(verb, f"{server}/xrpc/{method}", name, headers=headers, **what)
