"""Template tags for pages that show jobs: `{% load offload %}`."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.safestring import mark_safe

from ..conf import options
from ..models import Job
from ..web import job_status
from ..web.styles import sheets
from ..wording import worded

register = template.Library()


@register.inclusion_tag("offload/_live.html")
def job_card(job: Job) -> dict[str, Any]:
    """The job's card, kept up to date by poll.js until the outcome is there."""
    return job_cards([job])


@register.inclusion_tag("offload/_live.html")
def job_cards(jobs: Iterable[Job]) -> dict[str, Any]:
    """The cards of several jobs."""
    return _shown(jobs, job_status.CARD)


@register.inclusion_tag("offload/_lines.html")
def job_lines(jobs: Iterable[Job]) -> dict[str, Any]:
    """The jobs as a list of one line each, kept up to date like their cards."""
    return _shown(jobs, job_status.LINE)


def _shown(jobs: Iterable[Job], how: str) -> dict[str, Any]:
    jobs = list(jobs)
    shown = job_status.shown(jobs, how)
    # The HTML is that of a template.
    rows = [(job, version, mark_safe(html)) for job, (version, html) in zip(jobs, shown, strict=True)]  # noqa: S308
    return {"jobs": rows}


@register.inclusion_tag("offload/_refresh.html")
def refresh(unfinished: bool) -> dict[str, Any]:
    """For the head of a page with cards: without JavaScript it loads itself again while one is unfinished."""
    return {"unfinished": unfinished}


@register.filter
def said(sentence: object, kind: str) -> str:
    """`{{ note|said:job.kind }}`: the words of a sentence that was stored (`jobs.sentences`)."""
    return worded(sentence, kind)


@register.inclusion_tag("offload/_styles.html")
def styles() -> dict[str, Any]:
    """For the head of a page: links to the style sheets of the core and of the installed kinds."""
    return {"sheets": sheets()}


@register.simple_tag
def sandbox() -> bool:
    """`{% sandbox as sandbox %}`: whether the stand-ins for the outside world are on (mails go to the mail catcher)."""
    return options.SANDBOX
