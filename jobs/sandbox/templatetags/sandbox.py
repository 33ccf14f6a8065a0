"""How text from outside is shown on the sandbox's pages."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_ADDRESS = re.compile(r"""(https?://[^\s<>"]*[^\s<>".,:;!?')\]])""")


@register.filter
def links(text: str) -> SafeString:
    """The text escaped, its http and https addresses made into links; no other scheme ever becomes one.

    Unlike `urlize` it takes plain text literally: there, `&copy=1` in an address becomes a copyright sign.
    """
    parts = _ADDRESS.split(text)
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<a href="{0}" rel="nofollow noopener">{0}</a>', part) if odd % 2 else part,)
            for odd, part in enumerate(parts)
        ),
    )
