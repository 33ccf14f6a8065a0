"""Confirming an address, asking for the mail again, ending a session, and the way of staff into the admin."""

from typing import Any

from allauth.account import views
from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.email_verification import (
    send_verification_email_at_login,
    send_verification_email_to_address,
)
from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage, LoginStageController
from allauth.account.utils import has_verified_email, user_pk_to_url_str
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.views import ReauthenticateWebAuthnView
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.adapter import next_mail_from
from accounts.second_factor import may_enter_admin
from accounts.unconfirmed import hand_over


class ConfirmEmailView(views.ConfirmEmailView):  # type: ignore[misc]  # allauth comes without types
    """allauth's page of the link in a mail, which asks before it confirms, with three ways on.

    The session that signed up is signed in. Anybody else gets an account without a password, and has to choose one. An
    address that was added to an account in use is confirmed by that account alone, signed in.
    """

    def get(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask; or lead to the sign-in."""
        response: HttpResponseBase = super().get(*args, **kwargs)
        return self._sign_in() if self.object and self._is_of_others() else response

    def post(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Confirm. A link that was used already leads to the page that explains that."""
        try:
            self.object = self.get_object()
        except Http404:
            return redirect(self.request.path)
        self.logout_other_user(self.object)
        if self._is_of_others():
            return self._sign_in()
        address, mine = self.object.email_address, self._is_mine()
        if not address.can_set_verified():
            return super().post(*args, **kwargs)  # type: ignore[no-any-return]
        with transaction.atomic():
            if not has_verified_email(address.user):
                hand_over(self.request, address.user, signed_up_here=mine)
            response: HttpResponseBase = super().post(*args, **kwargs)
        return response if mine else self._choose_password(address.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say beforehand what comes next."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "mine": self.object and self._is_mine()}

    def _is_mine(self) -> bool:
        """Whether this session is signed in to the account, or waits for it since it signed up or in."""
        user, wanted = self.request.user, self.object.email_address.user_id
        if user.is_authenticated:
            return bool(user.pk == wanted)
        stage = LoginStageController.enter(self.request, EmailVerificationStage.key)
        return bool(stage and stage.login.user and stage.login.user.pk == wanted)

    def _is_of_others(self) -> bool:
        return not self._is_mine() and has_verified_email(self.object.email_address.user)

    def _sign_in(self) -> HttpResponse:
        return redirect_to_login(self.request.get_full_path(), resolve_url("account_login"))

    def _choose_password(self, user: AbstractBaseUser) -> HttpResponse:
        """Lead to allauth's form for a new password, as the link of a reset mail does."""
        user.refresh_from_db()
        self.request.session[views.INTERNAL_RESET_SESSION_KEY] = default_token_generator.make_token(user)
        key = views.PasswordResetFromKeyView.reset_url_key
        return redirect("account_reset_password_from_key", uidb36=user_pk_to_url_str(user), key=key)


@never_cache
@require_POST
def resend(request: HttpRequest) -> HttpResponse:
    """Send the confirmation mail again: to the address `email` of whoever is signed in, or of who just signed up.

    429 when the last one is too recent (allauth's rate limit `confirm_email`, which allauth itself keeps without a
    word), with the moment from which on it goes.
    For a sign-up with a taken address this goes the same way, with the mail that says so.
    """
    if request.user.is_authenticated:
        address = get_object_or_404(EmailAddress, user=request.user, email=request.POST.get("email"), verified=False)
        sent, page = send_verification_email_to_address(request, address), "account_email"
    else:
        stage = LoginStageController.enter(request, EmailVerificationStage.key)
        if stage is None or (stage.login.user and has_verified_email(stage.login.user)):
            said = _("Sign in. If your address is not confirmed yet, sign up again, and you get a new mail.")
            messages.info(request, said)
            return redirect("account_login")
        sent, page = send_verification_email_at_login(request, stage.login), "account_email_verification_sent"
    if sent:
        return redirect(page)
    moment = next_mail_from(request, request.POST.get("email", ""))
    return render(request, "account/too_soon.html", {"page": page, "moment": moment}, status=429)


class ReauthenticatePasskeyView(ReauthenticateWebAuthnView):  # type: ignore[misc]  # allauth comes without types
    """allauth's page that asks for a passkey once more."""

    def form_invalid(self, form: Form) -> HttpResponse:
        """Say what was wrong, here. (allauth's leads away, to the sign-in.)"""
        super().form_invalid(form)
        return redirect(self.passthrough_next_url(self.request.path))


@require_POST
@login_required
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign somebody out elsewhere: from one of the sessions of whoever is signed in. To others it does not exist."""
    session = get_object_or_404(UserSession, pk=pk, user=request.user)
    end_sessions(request, [session])
    messages.info(request, _("You are signed out there."))
    return redirect("usersessions_list")


def enter_admin(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Where the admin sends staff whom it does not let in yet: to the second factor that is missing.

    In place of Django's own form, which asks for no second factor and has no limit on guesses. extra_context: what that
    would show besides.
    """
    if may_enter_admin(request):
        return redirect("admin:index")
    if get_mfa_adapter().is_mfa_enabled(request.user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]):
        wanted = request.GET.get(REDIRECT_FIELD_NAME, resolve_url("admin:index"))
        return redirect_to_login(wanted, resolve_url("mfa_reauthenticate"))
    messages.info(request, _("To enter the administration you need a second factor. Set one up here."))
    return redirect("mfa_index")
