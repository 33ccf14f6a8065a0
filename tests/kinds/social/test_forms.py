"""The form of a post: what it asks for, what it refuses, and the jobs it makes."""

import pytest
from django.http import QueryDict

from jobs.kinds.social.forms import PostForm
from jobs.kinds.social.models import Account
from jobs.models import Job
from tests.kinds.social.conftest import connected

pytestmark = pytest.mark.django_db


def form_of(owner, text: str, *accounts: object) -> PostForm:
    data = QueryDict(mutable=True)
    data["text"] = text
    data.setlist("accounts", [str(getattr(account, "pk", account)) for account in accounts])
    return PostForm(data, owner=owner)


def test_one_job_is_made_for_each_account(user, mastodon_account, webhook_account):
    form = form_of(user, "Good  morning\r\nto " + "everybody " * 9, mastodon_account, webhook_account)
    assert not form.is_valid()
    form = form_of(user, "Good  morning\r\nto everybody and all the others who are already awake", mastodon_account)
    assert form.is_valid(), form.errors
    (submission,) = form.submissions()
    assert submission.payload == {
        "account": mastodon_account.pk,
        "text": "Good  morning\nto everybody and all the others who are already awake",
    }
    assert submission.title == (
        "Good morning to everybody and all the others who are alread… → Mastodon @ann@careless.test"
    )
    assert submission.resource == f"account:{mastodon_account.pk}"
    form = form_of(user, "Hello", mastodon_account, webhook_account)
    assert form.is_valid()
    assert [one.payload["account"] for one in form.submissions()] == [mastodon_account.pk, webhook_account.pk]


def test_the_longest_title_fits(user):
    account = connected(user, "webhook", "https://x.example", "x" * 320, {})
    form = form_of(user, "Hello " * 40, account)
    assert form.is_valid()
    assert len(form.submissions()[0].title) == 200


def test_each_account_whose_limit_is_passed_is_named_with_the_surplus(user, mastodon_account, bluesky_account):
    form = form_of(user, "👨‍👩‍👧" * 301, mastodon_account, bluesky_account)
    assert not form.is_valid()
    texts = form.errors["text"]
    assert any("Mastodon (" in text and "this one has 301, which is 201 too many" in text for text in texts)
    assert any("Bluesky (" in text and "this one has 301, which is 1 too many" in text for text in texts)


def test_a_text_of_twenty_thousand_characters_gets_a_clear_sentence(user, webhook_account):
    form = form_of(user, "x" * 20_000, webhook_account)
    assert form.errors == {"text": ["A post can have up to 10000 characters; this one has 20000."]}


@pytest.mark.parametrize("text", ["", "   ", "\r\n"])
def test_an_empty_text_gets_a_clear_sentence(user, webhook_account, text):
    assert form_of(user, text, webhook_account).errors == {"text": ["Please write what to post."]}


def test_an_account_must_be_chosen(user, webhook_account):
    assert form_of(user, "Hello").errors == {"accounts": ["Please choose at least one account."]}


@pytest.mark.parametrize("choice", ["0", "x", "", "9" * 30])
def test_an_account_that_does_not_exist_gets_a_clear_sentence(user, webhook_account, choice):
    form = form_of(user, "Hello", choice)
    assert form.errors == {"accounts": ["One of these accounts is not connected any more. Please choose again."]}


def test_an_account_of_somebody_else_can_not_be_chosen(other_user, webhook_account):
    form = form_of(other_user, "Hello", webhook_account)
    assert form.errors == {"accounts": ["One of these accounts is not connected any more. Please choose again."]}
    assert "My receiver" not in str(form)


def test_an_account_that_must_be_connected_again_is_refused_and_marked(user, webhook_account):
    Account.objects.update(needs_reconnect=True)
    form = form_of(user, "Hello", webhook_account)
    assert "Connect it again" in form.errors["accounts"][0]
    assert "(connect it again first)" in str(form)


def test_without_an_account_the_page_says_so_and_links_to_connecting(client, user):
    client.force_login(user)
    page = client.get("/jobs/new/social/").content.decode()
    assert 'No account is connected yet. <a href="/social/accounts/">Connect one</a>' in page


def test_a_submitted_post_is_answered_at_once_as_page_and_as_json(client, user, webhook_account):
    client.force_login(user)
    form = {"text": "Hello", "accounts": [webhook_account.pk]}
    assert client.post("/jobs/new/social/", form).status_code == 303
    answer = client.post("/jobs/new/social/", form, content_type="application/json")
    assert (answer.status_code, answer.json()["title"]) == (202, "Hello → Webhook My receiver")
    bad = client.post("/jobs/new/social/", {"text": "x" * 20_000}, content_type="application/json")
    assert (bad.status_code, sorted(bad.json()["errors"])) == (400, ["accounts", "text"])
    assert Job.objects.count() == 2
