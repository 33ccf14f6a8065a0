"""What the template of a run's result needs."""

from django import template

from ....contract import Job
from ..experiments import ALL
from ..report import Part

register = template.Library()


@register.simple_tag
def parts(job: Job) -> list[Part]:
    """What a run that succeeded found."""
    result = job.result or {}
    return ALL[result["experiment"]].report(result["found"])
