"""A client of the practice network, as any program on the outside would be."""

from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests
from PIL import Image

CALLBACK = "http://127.0.0.1:9/callback"


def png(width: int = 20, height: int = 10) -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height), "teal").save(content, "PNG")
    return content.getvalue()


class Network:
    """The practice network at `url`; each call on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._log_start = 0
        self._log_start = max((call["id"] for call in self.calls()), default=0)

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=20, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=20, **more)

    def behave(self, **behaviour: Any) -> None:
        response = self.post("/practice/behaviour", json=behaviour)
        assert response.status_code == 200, response.text

    def calls(self, path: str = "") -> list[dict[str, Any]]:
        """What the network logged since this client was made, at `path` or anywhere."""
        calls = self.get("/practice/log", params={"after": self._log_start}).json()["calls"]
        return [call for call in calls if path in ("", call["path"])]

    def register(self, **more: Any) -> dict[str, Any]:
        data = {"client_name": "Offload", "redirect_uris": CALLBACK, "scopes": "read write", **more}
        app: dict[str, Any] = self.post("/api/v1/apps", data=data).json()
        return app

    def question(self, app: dict[str, Any], **more: str) -> dict[str, str]:
        """The query of an address at which a person approves `app`."""
        query = {
            "response_type": "code",
            "client_id": app["client_id"],
            "redirect_uri": CALLBACK,
            "scope": "read write",
        }
        return {**query, **more}

    def decide(self, query: dict[str, str], name: str = "ann", decision: str = "approve") -> dict[str, str]:
        """Press a button on the page; what the app is told by the redirect."""
        form = {"name": name, "decision": decision}
        response = self.post("/oauth/authorize", params=query, data=form, allow_redirects=False)
        assert response.status_code == 302, response.text
        address = urlsplit(response.headers["Location"])
        assert address._replace(query="").geturl() == CALLBACK
        return {name: values[0] for name, values in parse_qs(address.query).items()}

    def redeem(self, app: dict[str, Any], code: str, **more: str) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
            "redirect_uri": CALLBACK,
            "code": code,
            **more,
        }
        return self.post("/oauth/token", data=form)

    def connect(self, name: str = "", scope: str = "read write") -> "Person":
        """Sign up a practice person and get a token for them."""
        name = name or f"p{uuid4().hex[:10]}"
        app = self.register()
        code = self.decide(self.question(app, scope=scope), name)["code"]
        return Person(self, app, name, self.redeem(app, code).json()["access_token"])


class Person:
    """One connected account."""

    def __init__(self, network: Network, app: dict[str, Any], name: str, token: str) -> None:
        self.network, self.app, self.name, self.token = network, app, name, token
        self.headers = {"Authorization": f"Bearer {token}"}

    def me(self) -> requests.Response:
        return self.network.get("/api/v1/accounts/verify_credentials", headers=self.headers)

    def toot(self, text: str = "", key: str = "", **more: Any) -> requests.Response:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        return self.network.post("/api/v1/statuses", headers=headers, json={"status": text, **more})

    def statuses(self) -> list[dict[str, Any]]:
        """What the network really has of this person."""
        everything = self.network.get("/practice/statuses").json()["statuses"]
        return [status for status in everything if status["account"]["username"] == self.name]

    def upload(self, content: bytes, **form: str) -> requests.Response:
        files = {"file": ("photo.png", content)}
        return self.network.post("/api/v2/media", headers=self.headers, files=files, data=form)

    def media(self, pk: str) -> requests.Response:
        return self.network.get(f"/api/v1/media/{pk}", headers=self.headers)
