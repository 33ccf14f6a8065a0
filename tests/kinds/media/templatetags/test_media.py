"""What a card says of a job's files."""

import re
from html import unescape

from jobs.sandbox.samples import sample_photo
from tests.environment import VAR
from tests.kinds.media.making import film
from tests.kinds.media.test_kind import archived, perform, result_of, upload


def test_the_card_tells_how_much_smaller_the_file_became(client, user):
    job = perform(upload(client, user, sample_photo()))
    first = result_of(job)["files"][0]

    html = client.get(job.get_absolute_url()).content.decode()

    percent = round(100 - first["bytes"] * 100 / len(sample_photo()))
    assert re.search(
        rf'<p class="saving">67\.0.KB → {first["bytes"] / 1024:.1f}.KB as AVIF, {percent}\u00a0% smaller</p>', html
    )
    assert "The file as you sent it is kept for you alone" in html


def test_the_card_says_when_a_file_became_larger(client, user):
    job = perform(upload(client, user, film(VAR / "tiny.mp4", "-crf", "51").read_bytes(), "tiny.mp4", quality="best"))

    assert "\u00a0% larger" in client.get(job.get_absolute_url()).content.decode()


def test_the_html_of_a_picture_names_the_files_as_they_are_downloaded(client, user):
    job = perform(upload(client, user, sample_photo(), "Grüße vom Strand.jpg"))

    html = unescape(client.get(job.get_absolute_url()).content.decode())

    snippet = re.search(rf'<code id="html-{job.pk}">(<picture>.*?</picture>)</code>', html, re.DOTALL)
    assert snippet
    named = set(re.findall(r"[\w-]+\.(?:avif|webp|jpg)", snippet[1]))
    assert named == set(archived(client, f"/media/zip/{job.pk}/"))
    assert 'srcset="grüße-vom-strand-picture-1500.avif 1500w, ' in snippet[1]
    assert 'width="1500" height="2000"' in snippet[1]
