import pytest
from django.test import Client
from django.urls import reverse

from jobs.conf import options
from jobs.sandbox.models import Behaviour
from jobs.sandbox.webhooks import webhook_secret

pytestmark = [
    pytest.mark.stack,
    pytest.mark.apart,
    pytest.mark.django_db(transaction=True, databases=["default", "sandbox"]),
]


def test_the_first_page_says_where_everything_is(client, settings):
    page = client.get(reverse("sandbox:home")).content.decode()
    assert options.SANDBOX_URL in page
    assert webhook_secret("practice") in page
    assert "open to everybody" in page


def test_the_timeline_shows_posts_and_deliveries_escaped(client, network, ann):
    ann.toot("<script>alert(1)</script>", spoiler_text="<i>careful</i>", visibility="unlisted")
    network.post("/webhooks/box/", data="<script>alert(2)</script>")
    response = client.get(reverse("sandbox:network"))
    page = response.content.decode()
    assert f"@{ann.name}" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;i&gt;careful" in page
    assert "unlisted" in page
    assert "signature is wrong" in page
    assert "&lt;script&gt;alert(2)" in page
    assert "alert(2)</script>" not in page
    assert network.url in response.headers["Content-Security-Policy"].split("img-src")[1].split(";")[0]


def test_the_form_changes_how_the_network_behaves(client, network, ann):
    form = {"mode": "500", "delay_ms": "0", "remaining": "1"}
    response = client.post(reverse("sandbox:network"), form)
    assert response.status_code == 302
    assert [ann.toot("x").status_code for _ in range(2)] == [500, 200]


def test_a_wrong_behaviour_gets_a_sentence_and_changes_nothing(client):
    response = client.post(reverse("sandbox:network"), {"mode": "angry", "delay_ms": "-1", "remaining": "0"})
    assert response.status_code == 400
    assert b"angry is not one of the available choices" in response.content
    assert Behaviour.current().mode == "normal"


def test_a_form_from_another_website_changes_nothing():
    response = Client(enforce_csrf_checks=True).post(reverse("sandbox:network"), {"mode": "500"})
    assert response.status_code == 403
