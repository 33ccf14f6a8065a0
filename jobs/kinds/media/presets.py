"""What people choose from: a few ways to convert in plain words, and the finer options that change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from ...contract import Text
from .conversion import Quality, Recipe

PICTURES, RECORDINGS = "pictures", "recordings"
WIDEST = 4000
"""Pixels: the largest version of a picture that can be asked for."""
NARROWEST = 16
HEIGHTS = (1080, 720, 480, 360)
"""Lines of a video that can be asked for."""


@dataclass(frozen=True)
class Preset:
    """One choice.

    takes: PICTURES, RECORDINGS (videos and sounds) or both.
    """

    label: Text
    hint: Text
    takes: tuple[str, ...]
    recipe: Recipe = field(default_factory=Recipe)


DEFAULT = "suit"
PRESETS: dict[str, Preset] = {
    DEFAULT: Preset(
        _("What suits each file"),
        _("Pictures for web pages, videos that play everywhere, sounds for every browser. Files may be of all sorts."),
        (PICTURES, RECORDINGS),
    ),
    "web": Preset(
        _("Web pictures"),
        _("Three widths in AVIF, WebP and JPEG, and the HTML that lets each browser take the best."),
        (PICTURES,),
    ),
    "small_video": Preset(
        _("Small video"),
        _("480 lines high and strongly compressed: for messages and slow lines."),
        (RECORDINGS,),
        Recipe(lines=480, quality=Quality.SMALL),
    ),
    "podcast": Preset(
        _("Podcast audio"),
        _("Only the sound, also of a video: equally loud throughout, as MP3 and M4A."),
        (RECORDINGS,),
        Recipe(podcast=True),
    ),
}
"""By name, in the order in which they are offered. Payloads carry the names."""


def recipe_of(payload: Mapping[str, Any]) -> Recipe:
    """What a payload asks for by `preset`, `quality`, `width` and `height`, each of which may be missing."""
    recipe = PRESETS[payload.get("preset") or DEFAULT].recipe
    if quality := payload.get("quality"):
        recipe = replace(recipe, quality=Quality(quality))
    if width := payload.get("width"):
        recipe = replace(recipe, widths=(width, *(narrower for narrower in recipe.widths if narrower < width)))
    if height := payload.get("height"):
        recipe = replace(recipe, lines=height)
    return recipe
