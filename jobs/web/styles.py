"""Which style sheets a page loads: those of the core, and those of the installed kinds."""

from ..kind import installed_kinds

CORE = (
    "offload/tokens.css",
    "offload/base.css",
    "offload/parts/site.css",
    "offload/parts/buttons.css",
    "offload/parts/cards.css",
    "offload/parts/lists.css",
    "offload/parts/status.css",
)
"""Static paths. Of two rules that weigh the same the later one holds, so the order counts."""


def sheets() -> list[str]:
    """Static paths for a page of the site, in their order.

    Every page loads the sheets of all kinds, since the card of any kind can come to any page that shows jobs.
    """
    return [*CORE, *dict.fromkeys(kind.stylesheet for kind in installed_kinds() if kind.stylesheet)]
