"""What other kinds use of the media kind: a person's pictures, and pictures that keep to a network's limits."""

from io import BytesIO

import pytest
from django.core.files import storage
from PIL import Image

from jobs.contract import Failed
from jobs.kinds.media import library
from jobs.sandbox.samples import sample_photo, sample_sound
from tests.kinds.media.conftest import refused
from tests.kinds.media.making import PICTURES, drawing, picture, recording
from tests.kinds.media.test_kind import perform, upload
from tests.kinds.media.test_operations import edit, uploaded
from tests.kinds.media.test_pictures import assert_bare, is_near

MEBIBYTE = 1024**2


def fit(content: bytes, *formats: str, max_bytes: int = MEBIBYTE, max_pixels: int = 4_000_000) -> library.Fitted:
    return library.fit(
        BytesIO(content), max_bytes=max_bytes, max_pixels=max_pixels, formats=formats or ["image/jpeg", "image/png"]
    )


def noise(size: tuple[int, int] = (1200, 900)) -> bytes:
    """A picture that no format makes small."""
    return picture("PNG", Image.effect_noise(size, 90).convert("RGB"))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_every_format_is_fitted_and_bare(tmp_path, name):
    fitted = fit(picture(name))

    path = tmp_path / "fitted"
    path.write_bytes(fitted.content)
    assert_bare(path)
    assert (fitted.format, fitted.width, fitted.height) == ("image/jpeg", 600, 400)


def test_a_phone_photo_is_turned_upright_and_loses_its_place(tmp_path):
    fitted = fit(sample_photo())

    path = tmp_path / "fitted"
    path.write_bytes(fitted.content)
    assert_bare(path)
    assert (fitted.width, fitted.height) == (1500, 2000)


def test_a_picture_keeps_to_the_limit_of_pixels():
    fitted = fit(picture("PNG", drawing((3000, 1000))), max_pixels=750_000)

    assert (fitted.width, fitted.height) == (1500, 500)


@pytest.mark.parametrize("mime", ["image/jpeg", "image/webp", "image/png", "image/avif"])
def test_a_picture_keeps_to_the_limit_of_bytes(mime):
    fitted = fit(noise(), mime, max_bytes=100_000)

    assert len(fitted.content) <= 100_000
    assert fitted.format == mime
    with Image.open(BytesIO(fitted.content)) as image:
        assert image.size == (fitted.width, fitted.height)
        assert image.width / image.height == pytest.approx(4 / 3, abs=0.05)


def test_transparency_stays_where_a_format_can_hold_it():
    content = picture("PNG", drawing((200, 100), "RGBA"))

    for formats, expected, bottom in (
        (("image/jpeg", "image/png"), "image/png", (200, 30, 30, 0)),
        (("image/jpeg",), "image/jpeg", (255, 255, 255, 255)),
    ):
        fitted = fit(content, *formats)
        assert fitted.format == expected
        with Image.open(BytesIO(fitted.content)) as image:
            found = image.convert("RGBA").getpixel((10, 90))
        assert isinstance(found, tuple)
        assert found[3] == bottom[3]
        assert bottom[3] == 0 or is_near(found, bottom)


def test_a_picture_whose_transparency_is_unused_becomes_a_jpeg():
    assert fit(picture("PNG", Image.new("RGBA", (20, 20), (1, 2, 3, 255)))).format == "image/jpeg"


@pytest.mark.parametrize(
    ("content", "formats", "code"),
    [
        (sample_sound(), ["image/jpeg"], "no_picture"),
        (b"<svg/>", ["image/jpeg"], "no_picture"),
        (picture("PNG")[:300], ["image/jpeg"], "damaged"),
        (picture("PNG"), ["image/tiff"], "no_format"),
    ],
)
def test_what_can_not_be_fitted_gets_a_sentence(content, formats, code):
    with pytest.raises(Failed) as failure:
        fit(content, *formats)

    assert failure.value.code == code


def test_a_limit_below_any_picture_gets_a_sentence():
    with refused(r"can't be made as small as 20.bytes"):
        fit(picture("PNG"), max_bytes=20)


def test_my_pictures_are_my_newest_versions_newest_first(client, user, other_user):
    uploaded(client, other_user, picture("PNG"), "of bob.png")
    first = uploaded(client, user, picture("PNG", drawing((800, 400))), "first.png")
    perform(upload(client, user, recording("sound.mp3"), "sound.mp3"))
    second = uploaded(client, user, picture("PNG"), "second.png")
    perform(edit(client, first, "rotate", angle=90))

    mine = library.pictures_of(user.pk)

    assert [(one.id, one.name, one.width, one.height) for one in mine] == [
        (second.pk, "second.png", 600, 400),
        (first.pk, "first.png", 400, 800),
    ]
    assert library.pictures_of(user.pk, limit=1) == mine[:1]
    assert library.picture_of(user.pk, first.pk) == mine[1]
    assert library.picture_of(other_user.pk, first.pk) is None
    for one in mine:
        assert client.get(one.thumbnail).getvalue()
        with storage.default_storage.open(one.path) as file:
            fitted = library.fit(file, max_bytes=MEBIBYTE, max_pixels=4_000_000, formats=["image/jpeg"])
        assert (fitted.width, fitted.height) == (one.width, one.height)
