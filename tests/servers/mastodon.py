"""A server that speaks the Mastodon API with less care than Mastodon: no v2, no PKCE, no idempotency."""

import html
import re
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qs

from tests.servers.stand_in import Asked, Reply, StandIn

STATUSES = "POST /api/v1/statuses"
MEDIA = "POST /api/v1/media"


class CarelessMastodon(StandIn):
    """Publishes whatever it is sent, as often as it is sent. It knows one account, ann, and one token."""

    TOKEN = "careless-token"

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[dict[str, Any]] = []
        self.media: list[dict[str, Any]] = []
        self.revoked = False
        self.routes = {
            "GET /api/v1/instance": Reply({"version": "2.7.2 (compatible; Careless 1.0)", "max_toot_chars": 100}),
            "POST /api/v1/apps": Reply({"client_id": "careless-id", "client_secret": "careless-secret"}),
            "POST /oauth/token": Reply({"access_token": self.TOKEN, "token_type": "Bearer"}),
            "POST /oauth/revoke": self.revoke,
            "GET /api/v1/accounts/verify_credentials": Reply(
                {"id": "7", "username": "ann", "display_name": "Ann \u202e\x00<b>", "avatar": f"{self.origin}/ann.png"}
            ),
            "GET /api/v1/accounts/7/statuses": self.newest,
            MEDIA: self.upload,
            STATUSES: self.publish,
        }

    def revoke(self, asked: Asked) -> Reply:
        self.revoked = asked.form["token"] == self.TOKEN
        return Reply({})

    def newest(self, asked: Asked) -> Reply:
        return self.guarded(asked) or Reply(list(reversed(self.statuses)))

    def publish(self, asked: Asked) -> Reply:
        if refusal := self.guarded(asked):
            return refusal
        number = str(len(self.statuses) + 1)
        named = parse_qs(asked.body.decode()).get("media_ids[]", [])
        self.statuses.append(
            {
                "id": number,
                "url": f"{self.origin}/@ann/{number}",
                "content": as_html(asked.form.get("status", "")),
                "spoiler_text": asked.form.get("spoiler_text", ""),
                "visibility": asked.form.get("visibility", "public"),
                "language": asked.form.get("language"),
                "media_attachments": [one for one in self.media if one["id"] in named],
            }
        )
        return Reply(self.statuses[-1])

    def upload(self, asked: Asked) -> Reply:
        """Ids are made from file names, as some servers do."""
        if refusal := self.guarded(asked):
            return refusal
        parts = multipart(asked)
        file = parts["file"]
        media = {
            "id": re.sub(r"\W", "-", str(file.get_filename())),
            "type": "image",
            "description": str(parts["description"].get_payload()),
        }
        self.media = [one for one in self.media if one["id"] != media["id"]] + [media]
        return Reply(media)

    def publish_without_answer(self, asked: Asked) -> Reply:
        """The post is made, its reply is lost."""
        self.publish(asked)
        return Reply(dropped=True)

    def guarded(self, asked: Asked) -> Reply | None:
        if self.revoked or asked.bearer != self.TOKEN:
            return Reply({"error": "The access token was revoked"}, 401)
        return None


def multipart(asked: Asked) -> dict[str, Message]:
    """The parts of a multipart form by name."""
    whole = message_from_bytes(f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode() + asked.body)
    return {
        str(part.get_param("name", header="content-disposition")): part
        for part in whole.walk()
        if not part.is_multipart()
    }


def as_html(text: str) -> str:
    """As Mastodon shows a text: paragraphs, links in pieces, mentions without their server."""
    escaped = html.escape(text, quote=False)
    linked = re.sub(
        r"https://(\S{5})(\S*)",
        r'<a href="https://\1\2"><span class="invisible">https://</span><span class="ellipsis">\1</span>'
        r'<span class="invisible">\2</span></a>',
        escaped,
    )
    mentioned = re.sub(r"@(\w+)@[\w.]+\w", r'<span class="h-card"><a href="/x">@<span>\1</span></a></span>', linked)
    return "<p>" + mentioned.replace("\n\n", "</p><p>").replace("\n", "<br />") + "</p>"
