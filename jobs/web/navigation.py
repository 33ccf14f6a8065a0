"""What every page of the site needs to draw its navigation."""

from typing import Any

from django.http import HttpRequest

from ..conf import options
from ..kind import installed_kinds


def site(request: HttpRequest) -> dict[str, Any]:
    """`site` for templates: the kinds with a form, the links that kinds bring, and whether the sandbox is on."""
    return {
        "site": {
            "forms": [kind for kind in installed_kinds() if kind.form],
            "links": [link for kind in installed_kinds() for link in kind.nav],
            "sandbox": options.SANDBOX,
        }
    }
