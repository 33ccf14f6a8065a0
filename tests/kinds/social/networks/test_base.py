"""A network that is complete is offered, connected, written for, posted to and given back, and nothing else changes."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from jobs.kinds.social.models import Account
from jobs.kinds.social.networks import networks
from jobs.models import Job, Status
from tests.kinds.social.conftest import attempted, result_of
from tests.kinds.social.connecting import answer, asked, disconnected, done, job_of, said
from tests.kinds.social.networks.guestbook import Book, Guestbook, LockedGuestbook, account_in, add
from tests.kinds.social.pictures import photo
from tests.kinds.social.test_rules import handed_to_the_script
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db

CONNECT, COMPOSE = "/social/connect/guestbook/", "/jobs/new/social/"


@pytest.fixture
def book(start) -> Book:
    server: Book = start(Book)
    return server


@pytest.fixture
def page(client, user, monkeypatch):
    """A browser in which ann is signed in, on a site that knows two networks more."""
    add(monkeypatch, Guestbook(), LockedGuestbook())
    client.force_login(user)
    return client


@pytest.fixture
def account(page, book, user) -> Account:
    return account_in(book.origin, user)


def compose(page, account: Account, text: str, **more: Any) -> list[Job]:
    """The jobs of a submit; that of the pictures is first."""
    answer = page.post(COMPOSE, {"text": text, "accounts": [account.pk], **more})
    assert answer.status_code == 303, answer.context["form"].errors
    return list(Job.objects.order_by("kind"))


def test_it_is_offered_last_where_accounts_are_connected(page):
    shown = page.get("/social/accounts/").content.decode()
    assert f'href="{CONNECT}">{Guestbook.icon}Guestbook</a>' in shown
    offered = re.findall(r'href="/social/connect/(\w+)/"', shown)
    assert offered == [network.name for network in networks()]
    assert offered[-2:] == ["guestbook", "locked"]
    assert "guestbook and locked guestbook accounts at once." in page.get(COMPOSE).content.decode()


def test_an_account_is_connected_and_connected_again(page, book):
    shown = page.get(CONNECT).content.decode()
    assert "Everybody reads what stands in a book." in shown
    assert '<button class="button">Open the book</button>' in shown
    for sentence in ("Guestbook ann is connected.", "Guestbook ann is connected again."):
        job = asked(page, CONNECT, {"address": book.origin, "pen_name": "ann"})
        assert sentence in page.get(job.get_absolute_url()).content.decode()
    account = Account.objects.get()
    assert (account.network, account.instance, account.credentials) == ("guestbook", book.origin, {"key": "k3y"})
    assert "Guestbook · A book" in page.get("/social/accounts/").content.decode()
    form = page.get(f"{CONNECT}?account={account.pk}").context["form"]
    assert (form["address"].value(), form["pen_name"].value()) == (book.origin, "ann")


def test_what_goes_wrong_while_connecting_is_told_in_its_own_words(page, book):
    book.routes["GET /key"] = Reply("", 403)
    job = asked(page, CONNECT, {"address": book.origin, "pen_name": "ann"})
    assert (job.status, job.error_text, job.can_retry) == (Status.FAILED, "The book is closed.", False)
    # It did not say which of its fields hold no secret.
    form = page.get(reverse("social:again", args=[job.pk])).context["form"]
    assert (form["address"].value(), form["pen_name"].value()) == (None, None)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [("friend", "Locked guestbook ann is connected."), ("foe", "The keeper does not know you.")],
)
def test_a_network_may_ask_on_a_page_of_its_own(page, book, code, sentence):
    job = done(job_of(answer(page, sent_to_the_keeper(page, book), code=code)))
    assert sentence in page.get(job.get_absolute_url()).content.decode()
    assert [account.limit("characters") for account in Account.objects.all()] == [10] * (code == "friend")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"error": "access_denied"}, "You did not allow it, so no account was connected."),
        ({"error": "temporarily_unavailable"}, "The server did not allow it, so no account was connected."),
        ({"code": "friend", "state": "?"}, "This does not answer an authorisation that you began here."),
    ],
)
def test_what_it_does_not_allow_there_is_told_at_once(page, book, query, sentence):
    assert answer(page, sent_to_the_keeper(page, book), **query)["Location"] == "/social/accounts/"
    assert said(page.get("/social/accounts/")).startswith(sentence)
    assert not Account.objects.exists()


def sent_to_the_keeper(page, book) -> dict[str, str]:
    """The query with which the browser arrives at the page of a locked guestbook."""
    away = result_of(asked(page, "/social/connect/locked/", {"address": book.origin, "pen_name": "ann"}))["url"]
    assert away.startswith(f"{book.origin}/knock?to=http://testserver/social/connect/locked/callback/")
    query = dict(parse_qsl(urlsplit(away).query))
    return {"redirect_uri": query["to"], "state": query["state"]}


@pytest.mark.parametrize("network", ["guestbook", "webhook", "myspace"])
def test_nobody_comes_back_from_a_network_that_sends_nobody_away(page, network):
    assert page.get(f"/social/connect/{network}/callback/key/?code=c&state=s").status_code == 404


def test_the_form_says_what_becomes_of_a_warning_there_and_who_can_see_it(page, account):
    form = page.get(COMPOSE).context["form"]
    assert form.fields["warning"].help_text.endswith(", Guestbook and Locked guestbook it stands above the text.")
    assert form.fields["visibility"].help_text.endswith(", Guestbook and Locked guestbook everybody always can.")


def test_its_script_is_told_how_to_count_and_show_there(page, account):
    told = handed_to_the_script(page)["accounts"][str(account.pk)]
    assert (told["label"], told["who"]) == ("Guestbook", f"Guestbook ({account.instance[7:]})")
    assert (told["limits"]["characters"], told["rules"]["warned"]) == (40, "[%(warning)s] %(text)s")


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"text": "x" * 41}, "text", "posts of up to 40 characters; this one has 41, which is 1 too many."),
        ({"text": "x" * 40, "warning": "Boats"}, "text", "this one has 48, which is 8 too many."),
        ({"text": "Hello", "visibility": "private"}, "visibility", "On Guestbook everybody sees a post."),
    ],
)
def test_what_it_does_not_take_is_told(page, account, fields, field, sentence):
    answer = page.post(COMPOSE, {"accounts": [account.pk], **fields})
    assert answer.status_code == 400
    assert sentence in answer.context["form"].errors[field][0]


def test_a_post_arrives_there_and_its_page_leads_to_it(page, account, book):
    (job,) = compose(page, account, "See https://example.org/a/long/way @bob@b.example", warning="Boats")
    result = result_of(attempted(job))
    assert result == {"network": "Guestbook", "account": "ann", "url": f"{book.origin}/entries/1"}
    assert book.entries == [
        {
            "key": "k3y",
            "text": "[Boats] See https://example.org/a/long/way @bob@b.example",
            "warning": "",
            "pictures": [],
        }
    ]
    assert f'<a href="{book.origin}/entries/1" rel="noopener noreferrer">see it on Guestbook</a>' in (
        page.get(job.get_absolute_url()).content.decode()
    )


@pytest.mark.django_db(transaction=True)
def test_pictures_are_made_to_fit_it(page, account, book):
    sent = {"picture_1": SimpleUploadedFile("field.jpg", photo(600, 400)), "alt_1": "A field"}
    for job in compose(page, account, "Hello", **sent):
        result_of(attempted(job))
    ((alt, pixels),) = book.entries[0]["pictures"]
    assert (alt, 0 < pixels <= 10_000) == ("A field", True)


def test_an_account_that_is_disconnected_is_given_back(page, account, book):
    result_of(disconnected(page, account))
    assert book.forgotten == ["k3y"]
    assert not Account.objects.exists()
