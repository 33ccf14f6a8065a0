"""The sandbox's pages on the main site. Public on purpose: they show what the outside world would have received."""

from csp.decorators import csp_update
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from ..conf import options
from . import mail
from .forms import BehaviourForm
from .models import Behaviour, Delivery, Status
from .pages import TIMELINE
from .webhooks import webhook_secret

PRACTICE_INBOX = "practice"
"""The inbox whose address and secret the pages name."""


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the sandbox is, and how to use it."""
    context = {
        "network_url": options.SANDBOX_URL,
        "smtp_port": options.SANDBOX_SMTP_PORT,
        "webhook_url": f"{options.SANDBOX_URL}/webhooks/{PRACTICE_INBOX}/",
        "webhook_secret": webhook_secret(PRACTICE_INBOX),
    }
    return render(request, "sandbox/home.html", context)


@require_safe
def mail_list(request: HttpRequest) -> HttpResponse:
    """The caught mails, newest first."""
    return render(request, "sandbox/mail.html", {"mails": list(mail.caught())})


@require_safe
def mail_detail(request: HttpRequest, key: str) -> HttpResponse:
    """One caught mail."""
    found = mail.find(key)
    if found is None:
        raise Http404
    return render(request, "sandbox/mail_detail.html", {"mail": found})


# The avatars and pictures are served by the practice network.
@csp_update({"img-src": [options.SANDBOX_URL]})
@require_http_methods(["GET", "HEAD", "POST"])
def network(request: HttpRequest) -> HttpResponse:
    """All practice posts, the webhook deliveries, and the form that sets how the network behaves."""
    form = BehaviourForm(request.POST or None, instance=Behaviour.current())
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The practice network behaves so from its next request on.")
        return redirect("sandbox:network")
    context = {
        "form": form,
        "behaviour": Behaviour.current(),
        "posts": Status.objects.select_related("account").prefetch_related("pictures")[:TIMELINE],
        "deliveries": Delivery.objects.all()[:TIMELINE],
        "network_url": options.SANDBOX_URL,
    }
    return render(request, "sandbox/network.html", context, status=400 if form.is_bound else 200)
