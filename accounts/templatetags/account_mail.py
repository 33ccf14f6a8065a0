"""The job of a session's newest mail, for the account pages."""

from datetime import datetime

from django import template
from django.template import RequestContext

from accounts import adapter
from jobs.contract import Job

register = template.Library()


@register.simple_tag(takes_context=True)
def newest_mail(context: RequestContext) -> Job | None:
    """`{% newest_mail as job %}`: the job of the mail that this session asked for last, or None."""
    return adapter.newest_mail(context.request) if context.request else None


@register.simple_tag(takes_context=True)
def next_mail_from(context: RequestContext, address: str = "") -> datetime | None:
    """`{% next_mail_from address as moment %}`: from when on that mail may be sent again, None if it may now."""
    return adapter.next_mail_from(context.request, address) if context.request else None
