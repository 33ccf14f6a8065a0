"""What the template of a media job's result needs."""

from typing import Any

from django import template
from django.urls import reverse

from jobs.contract import Job

register = template.Library()


@register.filter
def in_role(files: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """The files of a result that have this role."""
    return [file for file in files if file["role"] == role]


@register.filter
def of_type(files: list[dict[str, Any]], mime: str) -> list[dict[str, Any]]:
    """The files of a result that are of this MIME type."""
    return [file for file in files if file["type"] == mime]


@register.simple_tag
def file_url(job: Job, file: dict[str, Any]) -> str:
    """Where the owner of the job finds this file of its result."""
    return reverse("media:file", args=[job.pk, file["name"]])


@register.simple_tag
def srcset(job: Job, files: list[dict[str, Any]]) -> str:
    """Pictures as the `srcset` of an <img> or a <source>: the browser takes the width that it needs."""
    return ", ".join(f"{file_url(job, file)} {file['width']}w" for file in files)
