"""How the practice network's rows look in the Mastodon API. https://docs.joinmastodon.org/entities/"""

from datetime import UTC, datetime
from typing import Any

from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html

from ..conf import options
from .models import Account, App, MediaAttachment, Status
from .templatetags.sandbox import links

MAX_CHARACTERS = 500
CHARACTERS_PER_URL = 23
MAX_PICTURES = 4
MAX_DESCRIPTION = 1500
MAX_PICTURE_BYTES = 16 * 1024 * 1024
MAX_PICTURE_PIXELS = 33_177_600
PICTURE_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
"""Pillow's names of the accepted formats, and their media types."""

Json = dict[str, Any]


def moment(at: datetime) -> str:
    """A time as Mastodon writes it: ISO 8601 in UTC with milliseconds and a Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def application(app: App) -> Json:
    """https://docs.joinmastodon.org/entities/Application/#CredentialApplication"""
    return {
        "id": str(app.pk),
        "name": app.name,
        "website": app.website or None,
        "scopes": app.scopes.split(),
        "redirect_uri": app.redirect_uris,
        "redirect_uris": app.redirect_uris.split("\n"),
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "client_secret_expires_at": 0,
    }


def account(row: Account) -> Json:
    """https://docs.joinmastodon.org/entities/Account/"""
    newest = row.statuses.first()
    return {
        "id": str(row.pk),
        "username": row.name,
        "acct": row.name,
        "display_name": row.name.replace("_", " ").title(),
        "locked": False,
        "bot": False,
        "discoverable": False,
        "group": False,
        "created_at": moment(row.created_at),
        "note": "<p>A practice account.</p>",
        "url": row.url,
        "uri": row.url,
        "avatar": row.avatar,
        "avatar_static": row.avatar,
        "header": "",
        "header_static": "",
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": row.statuses.count(),
        "last_status_at": newest.created_at.date().isoformat() if newest else None,
        "emojis": [],
        "fields": [],
    }


def credential_account(row: Account) -> Json:
    """https://docs.joinmastodon.org/entities/Account/#CredentialAccount"""
    source = {"privacy": "public", "sensitive": False, "language": None, "note": "", "fields": []}
    return {**account(row), "source": {**source, "follow_requests_count": 0}}


def picture(row: MediaAttachment) -> Json:
    """https://docs.joinmastodon.org/entities/MediaAttachment/ (no `url` while it is being processed)"""
    size = {"width": row.width, "height": row.height, "size": f"{row.width}x{row.height}"}
    return {
        "id": str(row.pk),
        "type": "image",
        "url": row.url if row.is_processed else None,
        "preview_url": row.url if row.is_processed else None,
        "remote_url": None,
        "meta": {"original": {**size, "aspect": row.width / row.height}},
        "description": row.description or None,
        "blurhash": None,
    }


def status(row: Status) -> Json:
    """https://docs.joinmastodon.org/entities/Status/"""
    return {
        "id": str(row.pk),
        "created_at": moment(row.created_at),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": row.sensitive,
        "spoiler_text": row.spoiler_text,
        "visibility": row.visibility,
        "language": row.language or None,
        "uri": row.url,
        "url": row.url,
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": None,
        "content": format_html("<p>{}</p>", linebreaksbr(links(row.text))) if row.text else "",
        "reblog": None,
        "application": {"name": row.token.app.name, "website": row.token.app.website or None},
        "account": account(row.account),
        "media_attachments": [picture(one) for one in row.pictures.all()],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
    }


def _configuration() -> Json:
    """The limits, as both versions of the instance entity give them."""
    return {
        "statuses": {
            "max_characters": MAX_CHARACTERS,
            "max_media_attachments": MAX_PICTURES,
            "characters_reserved_per_url": CHARACTERS_PER_URL,
        },
        "media_attachments": {
            "supported_mime_types": list(PICTURE_TYPES.values()),
            "description_limit": MAX_DESCRIPTION,
            "image_size_limit": MAX_PICTURE_BYTES,
            "image_matrix_limit": MAX_PICTURE_PIXELS,
            "video_size_limit": 0,
            "video_frame_rate_limit": 0,
            "video_matrix_limit": 0,
        },
        "polls": {"max_options": 0, "max_characters_per_option": 0, "min_expiration": 0, "max_expiration": 0},
    }


def instance() -> Json:
    """https://docs.joinmastodon.org/entities/Instance/"""
    return {
        "domain": options.SANDBOX_URL.partition("://")[2],
        "title": "Practice network",
        "version": "4.3.0 (compatible; Offload practice network)",
        "source_url": "",
        "description": "A stand-in for a Mastodon server, to practise with. Nothing leaves this machine.",
        "usage": {"users": {"active_month": Account.objects.count()}},
        "languages": ["en"],
        "configuration": _configuration(),
        "registrations": {"enabled": False, "approval_required": False, "message": None},
        "rules": [],
    }


def instance_v1() -> Json:
    """https://docs.joinmastodon.org/entities/V1_Instance/"""
    return {
        "uri": options.SANDBOX_URL.partition("://")[2],
        "title": "Practice network",
        "short_description": "A stand-in for a Mastodon server.",
        "description": "A stand-in for a Mastodon server, to practise with.",
        "version": "4.3.0 (compatible; Offload practice network)",
        "urls": {},
        "stats": {"user_count": Account.objects.count(), "status_count": Status.objects.count(), "domain_count": 0},
        "languages": ["en"],
        "registrations": False,
        "configuration": _configuration(),
        "rules": [],
    }
