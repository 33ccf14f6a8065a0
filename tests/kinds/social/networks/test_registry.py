"""The registry: what it answers, and that the app knows networks through nothing else once it is ready."""

import pytest

from jobs.kinds.social.networks import network_named, networks
from tests.test_architecture import below, imports, modules

pytestmark = pytest.mark.apart

SOCIAL = "jobs.kinds.social"
SHARED = (f"{SOCIAL}.networks.network_named", f"{SOCIAL}.networks.networks", f"{SOCIAL}.networks.base")
FOUND_BY_DJANGO = {
    (f"{SOCIAL}.models", f"{SOCIAL}.networks.mastodon.models.MastodonApp"),
    (f"{SOCIAL}.admin", f"{SOCIAL}.networks.mastodon.admin.MastodonAppAdmin"),
}
"""Rows of a network's own, and their pages in the admin: Django looks for an app's in one place."""


def knows_networks_through_the_registry(module: str, name: str) -> bool:
    """A network's code is imported by itself, and by the app that registers it."""
    if not below(name, f"{SOCIAL}.networks") or below(name, *SHARED) or module == f"{SOCIAL}.apps":
        return True
    return below(module, ".".join(name.split(".")[:5])) or (module, name) in FOUND_BY_DJANGO


def test_nothing_but_the_app_that_registers_it_knows_a_network():
    found = {(module, name) for module, source in modules() for name in imports(source, module)}
    assert sorted(each for each in found if not knows_networks_through_the_registry(*each)) == []
    assert found >= FOUND_BY_DJANGO


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (f"{SOCIAL}.views", "from .networks.mastodon import client"),
        (f"{SOCIAL}.views", "from .networks.webhook.network import Webhook"),
        (f"{SOCIAL}.models", "from .networks import bluesky"),
        (f"{SOCIAL}.networks.bluesky.client", "from ..mastodon.models import MastodonApp"),
        (f"{SOCIAL}.networks.base", "from .bluesky import facets"),
    ],
)
def test_the_rule_can_fail(module, source):
    assert not all(knows_networks_through_the_registry(module, name) for name in imports(source, module))


def test_a_network_is_found_by_its_name():
    assert [network_named(network.name) for network in networks()] == list(networks())


def test_a_network_that_is_not_there_is_told():
    with pytest.raises(LookupError, match="There is no network named 'myspace'"):
        network_named("myspace")
