"""Template tags for pages that show jobs: `{% load jobs %}`."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.safestring import mark_safe

from jobs import representation
from jobs.models import Job
from jobs.waiting import waits_of

register = template.Library()


@register.inclusion_tag("jobs/_live.html")
def job_card(job: Job) -> dict[str, Any]:
    """The job's card, kept up to date by poll.js until the outcome is there."""
    return {"job": job, "card": mark_safe(representation.card(job))}  # noqa: S308 (rendered by a template)


@register.inclusion_tag("jobs/_lines.html")
def job_lines(jobs: Iterable[Job]) -> dict[str, Any]:
    """The jobs as a list of one line each, kept up to date by poll.js until the outcome of each is there."""
    jobs = list(jobs)
    waits = waits_of(jobs)
    return {"lines": [(job, waits.get(job.pk)) for job in jobs]}


@register.inclusion_tag("jobs/_refresh.html")
def refresh(unfinished: bool) -> dict[str, Any]:
    """For the head of a page with cards: without JavaScript it loads itself again while one is unfinished."""
    return {"unfinished": unfinished}
