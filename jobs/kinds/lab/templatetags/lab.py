"""What the template of a run's result needs."""

from django import template

from jobs.contract import Job
from jobs.kinds.lab.experiments import ALL
from jobs.kinds.lab.report import Part

register = template.Library()


@register.simple_tag
def parts(job: Job) -> list[Part]:
    """What a run that succeeded found."""
    result = job.result or {}
    return ALL[result["experiment"]].report(result["found"])
