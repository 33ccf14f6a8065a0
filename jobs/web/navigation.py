"""What every page of the site needs to draw its navigation."""

from typing import Any

from django.http import HttpRequest

from ..conf import options
from ..kind import Kind, installed_kinds


def offered() -> list[Kind]:
    """The kinds that people can submit."""
    return [kind for kind in installed_kinds() if kind.form]


def site(request: HttpRequest) -> dict[str, Any]:
    """`site` for templates: the kinds with a form, the links that kinds bring, and whether the sandbox is on."""
    return {
        "site": {
            "forms": offered(),
            "links": [link for kind in installed_kinds() for link in kind.nav],
            "sandbox": options.SANDBOX,
        }
    }
