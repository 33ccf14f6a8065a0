"""Pictures into AVIF, WebP and JPEG at up to three widths: upright, in sRGB, without a word about whose they are."""

import resource
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from math import sqrt
from pathlib import Path
from typing import Any, BinaryIO

import pillow_heif
from django.template.defaultfilters import filesizeformat
from PIL import Image, ImageCms, ImageOps

from ...contract import Failed, Sentence
from .conversion import Converted, Limits, Output, Progress, Quality, Recipe
from .formats import Format

pillow_heif.register_heif_opener()

TALLEST = 4
"""A very tall picture (of a whole web page, say) is fitted into this many times its largest width."""
ENCODERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    # Pillow's name: file name suffix, MIME type, options. The three qualities look alike.
    "AVIF": ("avif", "image/avif", {"quality": 60, "speed": 8}),
    "WEBP": ("webp", "image/webp", {"quality": 80, "method": 4}),
    "JPEG": ("jpg", "image/jpeg", {"quality": 82, "progressive": True, "optimize": True}),
}
_OTHER_QUALITIES = {
    Quality.SMALL: {"AVIF": 45, "WEBP": 65, "JPEG": 70},
    Quality.BEST: {"AVIF": 75, "WEBP": 90, "JPEG": 90},
}
LABELS = {"AVIF": "AVIF", "WEBP": "WebP", "JPEG": "JPEG"}
"""What people call the formats of ENCODERS."""
_QUALITIES = (85, 75, 65)
"""Tried one after the other before a picture is made smaller."""
_SMALLEST_STEP = 0.9
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def convert(
    source: Path,
    format: Format,
    folder: Path,
    limits: Limits,
    progress: Progress,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    encoder: str = "",
) -> Converted:
    """Write the versions of the picture at `source` into `folder`.

    encoder: one of ENCODERS, to write that alone, at the picture's own size.
    Raises Failed if the picture has too many pixels or can't be read.
    """
    with _memory(limits.memory):
        with _reading(limits.pixels), Image.open(source, formats=[format.reader]) as image:
            # JPEG files may carry small copies and depth maps of the same picture (MPO); that is nobody's animation.
            several = format.label != "JPEG" and getattr(image, "is_animated", False)
            picture, width, height = _upright(image, _whole if encoder else _within(max(recipe.widths)))
        widths = [picture.width, *(width for width in recipe.widths if width < picture.width and not encoder)]
        encoders = [encoder] if encoder else list(ENCODERS)
        outputs = _write(picture, widths, encoders, recipe.quality, folder, progress)
    notes = [Sentence("several_pictures").as_data()] if several else []
    return Converted("image", {"width": width, "height": height}, outputs, notes)


def edit(
    source: Path, format: Format, target: Path, limits: Limits, change: Callable[[Image.Image], Image.Image]
) -> Output:
    """Write what `change` makes of the picture at `source` to `target`: a PNG, so that edits of edits lose nothing.

    `change` gets it upright, in sRGB and without metadata. Raises Failed like `convert`.
    """
    with _memory(limits.memory):
        with _reading(limits.pixels), Image.open(source, formats=[format.reader]) as image:
            picture, *__ = _upright(image, _whole)
        picture = change(picture)
        picture.save(target, "PNG", compress_level=1)
    return Output(target, "image/png", "source", *picture.size)


def shrink(
    source: BinaryIO, format: Format, limits: Limits, encoders: Sequence[str], max_bytes: int, max_pixels: int
) -> tuple[bytes, str, int, int]:
    """The picture in one format, within `max_bytes` and `max_pixels`: upright, in sRGB, without metadata.

    encoders: keys of ENCODERS or "PNG", from the best to the worst, for a picture without transparency; a transparent
    one takes the first that can hold it. Returns the content, the encoder that was taken, width and height.
    Raises Failed like `convert`, and if nothing of the picture would be left.
    """
    with _memory(limits.memory):
        with _reading(limits.pixels), Image.open(source, formats=[format.reader]) as image:
            picture, *__ = _upright(image, _into(max_pixels))
        if picture.mode == "RGBA" and picture.getchannel("A").getextrema()[0] == 255:
            picture = picture.convert("RGB")
        holds_all = [encoder for encoder in encoders if picture.mode == "RGB" or encoder != "JPEG"]
        encoder = (holds_all or encoders)[0]
        if encoder == "JPEG":
            picture = _opaque(picture)
        while True:
            for options in [{"quality": quality} for quality in _QUALITIES] if encoder != "PNG" else [{}]:
                file = BytesIO()
                picture.save(file, encoder, **{**ENCODERS.get(encoder, ("", "", {}))[2], **options})
                if file.tell() <= max_bytes:
                    return file.getvalue(), encoder, *picture.size
            step = min(_SMALLEST_STEP, sqrt(max_bytes / file.tell()))
            size = (int(picture.width * step), int(picture.height * step))
            if min(size) < 1:
                raise Failed("too_few_bytes", limit=filesizeformat(max_bytes))
            picture = picture.resize(size, Image.Resampling.LANCZOS)


def _into(max_pixels: int) -> Callable[[int, int], float]:
    """How far a picture of some width and height is made smaller so that it has at most so many pixels."""

    def scale(width: int, height: int) -> float:
        whole = min(1, sqrt(max_pixels / (width * height)))
        if round(width * whole) * round(height * whole) <= max_pixels:
            return whole
        return min(int(width * whole) / width, int(height * whole) / height)

    return scale


def _write(
    picture: Image.Image, widths: list[int], encoders: list[str], quality: Quality, folder: Path, progress: Progress
) -> list[Output]:
    """The picture in each format at each width, from the largest to the smallest, each made from the one before."""
    outputs: list[Output] = []
    qualities = _OTHER_QUALITIES.get(quality, {})
    work = sum(width**2 for width in widths) * len(encoders)
    done = 0
    for width in widths:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        for encoder in encoders:
            suffix, mime, options = ENCODERS[encoder]
            progress(100 * done / work, "writing", format=LABELS[encoder], width=width)
            path = folder / f"picture-{width}.{suffix}"
            options = {**options, "quality": qualities.get(encoder, options["quality"])}
            (_opaque(picture) if encoder == "JPEG" else picture).save(path, encoder, **options)
            outputs.append(Output(path, mime, "picture", width, height))
            done += width**2
    progress(100, "written")
    return outputs


@contextmanager
def _memory(limit: int) -> Iterator[None]:
    """Let this process take no more than `limit` bytes of data meanwhile, where the system knows such a limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    except MemoryError as error:
        raise Failed("too_much_memory", can_retry=False) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _reading(max_pixels: int) -> Iterator[None]:
    """Turn what Pillow raises while it reads a file into sentences for the file's owner."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Up to twice the limit Pillow only warns, https://pillow.readthedocs.io/en/stable/reference/Image.html
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Failed("too_many_pixels", say="picture_pixels", millions=max_pixels / 1e6, can_retry=False) from error
    except MemoryError:
        raise
    except Exception as error:
        # On broken bytes a decoder may raise anything.
        raise Failed("damaged", say="picture_damaged", can_retry=False) from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _whole(width: int, height: int) -> float:
    return 1


def _within(largest: int) -> Callable[[int, int], float]:
    """No larger than the largest version."""
    return lambda width, height: min(1, largest / width, TALLEST * largest / height)


def _upright(image: Image.Image, scale: Callable[[int, int], float]) -> tuple[Image.Image, int, int]:
    """The picture turned upright, in sRGB, as RGB or RGBA without any metadata.

    scale: how much smaller (up to 1) a picture of this width and height becomes.
    The second and third value are the width and height of the whole picture, upright.
    """
    orientation = image.getexif().get(0x0112, 1)
    turned = orientation in (5, 6, 7, 8)
    width, height = (image.height, image.width) if turned else image.size
    factor = scale(width, height)
    upright_size = (max(1, round(width * factor)), max(1, round(height * factor)))
    size = (upright_size[1], upright_size[0]) if turned else upright_size

    if image.format in ("JPEG", "MPO"):
        # The decoder itself can halve a picture (again and again), which is much faster than the filter below.
        image.draft(None, size)
    profile = image.info.get("icc_profile")
    picture = _plain(image)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    picture = _in_srgb(picture, profile)
    picture.getexif()[0x0112] = orientation
    picture = ImageOps.exif_transpose(picture)
    picture.info.clear()
    return picture, width, height


def _plain(image: Image.Image) -> Image.Image:
    """The pixels, decoded, in a mode that can be resized and converted: L, RGB, RGBA or CMYK."""
    image.load()
    if image.has_transparency_data:
        # Only where it must, since every copy of a large picture takes up to 160 MB.
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that the profile means, as sRGB. A profile that does not fit the picture is left out."""
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                picture, ImageCms.ImageCmsProfile(BytesIO(profile)), _SRGB, outputMode=mode
            )
        except (ImageCms.PyCMSError, OSError):
            return picture.convert(mode)
        if converted is not None:
            return converted
    return picture.convert(mode)


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture on white where it is transparent: JPEG has no transparency."""
    if picture.mode == "RGB":
        return picture
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white
