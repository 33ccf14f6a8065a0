"""The jobs that connect and disconnect accounts: nothing waits for them, they keep no secret, and only the browser, the
person and the server that began something can end it.
"""

import json
import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.core import leftovers, lifecycle
from jobs.kinds.social import connecting
from jobs.kinds.social.models import Account, Secret
from jobs.kinds.social.networks import network_named
from jobs.kinds.social.views import BROWSER
from jobs.models import Job, Status
from jobs.worker import execution
from tests.kinds.social.conftest import attempted, result_of
from tests.kinds.social.connecting import (
    ACCOUNTS,
    BLUESKY,
    MASTODON,
    WEBHOOK,
    answer,
    asked,
    came_back,
    disconnected,
    done,
    job_of,
    said,
    sent_to,
    signed_in,
)
from tests.servers.bluesky import SIGN_IN, Pds
from tests.servers.mastodon import CarelessMastodon
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db

NOT_BEGUN_HERE = "This does not answer an authorisation that you began here. Please connect once more."
KEY = "whsec_" + "QUJD" * 10


@pytest.fixture
def silent(offload) -> Iterator[str]:
    """The origin of a trusted server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        origin = f"http://127.0.0.1:{server.getsockname()[1]}"
        offload(SANDBOX_ORIGINS=[origin])
        yield origin
        # Nobody has called.
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def hostile(start) -> CarelessMastodon:
    """A server of an attacker."""
    server: CarelessMastodon = start(CarelessMastodon)
    return server


def everything() -> str:
    """All that the database holds of jobs and of what connecting keeps, with the encrypted columns decrypted."""
    rows = [str([job.payload, job.result, job.kept, job.error_said, job.title]) for job in Job.objects.all()]
    return " ".join([*rows, *(secret.text for secret in Secret.objects.all())])


# --- Nobody waits in a request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "field", "more"),
    [
        (MASTODON, "server", {}),
        (BLUESKY, "service", {"handle": "ann.test", "app_password": "x"}),
        (WEBHOOK, "url", {"secret": KEY}),
    ],
)
def test_a_form_is_answered_although_the_server_never_does(page, silent, address, field, more):
    job = job_of(page.post(address, {field: silent, **more}))
    assert (job.kind, job.status, job.queue, job.attempt) == ("connect", Status.PENDING, "urgent", 0)
    network = network_named(job.payload["network"])
    assert job.title == f"Connecting {network.who(silent)}" + ", first step" * network.leaves
    assert job.title in page.get(ACCOUNTS).content.decode()


def test_an_account_of_a_server_that_never_answers_is_gone_at_once(page, silent, mastodon_account):
    Account.objects.update(instance=silent)
    job = job_of(page.post(reverse("social:disconnect", args=[mastodon_account.pk])))
    assert (job.kind, job.status, Account.objects.count()) == ("disconnect", Status.PENDING, 0)


def test_who_comes_back_is_answered_before_the_server_is_asked(page, careless):
    query = sent_to(page, careless)
    calls = len(careless.asked)
    job = job_of(answer(page, query, code="c0de"))
    assert (job.status, len(careless.asked)) == (Status.PENDING, calls)


# --- Nothing secret stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [None, Reply({"error": "AuthenticationRequired"}, 401), DROPPED])
def test_a_password_is_nowhere_once_the_job_has_ended(page, pds, caplog, trouble):
    caplog.set_level(logging.DEBUG)
    if trouble:
        pds.routes[SIGN_IN] = trouble
    job = signed_in(page, pds)
    assert job.status == (Status.FAILED if trouble else Status.SUCCEEDED)
    assert not (trouble and job.can_retry)
    assert not Secret.objects.exists()
    assert Pds.PASSWORD not in everything() + caplog.text + page.get(job.get_absolute_url()).content.decode()


def test_while_a_job_waits_its_secrets_are_encrypted_and_not_in_its_payload(page, pds):
    form = {"handle": "ann.test", "app_password": Pds.PASSWORD, "service": pds.origin}
    job = job_of(page.post(BLUESKY, form))
    assert job.payload == {"network": "bluesky", "shown_again": {"handle": "ann.test", "service": pds.origin}}
    with connection.cursor() as cursor:
        cursor.execute("SELECT text, bound FROM offload_social_secret")
        assert Pds.PASSWORD not in str(cursor.fetchall())
    assert Secret.objects.get().told["asked"]["app_password"] == Pds.PASSWORD


def test_a_code_and_a_token_are_in_no_job(page, careless):
    came_back(page, sent_to(page, careless))
    assert not Secret.objects.exists()
    found = everything()
    assert "c0de" not in found
    assert CarelessMastodon.TOKEN not in found


def test_what_a_job_was_told_goes_with_it(page, pds):
    job = job_of(page.post(BLUESKY, {"handle": "ann.test", "app_password": "x", "service": pds.origin}))
    lifecycle.cancel(job.pk)
    assert Secret.objects.exists()
    lifecycle.delete([job.pk])
    leftovers.forget(float("inf"))
    assert not Secret.objects.exists()


def test_a_job_that_is_stopped_forgets_what_it_was_told(page, pds):
    job = job_of(page.post(BLUESKY, {"handle": "ann.test", "app_password": "x", "service": pds.origin}))
    running = lifecycle.start(job.pk, "a worker")
    assert running
    lifecycle.cancel(job.pk)
    execution.run_attempt(running)
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert (Secret.objects.exists(), pds.asked) == (False, [])


def test_what_is_older_than_an_hour_is_not_used_and_goes_when_somebody_begins_anew(page, pds, careless):
    query = sent_to(page, careless)
    waiting = job_of(page.post(BLUESKY, {"handle": "ann.test", "app_password": "x", "service": pds.origin}))
    Secret.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert said_after(page, query) == NOT_BEGUN_HERE
    page.post(MASTODON, {"server": careless.origin})
    assert Secret.objects.count() == 2  # what an unfinished job needs stays
    waiting = done(waiting)
    assert (waiting.error_code, waiting.can_retry, pds.asked) == ("begin_again", False, [])


def test_what_can_not_be_decrypted_any_more_is_asked_for_again(page, pds):
    job = job_of(page.post(BLUESKY, {"handle": "ann.test", "app_password": "x", "service": pds.origin}))
    Secret.objects.update(text="null and void")
    assert done(job).error_code == "begin_again"


# --- Only who began it ends it ---------------------------------------------------------------------------------------


def said_after(page, query, **more: str) -> str:
    """What the browser is told when it comes back with an answer that is refused."""
    response = answer(page, query, **{"code": "c0de", **more})
    assert response["Location"] == ACCOUNTS
    return said(page.get(ACCOUNTS))


def test_each_server_has_a_callback_address_of_its_own(page, careless, hostile):
    addresses = [sent_to(page, server)["redirect_uri"] for server in (careless, hostile)]
    assert addresses[0] != addresses[1]
    for server, address in zip((careless, hostile), addresses, strict=True):
        assert address.startswith("http://testserver/social/connect/mastodon/callback/")
        assert server.calls("POST /api/v1/apps")[0].form["redirect_uris"] == address


def test_a_hostile_server_does_not_get_the_code_of_another(page, careless, hostile):
    """It sends the browser on to an honest server, in this site's name and with its own state.

    https://www.rfc-editor.org/rfc/rfc9700#section-4.4.1
    """
    honest, mixed_up = sent_to(page, careless), sent_to(page, hostile)
    stolen = honest | {"state": mixed_up["state"]}
    assert said_after(page, stolen) == NOT_BEGUN_HERE
    assert hostile.calls("POST /oauth/token") == careless.calls("POST /oauth/token") == []
    assert not Account.objects.exists()
    assert came_back(page, honest).status == Status.SUCCEEDED


def test_a_callback_address_of_another_server_is_refused(page, careless, hostile):
    query = sent_to(page, careless)
    other = query | {"redirect_uri": sent_to(page, hostile)["redirect_uri"]}
    assert said_after(page, other) == NOT_BEGUN_HERE


def test_what_one_person_began_another_can_not_end(page, careless, other_user):
    query = sent_to(page, careless)
    other = Client()
    other.force_login(other_user)
    session = other.session
    session[BROWSER] = page.session[BROWSER]
    session.save()
    assert said_after(other, query) == NOT_BEGUN_HERE
    assert not Account.objects.exists()


def test_what_one_browser_began_another_can_not_end(page, careless, user):
    query = sent_to(page, careless)
    other = Client()
    other.force_login(user)
    assert said_after(other, query) == NOT_BEGUN_HERE
    sent_to(other, careless)
    assert said_after(other, query) == NOT_BEGUN_HERE
    assert came_back(page, query).status == Status.SUCCEEDED


@pytest.mark.parametrize("state", [None, "", "wrong", "ünï"])
def test_an_answer_with_another_state_connects_nothing(page, careless, state):
    query = sent_to(page, careless)
    path = query["redirect_uri"].removeprefix("http://testserver")
    response = page.get(path, {"code": "c0de", **({} if state is None else {"state": state})}, follow=True)
    assert said(response) == NOT_BEGUN_HERE
    assert not Account.objects.exists()
    assert careless.calls("POST /oauth/token") == []


def test_a_server_that_names_itself_is_believed_only_if_it_is_the_one_that_was_asked(page, careless, hostile):
    query = sent_to(page, careless)
    for issuer in (hostile.origin, f"{careless.origin}.example", f"{careless.origin}//", ""):
        assert said_after(page, query, iss=issuer) == NOT_BEGUN_HERE
    job = done(job_of(answer(page, query, code="c0de", iss=f"{careless.origin}/")))
    assert job.status == Status.SUCCEEDED
    query = sent_to(page, careless)
    assert done(job_of(answer(page, query, code="c0de", iss=careless.origin))).status == Status.SUCCEEDED


def test_an_answer_is_good_once(page, careless):
    query = sent_to(page, careless)
    job = job_of(answer(page, query, code="c0de"))
    assert said_after(page, query) == NOT_BEGUN_HERE
    done(job)
    assert said_after(page, query) == NOT_BEGUN_HERE
    assert Job.objects.filter(kind="connect").count() == 2


def test_an_authorisation_that_was_denied_is_told_plainly_and_is_over(page, careless):
    query = sent_to(page, careless)
    assert answer(page, query, error="access_denied")["Location"] == ACCOUNTS
    assert said(page.get(ACCOUNTS)) == "You did not allow it, so no account was connected."
    assert (Account.objects.exists(), Secret.objects.exists()) == (False, False)
    assert said_after(page, query) == NOT_BEGUN_HERE


def test_two_servers_can_be_connected_side_by_side(page, careless, hostile):
    queries = [sent_to(page, server) for server in (careless, hostile)]
    assert [came_back(page, query).status for query in queries] == [Status.SUCCEEDED] * 2
    assert {account.instance for account in Account.objects.all()} == {careless.origin, hostile.origin}


# --- How it ends -----------------------------------------------------------------------------------------------------


def test_the_page_leads_to_the_server_by_a_link_and_then_to_the_accounts(page, careless):
    job = asked(page, MASTODON, {"server": careless.origin})
    text = page.get(job.get_absolute_url()).content.decode()
    assert f"Continue on {careless.origin[7:]}</a>" in text
    assert f'href="{careless.origin}/oauth/authorize?response_type=code&amp;' in text
    job = came_back(page, dict(parse_qsl(urlsplit(result_of(job)["url"]).query)))
    text = page.get(job.get_absolute_url()).content.decode()
    assert f"Mastodon @ann@{careless.origin[7:]} is connected." in text
    for address in (ACCOUNTS, "/jobs/new/social/"):
        assert f'href="{address}"' in text


def test_a_private_name_and_one_that_nobody_has_read_alike(page):
    found = []
    for host in ("localhost", "nowhere.invalid"):
        job = asked(page, WEBHOOK, {"url": f"https://{host}/hook", "secret": KEY})
        assert (job.status, job.can_retry, job.attempt) == (Status.FAILED, False, 1)
        found.append((job.error_code, job.error_text.replace(host, "…")))
    assert found == [("not_public", "There is no public server at …. Please check the address.")] * 2


def test_a_failed_job_leads_back_to_the_form_with_all_but_secrets(page, other_user, pds):
    job = signed_in(page, pds, app_password="wr0ng-passw0rd")
    address = reverse("social:again", args=[job.pk])
    assert f'href="{address}">Connect once more</a>' in page.get(job.get_absolute_url()).content.decode()
    answered = page.get(address)
    form = answered.context["form"]
    assert (form["handle"].value(), form["service"].value()) == ("ann.test", pds.origin)
    assert form["app_password"].value() is None
    assert f'action="{BLUESKY}"' in answered.content.decode()
    other = Client()
    other.force_login(other_user)
    assert other.get(address).status_code == 404


def test_a_server_that_is_away_for_a_moment_is_asked_again(page, pds):
    pds.misbehave(SIGN_IN, DROPPED, DROPPED)
    job = signed_in(page, pds)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 3)


def test_a_server_that_names_a_moment_is_not_waited_for(page, pds):
    pds.routes[SIGN_IN] = Reply({"error": "RateLimitExceeded"}, 429, {"Retry-After": "60"})
    job = signed_in(page, pds)
    assert (job.status, job.error_code, job.can_retry, job.attempt) == (Status.FAILED, "rate_limited", False, 1)


def test_an_attempt_after_the_account_was_kept_ends_as_the_lost_one_would_have(page, pds):
    job = signed_in(page, pds)
    first, calls = result_of(job), len(pds.asked)
    Job.objects.filter(pk=job.pk).update(status=Status.PENDING, has_turn=True, finished_at=None, result=None)
    assert result_of(attempted(job)) == first
    assert len(pds.asked) == calls


def test_an_attempt_after_the_way_was_found_shows_the_same_way(page, careless):
    job = asked(page, MASTODON, {"server": careless.origin})
    first, calls = result_of(job), len(careless.asked)
    Job.objects.filter(pk=job.pk).update(status=Status.PENDING, has_turn=True, finished_at=None, result=None)
    assert result_of(attempted(job)) == first
    assert len(careless.asked) == calls


def test_an_account_that_is_given_back_is_told_there(page, careless, mastodon_account):
    job = disconnected(page, mastodon_account)
    assert careless.revoked
    assert result_of(job) == {"account": "Mastodon @ann@careless.test"}
    assert not Secret.objects.exists()
    text = page.get(job.get_absolute_url()).content.decode()
    assert "Mastodon @ann@careless.test is disconnected: nobody has access to it through this site any more." in text
    assert CarelessMastodon.TOKEN not in everything()


def test_an_account_whose_server_can_not_be_told_is_disconnected_all_the_same_and_says_so(
    page, careless, mastodon_account
):
    careless.routes["POST /oauth/revoke"] = DROPPED
    job = disconnected(page, mastodon_account)
    assert (job.status, job.can_retry, job.attempt) == (Status.FAILED, False, 3)
    who = mastodon_account.who
    assert job.error_text == (
        f"Mastodon @ann@careless.test is disconnected, but {who} could not be told: {who} did not answer. You can also "
        "remove Offload in its settings."
    )
    assert (Account.objects.exists(), Secret.objects.exists()) == (False, False)
    assert CarelessMastodon.TOKEN not in everything()


def test_an_account_is_disconnected_once(page, user, mastodon_account):
    job_of(page.post(reverse("social:disconnect", args=[mastodon_account.pk])))
    assert page.post(reverse("social:disconnect", args=[mastodon_account.pk])).status_code == 404
    with pytest.raises(Account.DoesNotExist):
        connecting.disconnect(user, mastodon_account.pk)
    assert Job.objects.count() == 1


def test_credentials_stay_until_the_other_side_could_be_told(page, careless, mastodon_account):
    job = job_of(page.post(reverse("social:disconnect", args=[mastodon_account.pk])))
    Secret.objects.update(created_at=timezone.now() - timedelta(hours=5))
    page.post(MASTODON, {"server": careless.origin})
    assert done(job).status == Status.SUCCEEDED
    assert careless.revoked


def test_when_their_owner_goes_the_other_side_is_told_that_could_not_be_told_before(page, careless, mastodon_account):
    job_of(page.post(reverse("social:disconnect", args=[mastodon_account.pk])))
    job_of(page.post(MASTODON, {"server": careless.origin}))
    for _ in range(2):
        connecting.DisconnectKind().forget_owner(mastodon_account.owner_id)
    assert careless.revoked
    assert not Secret.objects.exists()


def test_an_export_tells_no_secret(page, user, pds):
    job_of(page.post(BLUESKY, {"handle": "ann.test", "app_password": Pds.PASSWORD, "service": pds.origin}))
    for kind in (connecting.ConnectKind(), connecting.DisconnectKind()):
        for job in Job.objects.all():
            assert list(kind.files(job.pk, job.payload, job.result)) == []
        assert json.dumps([list(rows) for _, rows in kind.belongings(user.pk)]) == "[]"
