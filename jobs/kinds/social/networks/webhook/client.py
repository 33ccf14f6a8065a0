"""Posts to an address of one's own, signed as Standard Webhooks say.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from .....contract import Failed, Run
from ... import http
from ...models import Account
from ...post import Post

PREFIX = "whsec_"


def new_secret() -> str:
    """A random signing secret of 32 bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    """Whether a text is a signing secret: the prefix and 24 to 64 bytes in base64, padded or not."""
    encoded = text.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return False
    return text.startswith(PREFIX) and 24 <= len(key) <= 64


def post(account: Account, post: Post, run: Run) -> dict[str, Any]:
    """Deliver the post, its pictures in base64. Returns what the receiver answered.

    All attempts carry the same `webhook-id`, by which the receiver tells a repetition, and the same body.
    """
    if not run.kept.get("sending"):
        run.keep(sending=True, created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
    body = json.dumps(
        {
            "type": "post.created",
            "timestamp": run.kept["created_at"],
            "data": {"id": str(run.job_id), "text": post.text, **_more(post)},
        },
        ensure_ascii=False,
    )
    now = datetime.now(UTC)
    credentials = account.credentials
    headers = {
        "Content-Type": "application/json",
        "webhook-id": str(run.job_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(credentials["secret"]).sign(str(run.job_id), now, body),
    }
    answer = http.request("POST", credentials["url"], account.who, headers=headers, data=body.encode())
    if answer.status == 410:
        raise Failed("reconnect", say="receiver_gone", who=account.who)
    if answer.status in (401, 403):
        raise Failed("refused", say="receiver_refused", who=account.who)
    http.expect(answer, account.who)
    return {"status": answer.status, "answer": http.clean(answer.body.decode(errors="replace"))}


def _more(post: Post) -> dict[str, Any]:
    """What else was said of a post; fields without a value are left out."""
    pictures = [
        {
            "alt": picture.alt,
            "type": picture.type,
            "width": picture.width,
            "height": picture.height,
            "content": base64.b64encode(picture.read()).decode(),
        }
        for picture in post.pictures
    ]
    fields = {
        "warning": post.warning,
        "language": post.language,
        "visibility": post.visibility,
        "pictures": pictures,
    }
    return {name: value for name, value in fields.items() if value}
