"""Passkeys in a real browser, whose authenticator is a virtual one: https://www.w3.org/TR/webauthn-3/#sctn-automation"""

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect

from tests.accounts.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

INDEX = "/accounts/second-factor/"
SIGN_IN = "/accounts/login/"


def add(page: Page, name: str, *, alone: bool = True) -> None:
    """Fill in the form of a new passkey."""
    page.goto("/accounts/second-factor/webauthn/add/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Sign in with it alone").set_checked(alone)
    page.get_by_role("button", name="Add it").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Sign in")).to_be_visible()


def give_password(page: Page) -> None:
    page.goto(SIGN_IN)
    page.get_by_label("Email").fill("taken@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/second-factor/authenticate/")


def test_a_passkey_is_added_and_signs_in_alone(owner: Page, with_authenticator) -> None:
    with_authenticator(owner)
    add(owner, "My laptop")
    owner.wait_for_url("**/recovery-codes/")
    expect(owner.get_by_text("The passkey is added")).to_be_visible()
    with owner.expect_download() as download:
        owner.get_by_role("link", name="Keep them as a file").click()
    kept = download.value.path().read_text().split()
    assert len(kept) == 10
    assert kept == owner.locator("#recovery-codes").inner_text().split()
    owner.goto(INDEX)
    expect(owner.get_by_role("strong")).to_have_text("My laptop")
    expect(owner.get_by_text("signs in alone")).to_be_visible()
    sign_out(owner)
    owner.goto(f"{SIGN_IN}?next=/export/")
    owner.get_by_role("button", name="Sign in with a passkey").click()
    owner.wait_for_url("**/export/")


def test_one_that_can_not_verify_its_owner_is_a_second_factor_only(owner: Page, with_authenticator) -> None:
    with_authenticator(owner, hasUserVerification=False, isUserVerified=False, hasResidentKey=False, transport="usb")
    add(owner, "Small key", alone=False)
    owner.wait_for_url("**/recovery-codes/")
    sign_out(owner)
    give_password(owner)
    owner.get_by_role("button", name="Use a passkey").click()
    owner.wait_for_url("**/jobs/")


def test_a_passkey_stands_in_for_the_password_that_is_asked_for_once_more(
    owner: Page, with_authenticator, settings
) -> None:
    with_authenticator(owner)
    add(owner, "My laptop")
    owner.wait_for_url("**/recovery-codes/")
    owner.context.clear_cookies()
    owner.goto(SIGN_IN)
    owner.get_by_role("button", name="Sign in with a passkey").click()
    owner.wait_for_url("**/jobs/")
    owner.goto("/accounts/second-factor/recovery-codes/generate/")
    owner.get_by_role("link", name="Use a passkey").click()
    owner.get_by_role("button", name="Use a passkey").click()
    expect(owner.get_by_role("heading", name="New recovery codes")).to_be_visible()


def test_whoever_has_another_passkey_is_told_and_stays_out(owner: Page, with_authenticator) -> None:
    command = with_authenticator(owner)
    add(owner, "My laptop")
    owner.wait_for_url("**/recovery-codes/")
    sign_out(owner)
    command("clearCredentials")
    give_password(owner)
    owner.get_by_role("button", name="Use a passkey").click()
    expect(owner.get_by_text("That did not work")).to_be_visible()
    owner.goto("/jobs/")
    owner.wait_for_url("**/second-factor/authenticate/")


def test_a_passkey_that_was_removed_signs_in_no_more(owner: Page, with_authenticator) -> None:
    with_authenticator(owner)
    add(owner, "My laptop")
    owner.wait_for_url("**/recovery-codes/")
    owner.goto(INDEX)
    owner.get_by_role("link", name="Rename My laptop").click()
    owner.get_by_label("Name").fill("Old laptop")
    owner.get_by_role("button", name="Rename it").click()
    owner.get_by_role("link", name="Remove Old laptop").click()
    owner.get_by_role("button", name="Remove it").click()
    expect(owner.get_by_text("The passkey is removed")).to_be_visible()
    assert not Authenticator.objects.exists()
    sign_out(owner)
    owner.goto(SIGN_IN)
    owner.get_by_role("button", name="Sign in with a passkey").click()
    expect(owner.get_by_text("Incorrect code.")).to_be_visible()


def test_the_same_device_twice_is_told(owner: Page, with_authenticator) -> None:
    with_authenticator(owner)
    add(owner, "My laptop")
    owner.wait_for_url("**/recovery-codes/")
    add(owner, "My laptop again")
    expect(owner.get_by_text("holds a passkey of this account already")).to_be_visible()
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_without_javascript_there_is_no_button_that_does_nothing(open_page) -> None:
    page = open_page(SIGN_IN, java_script_enabled=False)
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
