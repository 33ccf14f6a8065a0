"""What the pages of second factors ask for."""

from django import template
from django.template import RequestContext

from accounts.second_factor import are_passkeys_possible

register = template.Library()


@register.simple_tag(takes_context=True)
def passkeys_possible(context: RequestContext) -> bool:
    """`{% passkeys_possible as possible %}`: whether browsers have passkeys under the address of this page."""
    return context.request is not None and are_passkeys_possible(context.request)
