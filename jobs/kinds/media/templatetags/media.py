"""What the templates that show a version of a file need."""

from typing import Any
from uuid import UUID

from django import template
from django.urls import reverse

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
def file_url(job: UUID, file: dict[str, Any]) -> str:
    """Where the owner of the job with this id finds this file of its result."""
    return reverse("media:file", args=[job, file["name"]])


@register.simple_tag
def srcset(job: UUID, files: list[dict[str, Any]]) -> str:
    """Pictures as the `srcset` of an <img> or a <source>: the browser takes the width that it needs."""
    return ", ".join(f"{file_url(job, file)} {file['width']}w" for file in files)
