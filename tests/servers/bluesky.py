"""A Bluesky server (PDS): sessions that expire, and records that are written at most once.

https://docs.bsky.app/docs/advanced-guides/entryway, https://docs.bsky.app/docs/api/com-atproto-repo-put-record
"""

import json
from hashlib import sha256
from typing import Any

from tests.servers.stand_in import Asked, Reply, StandIn

XRPC = "/xrpc/com.atproto."
PUT = f"POST {XRPC}repo.putRecord"
UPLOAD = f"POST {XRPC}repo.uploadBlob"
SIGN_IN = f"POST {XRPC}server.createSession"
REFRESH = f"POST {XRPC}server.refreshSession"


class Pds(StandIn):
    """It keeps the account ann.test (its app password is PASSWORD), and knows bob.test.

    home: the server that a sign-in names as the account's own.
    """

    DID = "did:plc:ann"
    PASSWORD = "abcd-efgh-ijkl-mnop"

    def __init__(self) -> None:
        super().__init__()
        self.home = self.origin
        self.generation = 0
        self.access_valid = self.refresh_valid = True
        self.records: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.routes = {
            SIGN_IN: self.create_session,
            REFRESH: self.refresh_session,
            f"POST {XRPC}server.deleteSession": self.delete_session,
            f"GET {XRPC}identity.resolveHandle": self.resolve_handle,
            PUT: self.put_record,
            UPLOAD: self.upload_blob,
            "GET /xrpc/app.bsky.actor.getProfile": Reply({"displayName": "Ann", "avatar": f"{self.origin}/ann.png"}),
        }

    def expire(self, *, refresh: bool = False) -> None:
        """Let the access token expire, and the refresh token too if asked."""
        self.access_valid = False
        self.refresh_valid = not refresh

    def create_session(self, asked: Asked) -> Reply:
        if (asked.json["identifier"], asked.json["password"]) != ("ann.test", self.PASSWORD):
            return error(401, "AuthenticationRequired", "Invalid identifier or password")
        return self.session()

    def refresh_session(self, asked: Asked) -> Reply:
        if not self.refresh_valid or asked.bearer != f"refresh-{self.generation}":
            return error(400, "ExpiredToken", "Token has been revoked")
        return self.session()

    def delete_session(self, asked: Asked) -> Reply:
        self.access_valid = self.refresh_valid = False
        return Reply()

    def session(self) -> Reply:
        self.generation += 1
        self.access_valid = self.refresh_valid = True
        return Reply(
            {
                "did": self.DID,
                "handle": "ann.test",
                "accessJwt": f"access-{self.generation}",
                "refreshJwt": f"refresh-{self.generation}",
                "didDoc": {
                    "id": self.DID,
                    "service": [
                        {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.home}
                    ],
                },
            }
        )

    def resolve_handle(self, asked: Asked) -> Reply:
        if asked.query["handle"] != "bob.test":
            return error(400, "InvalidRequest", "Unable to resolve handle")
        return Reply({"did": "did:plc:bob"})

    def put_record(self, asked: Asked) -> Reply:
        """New: written. The same again: as if new. Anything else under `swapRecord: null`: InvalidSwap."""
        if refusal := self.guarded(asked):
            return refusal
        body = asked.json
        assert body["repo"] == self.DID
        assert "swapRecord" in body
        assert body["swapRecord"] is None
        for image in body["record"].get("embed", {}).get("images", []):
            if image["image"]["ref"]["$link"] not in self.blobs:
                return error(400, "BlobNotFound", "Could not find blob")
        before = self.records.setdefault(body["rkey"], body["record"])
        if before != body["record"]:
            return error(400, "InvalidSwap", "Record was at bafyreib")
        cid = sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()
        return Reply({"uri": f"at://{self.DID}/{body['collection']}/{body['rkey']}", "cid": cid})

    def upload_blob(self, asked: Asked) -> Reply:
        if refusal := self.guarded(asked):
            return refusal
        cid = f"bafkrei{sha256(asked.body).hexdigest()}"
        self.blobs[cid] = asked.body
        kind = asked.headers["Content-Type"]
        return Reply({"blob": {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": len(asked.body)}})

    def guarded(self, asked: Asked) -> Reply | None:
        if not asked.bearer:
            return error(401, "AuthMissing", "Authentication Required")
        if not self.access_valid or asked.bearer != f"access-{self.generation}":
            return error(400, "ExpiredToken", "Token has expired")
        return None

    def put_record_without_answer(self, asked: Asked) -> Reply:
        """The record is written, the reply is lost."""
        self.put_record(asked)
        return Reply(dropped=True)


def error(status: int, name: str, message: str) -> Reply:
    """An XRPC error. https://atproto.com/specs/xrpc#error-responses"""
    return Reply({"error": name, "message": message}, status)
