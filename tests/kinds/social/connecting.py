"""Connecting accounts as a person does, for tests."""

import io
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

from tests.servers.bluesky import Pds
from tests.servers.stand_in import StandIn

ACCOUNTS = "/social/accounts/"
MASTODON = "/social/connect/mastodon/"
CALLBACK = "/social/connect/mastodon/callback/"
BLUESKY = "/social/connect/bluesky/"
WEBHOOK = "/social/connect/webhook/"


def picture(width: int = 200, height: int = 100) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "JPEG", comment=b"made by somebody")
    return file.getvalue()


def said(response) -> str:
    """The messages of the page that a redirect leads to."""
    return " ".join(str(message) for message in response.context["messages"])


def sent_to(page, server: StandIn) -> dict[str, str]:
    """Begin to connect; the query with which the browser arrives at the server's own page."""
    response = page.post(MASTODON, {"server": server.origin})
    assert response.status_code == 303, response.context["form"].errors
    assert response["Location"].startswith(f"{server.origin}/oauth/authorize?")
    return dict(parse_qsl(urlsplit(response["Location"]).query))


def signed_in(page, pds, **more: str):
    form = {"handle": "@Ann.test", "app_password": Pds.PASSWORD, "service": pds.origin}
    return page.post(BLUESKY, form | more, follow=True)
