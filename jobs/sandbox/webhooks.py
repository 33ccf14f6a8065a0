"""The practice network's webhook inboxes. https://www.standardwebhooks.com/"""

import base64
import hashlib

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def webhook_secret(inbox: str) -> str:
    """The signing secret of an inbox; derived from its name, hence no secret at all: it is there to practise with."""
    digest = hashlib.sha256(f"offload practice inbox {inbox}".encode()).digest()
    return "whsec_" + base64.b64encode(digest).decode()


def is_genuine(inbox: str, body: bytes, headers: dict[str, str]) -> bool:
    """Whether a delivery was signed with the inbox's secret, less than five minutes ago."""
    try:
        Webhook(webhook_secret(inbox)).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: a signature or a body that is malformed
        return False
    return True
