"""Asking for the confirmation mail again, where allauth would skip a mail too soon after the last without a word."""

from allauth.account.internal.flows.email_verification import (
    send_verification_email_at_login,
    send_verification_email_to_address,
)
from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage, LoginStageController
from allauth.account.utils import has_verified_email
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.adapter import next_mail_from


@never_cache
@require_POST
def resend(request: HttpRequest) -> HttpResponse:
    """Send the confirmation mail again: to the address `email` of whoever is signed in, or of who just signed up.

    429 when the last one is too recent (allauth's rate limit `confirm_email`), with the moment from which on it goes.
    For a sign-up with a taken address this goes the same way, with the mail that says so.
    """
    if request.user.is_authenticated:
        address = get_object_or_404(EmailAddress, user=request.user, email=request.POST.get("email"), verified=False)
        sent, page = send_verification_email_to_address(request, address), "account_email"
    else:
        stage = LoginStageController.enter(request, EmailVerificationStage.key)
        if stage is None or (stage.login.user and has_verified_email(stage.login.user)):
            messages.info(request, _("Sign in. If your address is not confirmed yet, you will get a new mail."))
            return redirect("account_login")
        sent, page = send_verification_email_at_login(request, stage.login), "account_email_verification_sent"
    if sent:
        return redirect(page)
    moment = next_mail_from(request, request.POST.get("email", ""))
    return render(request, "account/too_soon.html", {"page": page, "moment": moment}, status=429)
