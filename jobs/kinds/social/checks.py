"""System check: a network that is half added is refused before anybody is offered it.

https://docs.djangoproject.com/en/5.2/topics/checks/
"""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from .networks import networks
from .networks.base import Network
from .sentences import SENTENCES


@register(Tags.compatibility)
def check_networks(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Each network has all that an account needs to be connected, posted to and disconnected.

    Its name is no other's, and none of its codes has other words elsewhere.
    """
    return [
        Error(f"Network {type(network).__name__}: {problem}", obj=type(network), id="offload.E006")
        for network, problem in _problems()
    ]


def _problems() -> Iterator[tuple[Network, str]]:
    taken = set()
    texts = {code: (text, "SocialKind") for code, text in SENTENCES.items()}
    for network in networks():
        for problem in network.problems():
            yield network, problem
        name = getattr(network, "name", None)
        if name in taken:
            yield network, f"another network has the name {name!r} already."
        taken.add(name)
        for code, text in network.sentences.items():
            known, whose = texts.setdefault(code, (text, f"network {type(network).__name__}"))
            # A network that is derived from another may share its sentences.
            if known is not text:
                yield network, f"its sentences use the code {code!r}, which {whose} uses already for other words."
