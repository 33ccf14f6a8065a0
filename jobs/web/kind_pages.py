"""The addresses of the kinds' own pages."""

import logging

from django.urls import URLResolver, include, path

from ..kind import installed_kinds

logger = logging.getLogger(__name__)


def kind_pages() -> list[URLResolver]:
    """Those of each installed kind, below its name and with its name as their namespace.

    A kind whose URLconf can't be imported has none, so that `manage.py check` can tell of it.
    """
    found = []
    for kind in installed_kinds():
        if isinstance(kind.urls, str):
            try:
                found.append(path(f"{kind.name}/", include((kind.urls, kind.name))))
            except (ImportError, ValueError) as error:
                logger.error("Kind %r has no pages: %s can't be imported (%s)", kind.name, kind.urls, error)
    return found
