"""What is said of a post: kept as a code and its values, and worded for whoever reads it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import lazy

from jobs.contract import Failed, Run, Text, worded
from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks import networks
from jobs.kinds.social.post import Post
from jobs.kinds.social.sentences import SENTENCES
from jobs.models import Status
from tests.kinds.social.conftest import connected, posted
from tests.kinds.social.networks.guestbook import Guestbook, add
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db

ACCOUNTS = "/social/accounts/"


def _lost() -> str:
    german = translation.get_language() == "de"
    return "%(who)s hat den Schlüssel verloren." if german else "%(who)s has lost the key."


class Bilingual(Guestbook):
    """A guestbook that nobody can write into, and that says so in two languages."""

    name = "bilingual"
    sentences: ClassVar[Mapping[str, Text]] = {"lost_key": lazy(_lost, str)()}

    def post(self, account: Account, post: Post, run: Run) -> dict[str, Any]:
        raise Failed("reconnect", say="lost_key", who=account.handle)


def test_an_error_is_read_in_the_language_of_its_reader_whatever_the_worker_speaks(client, user, monkeypatch):
    add(monkeypatch, Bilingual())
    with translation.override("de"):
        job = posted(connected(user, "bilingual", "https://book.example", "Ann", {}), "Hello")
    account = Account.objects.get()
    assert (job.status, job.error_code) == (Status.PENDING, "reconnect")
    client.force_login(user)
    for language, sentence in (("en", "Ann has lost the key."), ("de", "Ann hat den Schlüssel verloren.")):
        with translation.override(language):
            assert job.error_text == f"{sentence} This post waits for that."
            assert job.attempts.get().error_text == job.error_text
            assert account.last_error_text == sentence
            assert sentence in client.get(ACCOUNTS).content.decode()


def test_a_moment_in_an_error_is_read_on_the_clock_of_its_reader(client, careless, mastodon_account):
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    limit = Reply("", 429, {"Retry-After": f"{moment:%a, %d %b %Y %H:%M:%S} GMT"})
    careless.misbehave("POST /api/v1/statuses", limit)
    with timezone.override("America/New_York"):
        attempt = posted(mastodon_account, "Hello").attempts.get()
    mastodon_account.refresh_from_db()
    for zone in ("UTC", "Asia/Tokyo"):
        local = moment.astimezone(ZoneInfo(zone))
        with timezone.override(zone):
            for said in (attempt.error_text, mastodon_account.last_error_text):
                assert said.startswith(f"Mastodon ({careless.origin[7:]}) asked us to wait until ")
                assert said.endswith(f"{local:%H:%M:%S %Z}.")


def test_staff_read_it_as_its_owner_does(client, mastodon_account, careless):
    careless.misbehave("POST /api/v1/statuses", Reply({"error": "No boats"}, 422))
    posted(mastodon_account, "Hello")
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a-long-password"))
    page = client.get(reverse("admin:offload_social_account_change", args=[mastodon_account.pk])).content.decode()
    assert f"{mastodon_account.who} refused this: “No boats”." in page


def test_the_kind_says_what_networks_say_that_were_added_later(monkeypatch):
    kept = {"say": "lost_key", "with": {"who": "Ann"}}
    before = set(SocialKind.sentences)
    assert before == set(SENTENCES).union(*(network.sentences for network in networks()))
    assert worded(kept, "social") == "This site has no words for what happened (lost_key)."
    add(monkeypatch, Bilingual())
    assert worded(kept, "social") == "Ann has lost the key."
    assert set(SocialKind.sentences) - before == {"lost_key"}
    assert len(SocialKind.sentences) == len(before) + 1
