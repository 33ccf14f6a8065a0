"""A server that speaks the Mastodon API with less care than Mastodon: no v2, no PKCE, no idempotency."""

import html
import re
from typing import Any

from tests.servers.stand_in import Asked, Reply, StandIn


class CarelessMastodon(StandIn):
    """Publishes whatever it is sent, as often as it is sent. It knows one account, ann, and one token."""

    TOKEN = "careless-token"

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[dict[str, Any]] = []
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
            "POST /api/v1/statuses": self.publish,
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
        self.statuses.append(
            {"id": number, "url": f"{self.origin}/@ann/{number}", "content": as_html(asked.form["status"])}
        )
        return Reply(self.statuses[-1])

    def publish_without_answer(self, asked: Asked) -> Reply:
        """The post is made, its reply is lost."""
        self.publish(asked)
        return Reply(dropped=True)

    def guarded(self, asked: Asked) -> Reply | None:
        if self.revoked or asked.bearer != self.TOKEN:
            return Reply({"error": "The access token was revoked"}, 401)
        return None


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
