"""How a network counts and shows posts: the page's script is handed what the server itself goes by."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from jobs.kinds.social import networks as registry
from jobs.kinds.social.networks import networks
from tests.kinds.social.conftest import connected
from tests.processes import ROOT

pytestmark = pytest.mark.django_db

NETWORKS = {network.name: network for network in networks()}
FILE = Path(__file__).with_name("rules.json")
"""By network what tests/js/compose.test.js goes by."""


def handed_to_the_script(client) -> dict[str, Any]:
    page = client.get("/jobs/new/social/").content.decode()
    (data,) = re.findall(r'<script id="compose" type="application/json">(.*?)</script>', page)
    found: dict[str, Any] = json.loads(data)
    return found


@pytest.fixture
def told(client, user) -> dict[str, dict[str, Any]]:
    """By network, what the script is told of an account whose server says nothing of its own."""
    accounts = {n.name: connected(user, n.name, "https://social.example", f"@{n.name}", {}) for n in networks()}
    client.force_login(user)
    everything = handed_to_the_script(client)["accounts"]
    return {name: everything[str(account.pk)] for name, account in accounts.items()}


def test_the_page_hands_its_script_the_rules_and_limits_of_each_network(told):
    for network in networks():
        assert told[network.name]["rules"] == asdict(network.rules)
        assert told[network.name]["limits"] == asdict(network.limits)
        assert told[network.name]["label"] == str(network)


def test_the_tests_of_the_script_go_by_what_the_page_hands_it(told):
    for name, expected in json.loads(FILE.read_text()).items():
        assert {part: told[name][part] for part in ("limits", "rules")} == expected


def test_the_page_says_in_words_what_the_rules_say(client, user, monkeypatch):
    monkeypatch.setattr(registry, "_networks", [NETWORKS[name] for name in ("mastodon", "bluesky", "webhook")])
    client.force_login(user)
    page = client.get("/jobs/new/social/").content.decode()
    for sentence in (
        "Post to your Mastodon, Bluesky and webhook accounts at once.",
        "Shown first; Mastodon hides the rest until somebody asks for it. On Bluesky it stands above the text.",
        "On Bluesky everybody always can.",
    ):
        assert f">{sentence}</" in page
    monkeypatch.setattr(registry, "_networks", [NETWORKS["webhook"]])
    page = client.get("/jobs/new/social/").content.decode()
    assert ">Post to your webhook accounts at once.</" in page
    assert ">Shown first.</" in page
    assert "everybody always can" not in page


def test_the_script_names_no_network():
    script = (ROOT / "jobs/kinds/social/static/social/compose.js").read_text().lower()
    assert [network.name for network in networks() if network.name in script] == []
