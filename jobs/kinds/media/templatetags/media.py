"""What the templates that show a version of a file need."""

from typing import Any
from uuid import UUID

from django import template
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _

from ..files import download_name

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


@register.simple_tag
def saving(result: dict[str, Any]) -> str:
    """How much smaller than the file that was sent the one is that most browsers take: “4.2 MB → 380 KB, …”."""
    before, best = result["source"]["bytes"], result["files"][0]
    told = {
        "before": filesizeformat(before),
        "after": filesizeformat(best["bytes"]),
        "format": best["name"].rpartition(".")[2].upper(),
        "percent": round(abs(before - best["bytes"]) * 100 / before),
    }
    if best["bytes"] <= before:
        return _("%(before)s → %(after)s as %(format)s, %(percent)s %% smaller") % told
    return _("%(before)s → %(after)s as %(format)s, %(percent)s %% larger") % told


@register.simple_tag
def picture_html(result: dict[str, Any]) -> str:
    """The HTML that shows the pictures of a result on somebody's page, if they lie beside it as they are downloaded."""
    pictures = in_role(result["files"], "picture")

    def addresses(of: list[dict[str, Any]]) -> str:
        return ", ".join(f"{download_name(result['name'], file['name'])} {file['width']}w" for file in of)

    lines = [
        f'  <source type="{mime}" srcset="{addresses(files)}" sizes="100vw">'
        for mime in ("image/avif", "image/webp")
        if (files := of_type(pictures, mime)) and len(files) < len(pictures)
    ]
    plain = of_type(pictures, "image/jpeg") or pictures
    name, alt = download_name(result["name"], plain[0]["name"]), _("Say what is to be seen")
    lines += [
        f'  <img src="{name}" srcset="{addresses(plain)}" sizes="100vw"',
        f'       width="{plain[0]["width"]}" height="{plain[0]["height"]}" loading="lazy" alt="{alt}">',
    ]
    return "\n".join(["<picture>", *lines, "</picture>"])
